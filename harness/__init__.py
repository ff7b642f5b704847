"""Stages, watches and judges the processor: a real Kafka broker, S3 and DynamoDB on loopback, and the checker."""
