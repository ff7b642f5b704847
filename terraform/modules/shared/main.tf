# What all three ways have in common: the checkpoint table, the log group, the image's repository, and what the
# processor is allowed to do.

data "aws_partition" "here" {}

# ------------------------------------------------------------------------------------------------------ the checkpoint

resource "aws_dynamodb_table" "checkpoints" {
  name                        = "${var.name}-checkpoints"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "job_id"
  deletion_protection_enabled = var.protect

  attribute {
    name = "job_id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# ------------------------------------------------------------------------------------------------------------- the log

resource "aws_cloudwatch_log_group" "this" {
  name              = var.log_group_name
  retention_in_days = var.log_retention_days
}

# ----------------------------------------------------------------------------------------------------------- the image

resource "aws_ecr_repository" "this" {
  count = var.with_repository ? 1 : 0

  name                 = var.name
  image_tag_mutability = "IMMUTABLE" # what ran last month can be run again
  force_delete         = !var.protect

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  count = var.with_repository ? 1 : 0

  repository = aws_ecr_repository.this[0].name
  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Images without a tag go after a week"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The last ten stay"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 10 }
        action       = { type = "expire" }
      },
    ]
  })
}

# ----------------------------------------------------------------------------------------- what the processor may do

locals {
  bucket_arn = "arn:${data.aws_partition.here.partition}:s3:::${var.bucket}"
  msk        = var.msk_cluster_arn == null ? null : regex("^(?P<before>arn:[^:]+:kafka:[^:]+:[0-9]+):cluster/(?P<name>[^/]+)/(?P<id>[^/]+)$", var.msk_cluster_arn)
}

data "aws_iam_policy_document" "processor" {
  statement {
    sid       = "ReadTheObject"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/${var.key_pattern}"]
  }

  statement {
    sid       = "TellMissingFromForbidden"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [endswith(var.key_pattern, "*") ? var.key_pattern : "${var.key_pattern}*"]
    }
  }

  statement {
    sid       = "KeepTheCheckpoint"
    actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.checkpoints.arn]
  }

  dynamic "statement" {
    for_each = length(var.secret_arns) == 0 ? [] : [var.secret_arns]

    content {
      sid       = "ReadItsSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = local.msk == null ? [] : [local.msk]

    content {
      sid       = "ReachTheCluster"
      actions   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:WriteDataIdempotently"]
      resources = [var.msk_cluster_arn]
    }
  }

  dynamic "statement" {
    for_each = local.msk == null ? [] : [local.msk]

    content {
      sid = "WriteTheTopic"
      actions = [
        "kafka-cluster:DescribeTopic",
        "kafka-cluster:DescribeTopicDynamicConfiguration",
        "kafka-cluster:WriteData",
        "kafka-cluster:ReadData", # a resume looks for the last committed record
      ]
      resources = ["${statement.value.before}:topic/${statement.value.name}/${statement.value.id}/${var.kafka_topic}"]
    }
  }

  dynamic "statement" {
    for_each = local.msk == null || var.dead_letter_topic == null ? [] : [local.msk]

    content {
      sid       = "WriteBadRows"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:WriteData"]
      resources = ["${statement.value.before}:topic/${statement.value.name}/${statement.value.id}/${var.dead_letter_topic}"]
    }
  }

  dynamic "statement" {
    for_each = local.msk == null ? [] : [local.msk]

    content {
      sid       = "KeepThePosition"
      actions   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
      resources = ["${statement.value.before}:group/${statement.value.name}/${statement.value.id}/${var.kafka_name}"]
    }
  }

  dynamic "statement" {
    for_each = local.msk == null ? [] : [local.msk]

    content {
      sid       = "UseTheTransactionalId"
      actions   = ["kafka-cluster:AlterTransactionalId", "kafka-cluster:DescribeTransactionalId"]
      resources = ["${statement.value.before}:transactional-id/${statement.value.name}/${statement.value.id}/${var.kafka_name}"]
    }
  }
}
