# Option 2: AWS Batch runs the container on Spot instances, and again when one is taken away.

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
  log_group_name     = "/aws/batch/${var.name}"
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

# Batch has no metric of running or failed jobs: the lines tell what runs, an event below tells what failed.
module "monitoring" {
  source = "../modules/monitoring"

  name            = var.name
  log_group_name  = module.shared.log_group_name
  alarm_emails    = var.alarm_emails
  stalled_minutes = var.stalled_minutes
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

resource "aws_iam_role" "job" {
  name_prefix        = "${var.name}-job-"
  description        = "The processor: reads the object, keeps the checkpoint, and nothing else"
  assume_role_policy = data.aws_iam_policy_document.tasks_assume.json
}

resource "aws_iam_role_policy" "job" {
  name   = "processor"
  role   = aws_iam_role.job.id
  policy = module.shared.processor_policy
}

data "aws_iam_policy_document" "service_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["batch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }
}

resource "aws_iam_role" "service" {
  name_prefix        = "${var.name}-batch-"
  description        = "Batch itself: starts and ends instances"
  assume_role_policy = data.aws_iam_policy_document.service_assume.json
}

resource "aws_iam_role_policy_attachment" "service" {
  role       = aws_iam_role.service.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AWSBatchServiceRole"
}

data "aws_iam_policy_document" "instance_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  name_prefix        = "${var.name}-host-"
  description        = "The container agent: joins the cluster, pulls the image, writes the log"
  assume_role_policy = data.aws_iam_policy_document.instance_assume.json
}

resource "aws_iam_role_policy_attachment" "instance" {
  role       = aws_iam_role.instance.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "instance" {
  name_prefix = "${var.name}-host-"
  role        = aws_iam_role.instance.name
}

# --------------------------------------------------------------------------------------------------- where jobs run

resource "aws_launch_template" "host" {
  name_prefix = "${var.name}-host-"

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # containers have their own role, and do not reach the instance's
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted   = true
      volume_size = 30
      volume_type = "gp3"
    }
  }
}

resource "aws_batch_compute_environment" "spot" {
  type         = "MANAGED"
  service_role = aws_iam_role.service.arn

  compute_resources {
    type                = "SPOT"
    allocation_strategy = var.allocation_strategy
    instance_role       = aws_iam_instance_profile.instance.arn
    instance_type       = var.instance_types
    min_vcpus           = 0
    max_vcpus           = var.max_vcpus
    subnets             = module.network.private_subnet_ids
    security_group_ids  = [module.network.processor_security_group_id]

    launch_template {
      launch_template_id = aws_launch_template.host.id
      version            = aws_launch_template.host.latest_version
    }
  }

  depends_on = [aws_iam_role_policy_attachment.instance, aws_iam_role_policy_attachment.service]

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [compute_resources[0].desired_vcpus] # Batch's to decide
  }
}

resource "aws_batch_job_queue" "this" {
  name     = var.name
  state    = "ENABLED"
  priority = 1

  compute_environment_order {
    order               = 0
    compute_environment = aws_batch_compute_environment.spot.arn
  }
}

# ----------------------------------------------------------------------------------------------------------- the job

resource "aws_batch_job_definition" "this" {
  name                  = var.name
  type                  = "container"
  platform_capabilities = ["EC2"]

  container_properties = jsonencode({
    image                  = local.image
    command                = ["run"]
    jobRoleArn             = aws_iam_role.job.arn
    readonlyRootFilesystem = true
    environment            = [for name, value in module.job.environment : { name = name, value = value }]
    mountPoints            = []
    volumes                = []
    secrets                = []
    ulimits                = []

    resourceRequirements = [
      { type = "VCPU", value = tostring(var.vcpus) },
      { type = "MEMORY", value = tostring(var.memory_mib) },
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = module.shared.log_group_name
        awslogs-region        = var.region
        awslogs-stream-prefix = "run"
        mode                  = "non-blocking" # the rows are more important than the log
        max-buffer-size       = "4m"
      }
      secretOptions = []
    }
  })

  # What matches no rule is tried again: 75, 137, 143, a bug (70), and a host that Spot took away.
  retry_strategy {
    attempts = var.attempts

    dynamic "evaluate_on_exit" {
      for_each = ["2", "3", "4", "5", "6"] # a person must act; AWS takes five rules at most

      content {
        action       = "EXIT"
        on_exit_code = evaluate_on_exit.value
      }
    }
  }

  timeout {
    attempt_duration_seconds = var.attempt_timeout_s
  }
}

# ------------------------------------------------------------------------------------------- jobs that failed for good

resource "aws_cloudwatch_event_rule" "job_failed" {
  name        = "${var.name}-job-failed"
  description = "A job failed for good: a restart does not mend it, or its attempts are used up"

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job State Change"]
    detail      = { status = ["FAILED"], jobQueue = [aws_batch_job_queue.this.arn] }
  })
}

resource "aws_cloudwatch_event_target" "job_failed" {
  rule = aws_cloudwatch_event_rule.job_failed.name
  arn  = module.monitoring.topic_arn
}
