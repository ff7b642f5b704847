output "cluster_arn" {
  description = "ARN of the cluster, for `msk_cluster_arn`."
  value       = aws_msk_cluster.this.arn
}

output "bootstrap_servers" {
  description = "For `kafka_bootstrap_servers`."
  value = {
    none  = aws_msk_cluster.this.bootstrap_brokers
    scram = aws_msk_cluster.this.bootstrap_brokers_sasl_scram
    iam   = aws_msk_cluster.this.bootstrap_brokers_sasl_iam
  }[var.authentication]
}

output "security_group_id" {
  description = "Of the brokers, for `msk_security_group_id`."
  value       = aws_security_group.brokers.id
}
