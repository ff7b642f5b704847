"""What most of us write first: read the CSV, send a row, note every hundredth row in DynamoDB, start there again."""

import csv
import io
import json
import os

import boto3
from kafka import KafkaProducer

bucket, _, key = os.environ["CSV_SOURCE"].removeprefix("s3://").partition("/")
notes = boto3.resource("dynamodb").Table(os.environ["CHECKPOINT_TABLE"])
noted = notes.get_item(Key={"job_id": "naive-" + os.environ["JOB_ID"]}).get("Item", {"rows": 0})
text = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8-sig")
producer = KafkaProducer(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"])
for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), start=1):
    if number <= noted["rows"]:
        continue
    value = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    producer.send(os.environ["KAFKA_TOPIC"], value, partition=int(os.environ["KAFKA_PARTITION"])).get(timeout=10)
    if number % 100 == 0:
        notes.put_item(Item={"job_id": "naive-" + os.environ["JOB_ID"], "rows": number})
producer.close()
