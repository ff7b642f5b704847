output "environment" {
  description = "Environment variables of a run, by name."
  value = merge(
    { AWS_REGION = var.region },
    { for name, value in local.set_here : name => value if value != null },
    var.settings,
  )
}

output "bucket" {
  description = "Bucket of the CSV object."
  value       = local.source.bucket
}

output "key" {
  description = "Key of the CSV object."
  value       = local.source.key
}

output "kafka_name" {
  description = "Name of the group and the transactional.id; ends with * where the processor derives the job id."
  value       = "csv-to-kafka.${coalesce(var.job_id, "*")}"
}
