# Option 1: one Fargate task moves the object; a state machine starts it again when starting again helps.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = var.name }
  }
}

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

locals {
  image = coalesce(var.image, "${module.shared.repository_url}:${var.image_tag}")

  # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
  memory_of_cpu = {
    256   = [512, 1024, 2048]
    512   = range(1024, 4097, 1024)
    1024  = range(2048, 8193, 1024)
    2048  = range(4096, 16385, 1024)
    4096  = range(8192, 30721, 1024)
    8192  = range(16384, 61441, 4096)
    16384 = range(32768, 122881, 8192)
  }
}

# ------------------------------------------------------------------------------------------------- what others share

module "network" {
  source = "../modules/network"

  name         = var.name
  existing_vpc = var.existing_vpc
  cidr         = var.vpc_cidr
  kafka_ports  = var.kafka_ports

  msk_security_group_id = var.msk_security_group_id
}

module "job" {
  source = "../modules/job"

  region                  = var.region
  csv_source              = var.csv_source
  kafka_topic             = var.kafka_topic
  kafka_partition         = var.kafka_partition
  kafka_bootstrap_servers = var.kafka_bootstrap_servers
  kafka_client            = var.kafka_client
  job_id                  = var.job_id
  checkpoint_table        = module.shared.table_name
  settings                = var.settings
}

module "shared" {
  source = "../modules/shared"

  name               = var.name
  log_group_name     = "/ecs/${var.name}"
  log_retention_days = var.log_retention_days
  protect            = var.protect
  bucket             = module.job.bucket
  key_pattern        = coalesce(var.readable_keys, module.job.key)
  kafka_topic        = var.kafka_topic
  dead_letter_topic  = lookup(var.settings, "DEAD_LETTER_TOPIC", null)
  kafka_name         = module.job.kafka_name
  msk_cluster_arn    = var.msk_cluster_arn
  secret_arns        = [for name, value in var.settings : value if endswith(name, "_FROM") && startswith(value, "arn:")]
}

module "monitoring" {
  source = "../modules/monitoring"

  name            = var.name
  log_group_name  = module.shared.log_group_name
  alarm_emails    = var.alarm_emails
  stalled_minutes = var.stalled_minutes

  running_metric = {
    namespace  = "ECS/ContainerInsights"
    name       = "TaskCount"
    dimensions = { ClusterName = aws_ecs_cluster.this.name }
  }

  failures_metric = {
    namespace  = "AWS/States"
    name       = "ExecutionsFailed"
    dimensions = { StateMachineArn = aws_sfn_state_machine.this.arn }
  }
}

# ------------------------------------------------------------------------------------------------------------- roles

data "aws_iam_policy_document" "tasks_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

resource "aws_iam_role" "task" {
  name_prefix        = "${var.name}-task-"
  description        = "The processor: reads the object, keeps the checkpoint, and nothing else"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

resource "aws_iam_role_policy" "task" {
  name   = "processor"
  role   = aws_iam_role.task.id
  policy = module.shared.processor_policy
}

resource "aws_iam_role" "execution" {
  name_prefix        = "${var.name}-exec-"
  description        = "ECS itself: pulls the image, writes the log"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # it has no resource
  }

  statement {
    sid       = "PullTheImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [module.shared.repository_arn]
  }

  statement {
    sid       = "WriteTheLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${module.shared.log_group_arn}:*"]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "pull-and-log"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# -------------------------------------------------------------------------------------------------- cluster and task

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled" # TaskCount tells the alarm whether anything runs
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  task_role_arn            = aws_iam_role.task.arn
  execution_role_arn       = aws_iam_role.execution.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  container_definitions = jsonencode([{
    name                   = "processor"
    image                  = local.image
    command                = ["run"]
    essential              = true
    cpu                    = var.cpu
    memory                 = var.memory_mib
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout_s
    environment            = [for name, value in module.job.environment : { name = name, value = value }]
    portMappings           = []
    mountPoints            = []
    volumesFrom            = []
    systemControls         = []

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = module.shared.log_group_name
        awslogs-region        = var.region
        awslogs-stream-prefix = "run"
        mode                  = "non-blocking" # the rows are more important than the log
        max-buffer-size       = "4m"
      }
    }
  }])

  lifecycle {
    precondition {
      condition     = contains(local.memory_of_cpu[var.cpu], var.memory_mib)
      error_message = "Fargate has no task with cpu ${var.cpu} and memory_mib ${var.memory_mib}: choose one of ${join(", ", local.memory_of_cpu[var.cpu])}."
    }
  }
}

# ---------------------------------------------------------------------------------------- starting, and starting again

data "aws_iam_policy_document" "states_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

resource "aws_iam_role" "states" {
  name_prefix        = "${var.name}-run-"
  description        = "The state machine: starts the task and waits for its end"
  assume_role_policy = data.aws_iam_policy_document.states_assume.json
}

data "aws_iam_policy_document" "states" {
  statement {
    sid       = "StartTheTask"
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.this.arn_without_revision}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.this.arn]
    }
  }

  statement {
    sid       = "WatchAndStopIt"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["arn:${data.aws_partition.here.partition}:ecs:${var.region}:${data.aws_caller_identity.here.account_id}:task/${aws_ecs_cluster.this.name}/*"]
  }

  statement {
    sid       = "HandOverTheRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task.arn, aws_iam_role.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  # How Step Functions hears of a task's end; the rule's name is its own.
  statement {
    sid       = "HearOfItsEnd"
    actions   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
    resources = ["arn:${data.aws_partition.here.partition}:events:${var.region}:${data.aws_caller_identity.here.account_id}:rule/StepFunctionsGetEventsForECSTaskRule"]
  }
}

resource "aws_iam_role_policy" "states" {
  name   = "run-task"
  role   = aws_iam_role.states.id
  policy = data.aws_iam_policy_document.states.json
}

resource "aws_sfn_state_machine" "this" {
  name     = var.name
  role_arn = aws_iam_role.states.arn

  definition = templatefile("${path.module}/state_machine.json.tftpl", {
    cluster           = aws_ecs_cluster.this.arn
    task_definition   = aws_ecs_task_definition.this.arn
    subnets           = jsonencode(module.network.private_subnet_ids)
    security_groups   = jsonencode([module.network.processor_security_group_id])
    capacity_provider = var.use_spot ? "FARGATE_SPOT" : "FARGATE"
    max_restarts      = var.max_restarts
    restart_wait_s    = var.restart_wait_s
  })

  depends_on = [aws_iam_role_policy.states, aws_ecs_cluster_capacity_providers.this]
}

# ---------------------------------------------------------------------------------------------- a schedule, if wanted

data "aws_iam_policy_document" "scheduler_assume" {
  count = var.schedule == null ? 0 : 1

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  count = var.schedule == null ? 0 : 1

  statement {
    sid       = "StartARun"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.this.arn]
  }
}

resource "aws_iam_role" "scheduler" {
  count = var.schedule == null ? 0 : 1

  name_prefix        = "${var.name}-cron-"
  description        = "The schedule: starts the state machine"
  assume_role_policy = data.aws_iam_policy_document.scheduler_assume[0].json
}

resource "aws_iam_role_policy" "scheduler" {
  count = var.schedule == null ? 0 : 1

  name   = "start"
  role   = aws_iam_role.scheduler[0].id
  policy = data.aws_iam_policy_document.scheduler[0].json
}

resource "aws_scheduler_schedule" "this" {
  count = var.schedule == null ? 0 : 1

  name                = var.name
  schedule_expression = var.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.scheduler[0].arn
  }
}
