# Option 3: one Spot instance moves the object, and ends itself. A group of one replaces it when Spot takes it away.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = var.name }
  }
}

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

locals {
  group_arn = "arn:${data.aws_partition.here.partition}:autoscaling:${var.region}:${data.aws_caller_identity.here.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.name}"
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
  settings                = merge({ SPOT_NOTICE = "imds" }, var.settings)
}

module "shared" {
  source = "../modules/shared"

  name               = var.name
  log_group_name     = "/ec2/${var.name}"
  log_retention_days = var.log_retention_days
  with_repository    = false
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
    namespace  = "AWS/AutoScaling"
    name       = "GroupInServiceInstances"
    dimensions = { AutoScalingGroupName = aws_autoscaling_group.this.name }
  }
}

# --------------------------------------------------------------------- the package: user data holds 16 KB, a wheel more

resource "aws_s3_bucket" "package" {
  bucket_prefix = "${var.name}-"
  force_destroy = true # it holds what this configuration uploads, and nothing else
}

resource "aws_s3_bucket_public_access_block" "package" {
  bucket = aws_s3_bucket.package.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_object" "wheel" {
  bucket      = aws_s3_bucket.package.id
  key         = basename(var.wheel_path)
  source      = var.wheel_path
  source_hash = filemd5(var.wheel_path)
}

# The versions that everything was tested with.
resource "aws_s3_object" "constraints" {
  bucket      = aws_s3_bucket.package.id
  key         = "constraints.txt"
  source      = "${path.module}/../../constraints.txt"
  source_hash = filemd5("${path.module}/../../constraints.txt")
}

# ------------------------------------------------------------------------------------------------------------- roles

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
  name_prefix        = "${var.name}-"
  description        = "The instance: what the processor calls, its package, its log, and its own end"
  assume_role_policy = data.aws_iam_policy_document.instance_assume.json
}

resource "aws_iam_role_policy" "processor" {
  name   = "processor"
  role   = aws_iam_role.instance.id
  policy = module.shared.processor_policy
}

data "aws_iam_policy_document" "instance" {
  statement {
    sid       = "FetchThePackage"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.package.arn}/*"]
  }

  statement {
    sid       = "ShipTheLog"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${module.shared.log_group_arn}:*"]
  }

  # Before its last shutdown, or the group would replace it for ever.
  statement {
    sid       = "WantNoInstanceAnyMore"
    actions   = ["autoscaling:SetDesiredCapacity"]
    resources = [local.group_arn]
  }
}

resource "aws_iam_role_policy" "instance" {
  name   = "instance"
  role   = aws_iam_role.instance.id
  policy = data.aws_iam_policy_document.instance.json
}

resource "aws_iam_instance_profile" "instance" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.instance.name
}

# ------------------------------------------------------------------------------------------------------ the instance

data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0
  name  = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

resource "aws_launch_template" "this" {
  name_prefix                          = "${var.name}-"
  image_id                             = coalesce(var.ami_id, try(nonsensitive(data.aws_ssm_parameter.ami[0].value), null))
  instance_type                        = var.instance_type
  instance_initiated_shutdown_behavior = "terminate"
  update_default_version               = true

  user_data = base64encode(templatefile("${path.module}/user_data.sh.tftpl", {
    package        = "s3://${aws_s3_bucket.package.id}"
    wheel          = aws_s3_object.wheel.key
    environment    = module.job.environment
    log_group      = module.shared.log_group_name
    region         = var.region
    group          = var.name
    max_restarts   = var.max_restarts
    restart_wait_s = var.restart_wait_s
  }))

  instance_market_options {
    market_type = "spot"

    spot_options {
      instance_interruption_behavior = "terminate"
      spot_instance_type             = "one-time"
    }
  }

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance.arn
  }

  vpc_security_group_ids = [module.network.processor_security_group_id]

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted             = true
      delete_on_termination = true
      volume_size           = 16
      volume_type           = "gp3"
    }
  }
}

resource "aws_autoscaling_group" "this" {
  name                      = var.name
  min_size                  = 0
  max_size                  = 1
  desired_capacity          = 1
  vpc_zone_identifier       = module.network.private_subnet_ids
  enabled_metrics           = ["GroupInServiceInstances"] # tells the alarm whether anything runs
  wait_for_capacity_timeout = "0"                         # Spot may take its time

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [desired_capacity] # the instance sets it to 0 when it is done, you set it to 1 to start again
  }

  depends_on = [aws_iam_role_policy.instance, aws_iam_role_policy.processor]
}
