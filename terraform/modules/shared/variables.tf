variable "name" {
  description = "Goes before the name of everything that is made here."
  type        = string
  nullable    = false
}

variable "log_group_name" {
  description = "Name of the log group."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that log lines are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "with_repository" {
  description = "Make an ECR repository for the image."
  type        = bool
  default     = true
  nullable    = false
}

variable "protect" {
  description = "Refuse to delete the checkpoint table, and the repository while it holds images."
  type        = bool
  default     = true
  nullable    = false
}

variable "bucket" {
  description = "Bucket of the CSV object."
  type        = string
  nullable    = false
}

variable "key_pattern" {
  description = "Key of the CSV object, or a pattern with * at its end for all objects that may be read."
  type        = string
  nullable    = false
}

variable "kafka_topic" {
  description = "The topic, for the IAM rights on MSK."
  type        = string
  nullable    = false
}

variable "dead_letter_topic" {
  description = "The topic of bad rows, for the IAM rights on MSK; null where bad rows go nowhere."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_topic == null ? true : can(regex("^[A-Za-z0-9._-]{1,200}$", var.dead_letter_topic))
    error_message = "A topic's name holds letters, digits, '.', '_' and '-', 200 at most; anything else would widen the right."
  }
}

variable "kafka_name" {
  description = "Name of group and transactional.id, for the IAM rights on MSK; may end with *."
  type        = string
  nullable    = false
}

variable "msk_cluster_arn" {
  description = "MSK cluster with IAM authentication on which the processor is given rights."
  type        = string
  default     = null
}

variable "secret_arns" {
  description = "Secrets in Secrets Manager that the processor may read; under a key of your own it needs kms:Decrypt too."
  type        = list(string)
  default     = []
  nullable    = false
}
