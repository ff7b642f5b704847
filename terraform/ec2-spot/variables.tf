# ------------------------------------------------------------------------------------------------------------ the job

variable "csv_source" {
  description = "The CSV object, `s3://bucket/key`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", var.csv_source))
    error_message = "It must be s3://bucket/key."
  }
}

variable "kafka_topic" {
  description = "The topic; it must exist."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,200}$", var.kafka_topic))
    error_message = "A topic's name holds letters, digits, '.', '_' and '-', 200 at most."
  }
}

variable "kafka_partition" {
  description = "The partition; this job must be its only writer."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.kafka_partition >= 0 && floor(var.kafka_partition) == var.kafka_partition
    error_message = "It must be a whole number, 0 or more."
  }
}

variable "kafka_bootstrap_servers" {
  description = "`host:port`, or several with commas."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^:, ]+:[0-9]{1,5}(,[^:, ]+:[0-9]{1,5})*$", var.kafka_bootstrap_servers))
    error_message = "It must be host:port, or several with commas."
  }
}

variable "kafka_client" {
  description = "`confluent` is several times faster; `kafka-python` is the processor's own default."
  type        = string
  default     = "confluent"
  nullable    = false

  validation {
    condition     = contains(["confluent", "kafka-python"], var.kafka_client)
    error_message = "It must be confluent or kafka-python."
  }
}

variable "job_id" {
  description = "Names the job, its group and its transactional.id; without one, the processor derives it."
  type        = string
  default     = null

  validation {
    condition     = var.job_id == null ? true : can(regex("^[A-Za-z0-9._-]{1,200}$", var.job_id))
    error_message = "It may hold letters, digits, '.', '_' and '-', 200 at most."
  }
}

variable "settings" {
  description = "Further settings of the processor by their environment variable, as `{ KAFKA_COMPRESSION = \"lz4\" }`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.settings), jsondecode(file("${path.module}/../modules/job/settings.json")))) == 0
    error_message = "The processor knows no setting ${join(", ", setsubtract(keys(var.settings), jsondecode(file("${path.module}/../modules/job/settings.json"))))}, or it has a variable of its own."
  }

  validation {
    condition     = lookup(var.settings, "LOG_LEVEL", "info") != "warning"
    error_message = "Metrics and alarms are made from the lines that LOG_LEVEL=warning leaves out."
  }

  validation {
    condition     = lookup(var.settings, "ON_BAD_ROW", "fail") != "dead-letter" || contains(keys(var.settings), "DEAD_LETTER_TOPIC")
    error_message = "ON_BAD_ROW=dead-letter needs DEAD_LETTER_TOPIC."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,200}$", lookup(var.settings, "DEAD_LETTER_TOPIC", "none")))
    error_message = "DEAD_LETTER_TOPIC is a topic's name: letters, digits, '.', '_' and '-', 200 at most."
  }

  validation {
    condition     = lookup(var.settings, "DEAD_LETTER_TOPIC", "") != var.kafka_topic
    error_message = "DEAD_LETTER_TOPIC must be another topic than that of the rows."
  }
}

variable "readable_keys" {
  description = "Pattern with * at its end for the keys that may be read; without one, the key of `csv_source` alone."
  type        = string
  default     = null

  validation {
    condition     = var.readable_keys == null ? true : can(regex("^[^*]+[*]$", var.readable_keys))
    error_message = "It must be a prefix with one * at its end, as incoming/*."
  }
}

# ------------------------------------------------------------------------------------------------------------ network

variable "existing_vpc" {
  description = "A network that is there, in the place of a new one: its id, and private subnets with a way out."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
  })
  default = null

  validation {
    condition     = var.existing_vpc == null ? true : startswith(var.existing_vpc.vpc_id, "vpc-") && length(var.existing_vpc.private_subnet_ids) > 0
    error_message = "Give a vpc_id that begins with vpc-, and one private subnet at least."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the new VPC."
  type        = string
  default     = "10.42.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, false)
    error_message = "It must be a CIDR block from /16 to /24, as 10.42.0.0/16."
  }
}

variable "kafka_ports" {
  description = "Ports of the brokers that the processor may reach: 9092 plaintext, 9094 TLS, 9096 SCRAM, 9098 IAM."
  type        = set(number)
  default     = [9092, 9094]
  nullable    = false

  validation {
    condition     = length(var.kafka_ports) > 0 && length(setsubtract(var.kafka_ports, [9092, 9094, 9096, 9098])) == 0
    error_message = "Ports are some of 9092, 9094, 9096 and 9098."
  }
}

variable "msk_security_group_id" {
  description = "Group of brokers that are there, as of the root `msk`; it is told to take connections of the processor."
  type        = string
  default     = null

  validation {
    condition     = var.msk_security_group_id == null ? true : startswith(var.msk_security_group_id, "sg-")
    error_message = "It must begin with sg-."
  }
}

variable "msk_cluster_arn" {
  description = "MSK cluster with IAM authentication on which the processor is given rights."
  type        = string
  default     = null

  validation {
    condition     = var.msk_cluster_arn == null ? true : can(regex("^arn:[^:]+:kafka:[^:]+:[0-9]{12}:cluster/[^/]+/[^/]+$", var.msk_cluster_arn))
    error_message = "It must be the ARN of an MSK cluster."
  }
}

# --------------------------------------------------------------------------------------------------- names, log, alarms

variable "region" {
  description = "Where everything is made."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "It must be a region, as eu-central-1."
  }
}

variable "name" {
  description = "Goes before the name of everything that is made here."
  type        = string
  default     = "csv-to-kafka"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,31}$", var.name))
    error_message = "It must begin with a letter and hold lower-case letters, digits and '-', 3 to 32 of them."
  }
}

variable "log_retention_days" {
  description = "Days that log lines are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 days and some more; for ever is not one of them."
  }
}

variable "alarm_emails" {
  description = "Addresses that alarms go to; each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Each must be an e-mail address."
  }
}

variable "stalled_minutes" {
  description = "Alarm when a run has committed no row for so many minutes."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.stalled_minutes >= 2 && var.stalled_minutes <= 60 && floor(var.stalled_minutes) == var.stalled_minutes
    error_message = "It must be 2 to 60: a run may wait for more than a minute between two attempts."
  }
}

variable "protect" {
  description = "Refuse to delete the checkpoint table, and the image repository while it holds images."
  type        = bool
  default     = true
  nullable    = false
}

# -------------------------------------------------------------------------------------------------------- the machine

variable "wheel_path" {
  description = "The processor as a wheel, made by `pip wheel --no-deps --wheel-dir dist .` at the top of the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("csv_to_kafka-[^/]+[.]whl$", var.wheel_path)) && fileexists(var.wheel_path)
    error_message = "It must be the path of a csv_to_kafka-*.whl that is there."
  }
}

variable "instance_type" {
  description = "Instance type, of x86_64."
  type        = string
  default     = "t3.medium"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[.][a-z0-9]+$", var.instance_type))
    error_message = "It must be an instance type, as t3.medium."
  }
}

variable "ami_id" {
  description = "An image with dnf and Python 3.11 in its repositories; without one, the newest Amazon Linux 2023."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null ? true : startswith(var.ami_id, "ami-")
    error_message = "It must begin with ami-."
  }
}

variable "max_restarts" {
  description = "How often an instance starts the processor again after an end that a restart mends."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.max_restarts >= 0 && var.max_restarts <= 1000 && floor(var.max_restarts) == var.max_restarts
    error_message = "It must be 0 to 1000."
  }
}

variable "restart_wait_s" {
  description = "Seconds between the end of the processor and its next start."
  type        = number
  default     = 15
  nullable    = false

  validation {
    condition     = var.restart_wait_s >= 1 && var.restart_wait_s <= 3600
    error_message = "It must be 1 to 3600."
  }
}
