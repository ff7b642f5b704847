"""What most of us write with confluent-kafka: read the CSV, make JSON, produce, commit each N rows.

A death leaves no trace of where to go on: its transactions hold rows, and no position.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from confluent_kafka import Producer


def main(bootstrap_servers: str, topic: str, path: str, transaction_rows: str) -> None:
    """Send every row of the file."""
    every = int(transaction_rows)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "transactional.id": topic,
            "compression.type": "lz4",
            "max.in.flight": 1,
            "linger.ms": 5,
            "queue.buffering.max.messages": every + 1,  # a whole transaction fits
        }
    )
    producer.init_transactions()
    producer.begin_transaction()
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            producer.produce(topic, json.dumps(row, ensure_ascii=False, separators=(",", ":")), partition=0)
            if number % every == 0:
                producer.commit_transaction()
                producer.begin_transaction()
    producer.commit_transaction()


if __name__ == "__main__":
    main(*sys.argv[1:])
