"""Reads the topic of bad rows as a committed reader does, headers too."""

from __future__ import annotations

import time
from contextlib import closing

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from harness.partition import offsets
from harness.wait import TimedOut

WITHIN_S = 30.0


def dead_letters(bootstrap_servers: str, topic: str) -> list[tuple[bytes, dict[str, bytes]]]:
    """Return value and headers of each record, to the last stable offset as of this call. Raises TimedOut."""
    if offsets(bootstrap_servers, topic).stable == 0:
        return []
    chosen = {"group.id": topic, "isolation.level": "read_committed", "enable.partition.eof": True}
    found: list[tuple[bytes, dict[str, bytes]]] = []
    with closing(Consumer({"bootstrap.servers": bootstrap_servers, **chosen})) as reader:
        reader.assign([TopicPartition(topic, 0, 0)])
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s:
            for message in reader.consume(1000, timeout=0.5):
                error = message.error()
                if error is None:
                    found.append((message.value() or b"", dict(message.headers() or [])))
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return found
                else:
                    raise KafkaException(error)
    raise TimedOut(f"{topic} was not read to its end within {WITHIN_S:g} s")
