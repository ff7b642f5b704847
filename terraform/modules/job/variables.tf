variable "csv_source" {
  description = "The CSV object, `s3://bucket/key`."
  type        = string
  nullable    = false
}

variable "kafka_topic" {
  description = "The topic; it must exist."
  type        = string
  nullable    = false
}

variable "kafka_partition" {
  description = "The partition; this job must be its only writer."
  type        = number
  default     = 0
  nullable    = false
}

variable "kafka_bootstrap_servers" {
  description = "`host:port`, or several with commas."
  type        = string
  nullable    = false
}

variable "kafka_client" {
  description = "`confluent` is several times faster; `kafka-python` is the processor's own default."
  type        = string
  default     = "confluent"
  nullable    = false
}

variable "checkpoint_table" {
  description = "The DynamoDB table."
  type        = string
  nullable    = false
}

variable "job_id" {
  description = "Names the job, its group and its transactional.id; without one, the processor derives it."
  type        = string
  default     = null
}

variable "settings" {
  description = "Further settings of the processor by their environment variable, as { KAFKA_COMPRESSION = \"lz4\" }."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "region" {
  description = "Of S3 and DynamoDB: only Fargate tells a container where it is."
  type        = string
  nullable    = false
}
