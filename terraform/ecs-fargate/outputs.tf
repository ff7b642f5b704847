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

output "cluster" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "task_definition_arn" {
  description = "The task definition."
  value       = aws_ecs_task_definition.this.arn
}

output "state_machine_arn" {
  description = "Starts the task, and again when that helps."
  value       = aws_sfn_state_machine.this.arn
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
  description = "Starts a run that is started again until it is done."
  value       = "aws stepfunctions start-execution --region ${var.region} --state-machine-arn ${aws_sfn_state_machine.this.arn}"
}

output "start_once_command" {
  description = "Starts the task once; nobody starts it again."
  value       = "aws ecs run-task --region ${var.region} --cluster ${aws_ecs_cluster.this.name} --task-definition ${aws_ecs_task_definition.this.arn} --capacity-provider-strategy capacityProvider=${var.use_spot ? "FARGATE_SPOT" : "FARGATE"} --network-configuration 'awsvpcConfiguration={subnets=[${join(",", module.network.private_subnet_ids)}],securityGroups=[${module.network.processor_security_group_id}],assignPublicIp=DISABLED}'"
}
