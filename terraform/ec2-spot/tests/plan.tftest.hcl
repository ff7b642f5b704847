# Planned with a provider that only pretends: what is asked for, and what is refused before anything is asked for.

mock_provider "aws" {
  source = "../mocks"
}

variables {
  region                  = "eu-central-1"
  csv_source              = "s3://incoming/2026/rows.csv"
  kafka_topic             = "rows"
  kafka_bootstrap_servers = "b-1.example:9092,b-2.example:9092"
  wheel_path              = "tests/csv_to_kafka-0-py3-none-any.whl"
}

run "names_and_retention_are_as_documented" {
  command = plan

  variables {
    log_retention_days = 90
  }

  assert {
    condition     = output.log_group == "/ec2/csv-to-kafka" && output.checkpoint_table == "csv-to-kafka-checkpoints"
    error_message = "Names of log group and table are promised in the README."
  }

  assert {
    condition     = module.shared.log_retention_days == 90
    error_message = "The log must be kept for as long as was asked."
  }
}

run "existing_network_is_used_as_it_is" {
  command = plan

  variables {
    existing_vpc = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2"] }
  }

  assert {
    condition     = module.network.vpc_id == "vpc-1" && module.network.made_subnets == 0
    error_message = "Where a network is given, none is made."
  }
}

run "instance_is_spot_and_may_end_its_group" {
  command = apply

  assert {
    condition     = aws_launch_template.this.instance_market_options[0].market_type == "spot" && aws_launch_template.this.instance_initiated_shutdown_behavior == "terminate"
    error_message = "It is a Spot instance, and a shutdown ends it."
  }

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required"
    error_message = "Metadata must ask for a token."
  }

  assert {
    condition     = aws_autoscaling_group.this.min_size == 0 && aws_autoscaling_group.this.max_size == 1
    error_message = "One instance, or none once the job is done."
  }

  assert {
    condition     = length(base64decode(aws_launch_template.this.user_data)) < 16384
    error_message = "User data may have 16 KB."
  }
}

run "refuses_a_source_that_is_no_s3_url" {
  command = plan

  variables {
    csv_source = "https://incoming/rows.csv"
  }

  expect_failures = [var.csv_source]
}

run "refuses_a_source_without_a_key" {
  command = plan

  variables {
    csv_source = "s3://incoming/"
  }

  expect_failures = [var.csv_source]
}

run "refuses_a_topic_with_a_blank" {
  command = plan

  variables {
    kafka_topic = "my rows"
  }

  expect_failures = [var.kafka_topic]
}

run "refuses_a_negative_partition" {
  command = plan

  variables {
    kafka_partition = -1
  }

  expect_failures = [var.kafka_partition]
}

run "refuses_a_server_without_a_port" {
  command = plan

  variables {
    kafka_bootstrap_servers = "broker"
  }

  expect_failures = [var.kafka_bootstrap_servers]
}

run "refuses_an_unknown_client" {
  command = plan

  variables {
    kafka_client = "franz"
  }

  expect_failures = [var.kafka_client]
}

run "refuses_a_job_id_with_a_slash" {
  command = plan

  variables {
    job_id = "a/b"
  }

  expect_failures = [var.job_id]
}

run "refuses_a_misspelt_setting" {
  command = plan

  variables {
    settings = { CHECKPOINT_INTERVALL = "10" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_setting_with_a_variable_of_its_own" {
  command = plan

  variables {
    settings = { KAFKA_TOPIC = "rows" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_level_of_the_log_that_leaves_out_what_alarms_are_made_from" {
  command = plan

  variables {
    settings = { LOG_LEVEL = "warning" }
  }

  expect_failures = [var.settings]
}

run "bad_rows_may_have_a_topic_of_their_own" {
  command = plan

  variables {
    settings = { ON_BAD_ROW = "dead-letter", DEAD_LETTER_TOPIC = "rows.bad" }
  }

  assert {
    condition     = module.job.environment["ON_BAD_ROW"] == "dead-letter" && module.job.environment["DEAD_LETTER_TOPIC"] == "rows.bad"
    error_message = "The processor must be told both."
  }
}

run "refuses_bad_rows_without_a_topic_for_them" {
  command = plan

  variables {
    settings = { ON_BAD_ROW = "dead-letter" }
  }

  expect_failures = [var.settings]
}

run "refuses_bad_rows_in_the_topic_of_the_rows" {
  command = plan

  variables {
    settings = { ON_BAD_ROW = "dead-letter", DEAD_LETTER_TOPIC = "rows" }
  }

  expect_failures = [var.settings]
}

run "refuses_a_topic_of_bad_rows_that_stands_for_all_topics" {
  command = plan

  variables {
    settings = { ON_BAD_ROW = "dead-letter", DEAD_LETTER_TOPIC = "*" }
  }

  expect_failures = [var.settings]
}

run "refuses_readable_keys_without_an_end" {
  command = plan

  variables {
    readable_keys = "*"
  }

  expect_failures = [var.readable_keys]
}

run "refuses_a_vpc_without_subnets" {
  command = plan

  variables {
    existing_vpc = { vpc_id = "vpc-1", private_subnet_ids = [] }
  }

  expect_failures = [var.existing_vpc]
}

run "refuses_a_network_too_small" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/28"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_a_port_that_is_not_kafkas" {
  command = plan

  variables {
    kafka_ports = [22]
  }

  expect_failures = [var.kafka_ports]
}

run "brokers_that_are_there_are_told_to_take_connections" {
  command = apply

  variables {
    msk_security_group_id = "sg-1"
  }

  assert {
    condition     = output.msk_security_group_id == "sg-1" && module.network.kafka_rules == { "9092" = "sg-1", "9094" = "sg-1" }
    error_message = "The group of the brokers gets the rules, and none is made."
  }
}

run "refuses_a_group_that_is_none" {
  command = plan

  variables {
    msk_security_group_id = "default"
  }

  expect_failures = [var.msk_security_group_id]
}

run "refuses_a_cluster_that_is_no_arn" {
  command = plan

  variables {
    msk_cluster_arn = "my-cluster"
  }

  expect_failures = [var.msk_cluster_arn]
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

run "refuses_a_log_that_is_kept_for_ever" {
  command = plan

  variables {
    log_retention_days = 0
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_an_alarm_to_nobody" {
  command = plan

  variables {
    alarm_emails = ["operations"]
  }

  expect_failures = [var.alarm_emails]
}

run "refuses_an_alarm_that_is_too_hasty" {
  command = plan

  variables {
    stalled_minutes = 1
  }

  expect_failures = [var.stalled_minutes]
}

run "refuses_a_wheel_that_is_not_there" {
  command = plan

  variables {
    wheel_path = "dist/csv_to_kafka-9-py3-none-any.whl"
  }

  expect_failures = [var.wheel_path]
}

run "refuses_an_instance_type_that_is_none" {
  command = plan

  variables {
    instance_type = "large"
  }

  expect_failures = [var.instance_type]
}

run "refuses_an_image_that_is_none" {
  command = plan

  variables {
    ami_id = "amazon-linux"
  }

  expect_failures = [var.ami_id]
}

run "refuses_endless_restarts" {
  command = plan

  variables {
    max_restarts = -1
  }

  expect_failures = [var.max_restarts]
}

run "refuses_no_wait_before_a_restart" {
  command = plan

  variables {
    restart_wait_s = 0
  }

  expect_failures = [var.restart_wait_s]
}
