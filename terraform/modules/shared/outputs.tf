output "table_name" {
  description = "The checkpoint table."
  value       = aws_dynamodb_table.checkpoints.name
}

output "log_group_name" {
  description = "The log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "ARN of the log group, without `:*`."
  value       = aws_cloudwatch_log_group.this.arn
}

output "repository_url" {
  description = "Where the image is pushed; null without a repository."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "repository_arn" {
  description = "ARN of the repository; null without one."
  value       = one(aws_ecr_repository.this[*].arn)
}

output "processor_policy" {
  description = "What the processor calls, and nothing else, as an IAM policy."
  value       = data.aws_iam_policy_document.processor.json
}

output "log_retention_days" {
  description = "Days that log lines are kept."
  value       = aws_cloudwatch_log_group.this.retention_in_days
}
