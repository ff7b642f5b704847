variable "name" {
  description = "Goes before the name of everything that is made here."
  type        = string
  nullable    = false
}

variable "log_group_name" {
  description = "The log group that holds the processor's lines."
  type        = string
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses that alarms go to; each has to confirm once."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "error_rate_percent" {
  description = "Alarm when more than this percentage of batches had to be tried again, three minutes in a row."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.error_rate_percent > 0 && var.error_rate_percent < 100
    error_message = "It must be above 0 and below 100."
  }
}

variable "stalled_minutes" {
  description = "Alarm when a run has committed no row for so many minutes."
  type        = number
  default     = 5
  nullable    = false
}

variable "running_metric" {
  description = "Tells whether something runs; without one, the processor's own lines tell it."
  type = object({
    namespace  = string
    name       = string
    dimensions = map(string)
  })
  default = null
}

variable "failures_metric" {
  description = "Counts jobs that failed for good, where the service has such a metric."
  type = object({
    namespace  = string
    name       = string
    dimensions = map(string)
  })
  default = null
}
