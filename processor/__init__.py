"""Moves the rows of one CSV object in S3 into one Kafka partition, in file order, each exactly once."""

__version__ = "0.1.0"
