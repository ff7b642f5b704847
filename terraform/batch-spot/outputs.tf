output "repository_url" {
  description = "Where the image is pushed."
  value       = module.shared.repository_url
}

output "checkpoint_table" {
  description = "The checkpoint table."
  value       = module.shared.table_name
}

output "log_group" {
  description = "The log of every run."
  value       = module.shared.log_group_name
}

output "job_queue" {
  description = "The job queue."
  value       = aws_batch_job_queue.this.name
}

output "job_definition_arn" {
  description = "The job definition."
  value       = aws_batch_job_definition.this.arn
}

output "alarm_topic_arn" {
  description = "Alarms are published here."
  value       = module.monitoring.topic_arn
}

output "msk_security_group_id" {
  description = "Of brokers: takes connections of the processor."
  value       = module.network.msk_security_group_id
}

output "start_command" {
  description = "Submits the job."
  value       = "aws batch submit-job --region ${var.region} --job-name ${var.name} --job-queue ${aws_batch_job_queue.this.name} --job-definition ${aws_batch_job_definition.this.arn}"
}
