# The settings of a run as environment variables. The roots check the values, and `settings` against `settings.json`:
# the processor's own list less the variables below, written by `python terraform/generate.py`.

locals {
  source = regex("^s3://(?P<bucket>[^/]+)/(?P<key>.+)$", var.csv_source)

  set_here = {
    CSV_SOURCE              = var.csv_source
    KAFKA_TOPIC             = var.kafka_topic
    KAFKA_PARTITION         = tostring(var.kafka_partition)
    KAFKA_BOOTSTRAP_SERVERS = var.kafka_bootstrap_servers
    KAFKA_CLIENT            = var.kafka_client
    CHECKPOINT_TABLE        = var.checkpoint_table
    JOB_ID                  = var.job_id
  }
}
