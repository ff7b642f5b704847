output "checkpoint_table" {
  description = "The checkpoint table."
  value       = module.shared.table_name
}

output "log_group" {
  description = "The log of every run, a stream for each instance."
  value       = module.shared.log_group_name
}

output "autoscaling_group" {
  description = "The group of one; it wants no instance once the job is done."
  value       = aws_autoscaling_group.this.name
}

output "launch_template_id" {
  description = "The launch template."
  value       = aws_launch_template.this.id
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
  description = "Starts another run, after the first one that `terraform apply` starts."
  value       = "aws autoscaling set-desired-capacity --region ${var.region} --auto-scaling-group-name ${aws_autoscaling_group.this.name} --desired-capacity 1"
}
