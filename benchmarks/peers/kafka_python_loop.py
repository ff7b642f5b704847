"""kafka-python and nothing else: a loop that sends the lines of a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kafka import KafkaProducer


def main(bootstrap_servers: str, topic: str, path: str, transaction_rows: str, settings: str) -> None:
    """Send every line; `settings` are the client's own, as a JSON object."""
    every = int(transaction_rows)
    named = {"transactional_id": topic} if every else {}
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, **named, **json.loads(settings))
    if every:
        producer.init_transactions()
        producer.begin_transaction()
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            producer.send(topic, line.rstrip(b"\n"), partition=0)
            if every and number % every == 0:
                producer.commit_transaction()
                producer.begin_transaction()
    if every:
        producer.commit_transaction()
    producer.flush()
    producer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
