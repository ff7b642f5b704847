# Planned and applied with a provider that only pretends: the emulator cannot make a cluster.

mock_provider "aws" {
  source = "../mocks"
}

variables {
  region             = "eu-central-1"
  private_subnet_ids = ["subnet-1", "subnet-2", "subnet-3"]
  vpc_id             = "vpc-1"
}

run "cluster_keeps_what_it_acknowledged" {
  command = apply

  assert {
    condition = alltrue([
      for line in ["default.replication.factor=3", "min.insync.replicas=2", "unclean.leader.election.enable=false", "transaction.state.log.min.isr=2"] :
      strcontains(aws_msk_configuration.this.server_properties, line)
    ])
    error_message = "The promise wants replication 3, min.insync.replicas 2 and no unclean election."
  }

  assert {
    condition     = aws_msk_cluster.this.number_of_broker_nodes == 3 && aws_msk_cluster.this.configuration_info[0].revision == 1
    error_message = "One broker in each of three zones, with this configuration."
  }
}

run "authentication_closes_the_plaintext_port" {
  command = apply

  variables {
    authentication = "iam"
  }

  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS" && !aws_msk_cluster.this.client_authentication[0].unauthenticated
    error_message = "With authentication nobody may come in without."
  }
}

run "refuses_two_subnets" {
  command = plan

  variables {
    private_subnet_ids = ["subnet-1", "subnet-2"]
  }

  expect_failures = [var.private_subnet_ids]
}

run "refuses_a_network_that_is_none" {
  command = plan

  variables {
    vpc_id = "default"
  }

  expect_failures = [var.vpc_id]
}

run "refuses_a_kafka_that_does_not_verify_transactions" {
  command = plan

  variables {
    kafka_version = "3.5.1"
  }

  expect_failures = [var.kafka_version]
}

run "refuses_a_broker_type_that_is_none" {
  command = plan

  variables {
    broker_type = "m7g.large"
  }

  expect_failures = [var.broker_type]
}

run "refuses_no_storage" {
  command = plan

  variables {
    volume_gib = 0
  }

  expect_failures = [var.volume_gib]
}

run "refuses_an_unknown_authentication" {
  command = plan

  variables {
    authentication = "mtls"
  }

  expect_failures = [var.authentication]
}

run "refuses_a_short_memory_for_positions" {
  command = plan

  variables {
    offsets_retention_days = 1
  }

  expect_failures = [var.offsets_retention_days]
}

run "refuses_a_region_that_is_none" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_a_name_in_capitals" {
  command = plan

  variables {
    name = "CSV"
  }

  expect_failures = [var.name]
}
