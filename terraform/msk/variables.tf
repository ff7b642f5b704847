variable "region" {
  description = "Where the cluster is made."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "It must be a region, as eu-central-1."
  }
}

variable "name" {
  description = "Name of the cluster."
  type        = string
  default     = "csv-to-kafka"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,31}$", var.name))
    error_message = "It must begin with a letter and hold lower-case letters, digits and '-', 3 to 32 of them."
  }
}

variable "private_subnet_ids" {
  description = "Three subnets, each in a zone of its own; one broker in each."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) == 3 && alltrue([for id in var.private_subnet_ids : startswith(id, "subnet-")])
    error_message = "Give three subnets: with two brokers, replication 3 cannot be had."
  }
}

variable "vpc_id" {
  description = "Network of the subnets."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "It must begin with vpc-."
  }
}

variable "kafka_version" {
  description = "Version of Kafka; from 3.6 on, brokers verify transactions."
  type        = string
  default     = "3.9.x"
  nullable    = false

  validation {
    condition     = can(regex("^(3[.]([6-9]|[1-9][0-9])|4)[.]", var.kafka_version))
    error_message = "It must be 3.6 or later."
  }
}

variable "broker_type" {
  description = "Instance type of the brokers."
  type        = string
  default     = "kafka.m7g.large"
  nullable    = false

  validation {
    condition     = can(regex("^(kafka|express)[.][a-z0-9]+[.][a-z0-9]+$", var.broker_type))
    error_message = "It must be a broker type, as kafka.m7g.large."
  }
}

variable "volume_gib" {
  description = "Storage of each broker."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = var.volume_gib >= 1 && var.volume_gib <= 16384
    error_message = "It must be 1 to 16384."
  }
}

variable "authentication" {
  description = "`none` in a closed network, `scram` or `iam`."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "scram", "iam"], var.authentication)
    error_message = "It must be none, scram or iam."
  }
}

variable "offsets_retention_days" {
  description = "How long a job that nobody resumes keeps its position."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.offsets_retention_days >= 7
    error_message = "It must be 7 or more."
  }
}
