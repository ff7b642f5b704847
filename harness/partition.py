"""Reads what the world sees of one partition: records, offsets, the group's offset; the judge's eyes.

Always to an end offset fetched at the beginning, never to a count: offsets have gaps, because each commit or abort
takes one. By either client, so that a partition can be read by another one than wrote it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from harness.consumers import (
    Isolation,
    Record,
    Span,
    admin_client,
    confluent_consumer,
    group_reader,
    read_confluent,
    read_kafka_python,
    record_of,
)
from harness.wait import TimedOut, until
from processor.model import PartitionBounds

__all__ = ["Client", "Isolation", "LiveReader", "Reading", "Record", "Seen"]
__all__ += ["create_topic", "group_offset", "offsets", "read"]

Client = Literal["kafka-python", "confluent"]
T = TypeVar("T")


class Reading(list[Record]):
    """The records in offset order, and the partition's offsets when the reading began.

    Complete up to `bounds.stable` (read_committed) or `bounds.end` (read_uncommitted), and nothing after it. When
    `bounds.stable < bounds.end`, a transaction was open, and committed records may lie behind it unseen.
    """

    def __init__(self, records: Iterable[Record], bounds: PartitionBounds) -> None:
        super().__init__(records)
        self.bounds = bounds


@dataclass(frozen=True, slots=True)
class Seen:
    """A record at the moment at which a live reader got it."""

    monotonic_s: float
    record: Record

    @property
    def offset(self) -> int:
        """The record's offset."""
        return self.record.offset

    @property
    def value(self) -> bytes | None:
        """The record's value."""
        return self.record.value


def read(
    bootstrap_servers: str,
    topic: str,
    partition: int = 0,
    *,
    isolation: Isolation,
    client: Client = "confluent",
    start_offset: int | None = None,
    within_s: float = 30.0,
) -> Reading:
    """Return the records from `start_offset` (the first kept, if None) to the end as of this call.

    Behind an open transaction a committed read returns what is visible. Never returns a part: raises TimedOut, and
    ValueError when `start_offset` is no longer kept.
    """
    deadline_s = time.monotonic() + within_s
    bounds = offsets(bootstrap_servers, topic, partition, within_s=within_s)
    start = bounds.start if start_offset is None else start_offset
    end = bounds.stable if isolation == "read_committed" else bounds.end
    if start < bounds.start:
        raise ValueError(f"offset {start} of {topic}-{partition} is gone: the first one kept is {bounds.start}")
    if start >= end:
        return Reading([], bounds)
    reader = read_confluent if client == "confluent" else read_kafka_python
    span = Span(topic, partition, start=start, end=end, isolation=isolation, deadline_s=deadline_s)
    return Reading(reader(bootstrap_servers, span), bounds)


def offsets(bootstrap_servers: str, topic: str, partition: int = 0, *, within_s: float = 30.0) -> PartitionBounds:
    """Return the first offset kept, the last stable offset and the end. Raises TimedOut with the last error."""
    place = TopicPartition(topic, partition)

    def ask(admin: AdminClient, spec: Any, level: IsolationLevel) -> int:  # OffsetSpec's members are untyped
        asked = admin.list_offsets({place: spec}, isolation_level=level, request_timeout=2.0)
        offset = int(asked[place].result().offset)
        if offset < 0:  # how librdkafka says, without an error, that the leader did not answer in time
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        return offset

    def answer() -> PartitionBounds:
        admin = admin_client(bootstrap_servers)  # a new one each time: one that knows a fallen leader keeps to it
        # In this order, each is at most the next, however much is written meanwhile.
        start = ask(admin, OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED)
        stable = ask(admin, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
        end = ask(admin, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)
        return PartitionBounds(start=start, stable=stable, end=end)

    return _persist(answer, within_s=within_s, what=f"the offsets of {topic}-{partition}")


def group_offset(
    bootstrap_servers: str, group: str, topic: str, partition: int = 0, *, within_s: float = 30.0
) -> tuple[int, str] | None:
    """Return the group's committed offset and its metadata, None if there is none.

    An offset in a transaction that is still open is not counted. Raises TimedOut.
    """

    def answer() -> TopicPartition:
        # Not by the admin client: librdkafka's crashes when a coordinator says that it is none any more.
        with closing(group_reader(bootstrap_servers, group)) as member:
            (told,) = member.committed([TopicPartition(topic, partition)], timeout=2.0)
        if told.error is not None:
            raise KafkaException(told.error)
        return told

    found = _persist(answer, within_s=within_s, what=f"the offset of group {group}")
    return None if found.offset < 0 else (found.offset, found.metadata or "")


def create_topic(
    bootstrap_servers: str,
    topic: str,
    *,
    partitions: int = 1,
    configs: Mapping[str, str] | None = None,
    within_s: float = 30.0,
) -> None:
    """Create a topic with as many replicas as is the broker's default; return once every partition has a leader.

    Raises KafkaException, TimedOut.
    """
    admin = admin_client(bootstrap_servers)
    asked = admin.create_topics(
        [NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=dict(configs or {}))],
        operation_timeout=within_s,
        request_timeout=within_s,
    )
    asked[topic].result()

    def is_led() -> bool:
        found = admin.list_topics(topic, timeout=2).topics[topic]
        return len(found.partitions) == partitions and all(part.leader >= 0 for part in found.partitions.values())

    _persist(is_led, within_s=within_s, what=f"topic {topic} to have a leader")


class LiveReader:
    """Reads committed records in a thread while the faults happen, through every death of the broker.

    What it has seen is a prefix of what a reader sees: the end is read again when all is over. A context manager.
    """

    def __init__(self, bootstrap_servers: str, topic: str, partition: int = 0, *, start_offset: int = 0) -> None:
        """Begin to read at `start_offset`, at once."""
        self._consumer = confluent_consumer(
            bootstrap_servers, "read_committed", TopicPartition(topic, partition, start_offset)
        )
        self._seen: list[Seen] = []
        self._failure: KafkaError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"live reader of {topic}-{partition}", daemon=True)
        self._thread.start()

    def seen(self) -> list[Seen]:
        """Return what was seen so far."""
        return self._seen.copy()

    def is_alive(self) -> bool:
        """Tell whether it still reads; False after `stop`, and after its offset has gone."""
        return self._thread.is_alive()

    def stop(self) -> list[Seen]:
        """End the thread and return everything seen, in the order of arrival. May be called again.

        Raises KafkaException when the reader was told that its offset is gone: the log was cut under it.
        """
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            raise KafkaException(self._failure)
        return self.seen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(self._consumer):
            while not self._stopping.is_set() and self._failure is None:
                for message in self._consumer.consume(num_messages=1000, timeout=0.1):
                    self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._seen.append(Seen(time.monotonic(), record_of(message)))
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):  # noqa: SLF001
            self._failure = error
        # Everything else says that the broker is away just now, or that the end is reached.


def _persist(ask: Callable[[], T], *, within_s: float, what: str) -> T:
    """Ask again while Kafka answers with errors, as it does while a broker comes back.

    Raises TimedOut with the last error.
    """
    last = "no answer"

    def answer() -> T | None:
        nonlocal last
        try:
            return ask()
        except KafkaException as error:
            last = str(error)
            return None

    try:
        return until(answer, within_s=within_s, what=what)  # type: ignore[return-value]  # until returns no None
    except TimedOut as late:
        raise TimedOut(f"{late}: {last}") from None
