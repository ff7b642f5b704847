output "vpc_id" {
  description = "The VPC, new or not."
  value       = local.vpc_id
}

output "private_subnet_ids" {
  description = "Where the processor runs."
  value       = local.subnets

  # Whoever starts there needs the way out.
  depends_on = [aws_route.to_the_nat, aws_route_table_association.private, aws_vpc_endpoint.gateway]
}

output "processor_security_group_id" {
  description = "Of the processor: nothing comes in."
  value       = aws_security_group.processor.id
}

output "msk_security_group_id" {
  description = "For brokers: takes connections of the processor."
  value       = local.msk_group
}

output "made_subnets" {
  description = "Number of subnets that were made; 0 in a network that is there."
  value       = length(aws_subnet.private) + length(aws_subnet.public)
}

output "kafka_rules" {
  description = "The group of brokers that takes connections of the processor, by port."
  value       = { for port, rule in aws_vpc_security_group_ingress_rule.msk : port => rule.security_group_id }
}
