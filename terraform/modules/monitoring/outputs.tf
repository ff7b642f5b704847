output "topic_arn" {
  description = "Alarms are published here."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_name" {
  description = "The dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "namespace" {
  description = "Of the metrics that are made from the log."
  value       = local.namespace
}
