# An MSK cluster as the promise wants it: replication 3, two replicas for each acknowledgement, no unclean election.
# For those who have no cluster. It lives in its own state, and longer than any job.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = var.name }
  }
}

resource "aws_msk_configuration" "this" {
  name           = var.name
  kafka_versions = [var.kafka_version]

  server_properties = join("\n", [
    "auto.create.topics.enable=false",
    "default.replication.factor=3",
    "min.insync.replicas=2",
    "unclean.leader.election.enable=false",
    "offsets.retention.minutes=${var.offsets_retention_days * 1440}",
    "transaction.state.log.replication.factor=3",
    "transaction.state.log.min.isr=2",
  ])

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "brokers" {
  name              = "/msk/${var.name}"
  retention_in_days = 30
}

# Nobody comes in until an option is told of this group: it adds the rules for its processor.
resource "aws_security_group" "brokers" {
  name_prefix = "${var.name}-msk-"
  description = "Brokers: from the processor, and from nowhere else"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "brokers" {
  security_group_id = aws_security_group.brokers.id
  description       = "Everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = length(var.private_subnet_ids)

  broker_node_group_info {
    instance_type   = var.broker_type
    client_subnets  = var.private_subnet_ids
    security_groups = [aws_security_group.brokers.id]

    storage_info {
      ebs_storage_info {
        volume_size = var.volume_gib
      }
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }

  client_authentication {
    unauthenticated = var.authentication == "none"

    sasl {
      iam   = var.authentication == "iam"
      scram = var.authentication == "scram"
    }
  }

  encryption_info {
    encryption_in_transit {
      client_broker = var.authentication == "none" ? "TLS_PLAINTEXT" : "TLS"
      in_cluster    = true
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.brokers.name
      }
    }
  }
}
