"""The two clients as plain readers: assigned by hand, at an offset, to an offset, as no group's member."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from harness.wait import TimedOut

Isolation = Literal["read_committed", "read_uncommitted"]

_SILENT = logging.getLogger("harness.consumers.silent")  # librdkafka reports every broker that is down on stderr
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())
_CONNECTION = {
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 500,  # 10 s by default, long after a killed broker is back
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a consumer got it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets [start, end) of one partition, how to see them, and until when (on the monotonic clock)."""

    topic: str
    partition: int
    start: int
    end: int
    isolation: Isolation
    deadline_s: float

    def assert_time_left(self, client: str, reached: int) -> None:
        """Raise TimedOut, with the offset that was reached, once the deadline has passed."""
        if time.monotonic() > self.deadline_s:
            raise TimedOut(f"{client} was to read {self}, but only reached {reached} in time")


def read_confluent(bootstrap_servers: str, span: Span) -> Iterator[Record]:
    """Yield the records of the span, or raise TimedOut."""
    reached = span.start
    place = TopicPartition(span.topic, span.partition, span.start)
    with closing(confluent_consumer(bootstrap_servers, span.isolation, place)) as consumer:
        while reached < span.end:
            span.assert_time_left("confluent", reached)
            for message in consumer.consume(num_messages=10_000, timeout=0.05):
                error = message.error()
                if error is None:
                    reached = offset_of(message) + 1
                    if reached <= span.end:
                        yield record_of(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # a constant, for all its underscore
                    # Counts the commit markers too, which no message shows.
                    reached = max(reached, offset_of(message))


def read_kafka_python(bootstrap_servers: str, span: Span) -> Iterator[Record]:
    """Yield the records of the span, or raise TimedOut."""
    import kafka  # noqa: PLC0415  # takes its time, and only those pay who read with it

    place = kafka.TopicPartition(span.topic, span.partition)
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level=span.isolation,  # its default is read_uncommitted
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",  # an offset that is gone must be an error, not a jump
    )
    with closing(consumer):
        consumer.assign([place])
        consumer.seek(place, span.start)
        while consumer.position(place) < span.end:
            span.assert_time_left("kafka-python", consumer.position(place))
            for record in consumer.poll(timeout_ms=50, max_records=10_000).get(place, []):
                if record.offset < span.end:
                    headers = tuple(record.headers)
                    yield Record(record.offset, record.key, record.value, record.timestamp, headers)


def confluent_consumer(bootstrap_servers: str, isolation: Isolation, place: TopicPartition) -> Consumer:
    """Return a consumer that reads the place from its offset on, and reports each arrival at the end."""
    consumer = Consumer(
        {
            **_CONNECTION,
            "bootstrap.servers": bootstrap_servers,
            "group.id": "harness",  # librdkafka wants one; nothing is ever committed under it
            "enable.auto.commit": False,
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",  # an offset that is gone must be an error, not a jump
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 50,
        },
        logger=_SILENT,
    )
    consumer.assign([place])
    return consumer


def group_reader(bootstrap_servers: str, group: str) -> Consumer:
    """Return a consumer that can be asked for the group's offsets, and joins nothing."""
    return Consumer(
        {
            **_CONNECTION,
            "bootstrap.servers": bootstrap_servers,
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",  # else it waits while a transaction holds a newer offset
        },
        logger=_SILENT,
    )


def admin_client(bootstrap_servers: str) -> AdminClient:
    """Return an admin client; keep it in a variable until its futures are done, or they fail."""
    return AdminClient({**_CONNECTION, "bootstrap.servers": bootstrap_servers}, logger=_SILENT)


def record_of(message: Message) -> Record:
    """Return a message without an error as a record."""
    key, value, headers = _bytes(message.key()), _bytes(message.value()), tuple(message.headers() or ())
    return Record(offset_of(message), key, value, message.timestamp()[1], headers)


def offset_of(message: Message) -> int:
    """Return the offset; a message without one would be a bug of the client."""
    offset: int | None = message.offset()
    if offset is None:
        raise AssertionError("a message of a partition has an offset")
    return offset


def _bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
