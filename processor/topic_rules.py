"""What a topic must be like before anything is sent to it; pure, the same for both clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import add

from processor.errors import NeedsPerson, PlaceMissing, RecordTooLarge
from processor.model import Batch, SinkSettings
from processor.record_parts import Headers

RECORD_OVERHEAD_BYTES = 128  # headers of one record and its batch, without the bytes of key and headers, rounded up


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the cluster says of the topic; without `partitions` there is no such topic."""

    cluster_id: str
    topic_id: str
    partitions: frozenset[int]
    cleanup_policy: str
    max_message_bytes: int
    timestamp_type: str = "CreateTime"
    may_write: bool = True


def require_topic(facts: TopicFacts, settings: SinkSettings) -> None:
    """Raise PlaceMissing or NeedsPerson unless rows can be kept there."""
    if not facts.partitions:
        raise PlaceMissing(
            f"there is no topic {settings.topic!r} on {settings.bootstrap_servers}",
            hint="create it first, or check --topic and --bootstrap-servers",
        )
    if settings.partition not in facts.partitions:
        raise PlaceMissing(
            f"topic {settings.topic!r} has {len(facts.partitions)} partitions, there is no {settings.partition}",
            hint="check --partition; they count from 0",
        )
    if "compact" in facts.cleanup_policy:
        raise NeedsPerson(
            f"topic {settings.topic!r} has cleanup.policy={facts.cleanup_policy}, compaction removes rows",
            hint="use a topic with cleanup.policy=delete",
        )
    if settings.parts.timestamp and facts.timestamp_type != "CreateTime":
        raise NeedsPerson(
            f"topic {settings.topic!r} has message.timestamp.type={facts.timestamp_type}, it keeps no other timestamps",
            hint="set it to CreateTime, or leave --timestamp out",
        )


def refuse_large(batch: Batch, max_message_bytes: int, topic: str) -> None:
    """Raise RecordTooLarge, naming the row, where a record is over the topic's limit."""
    limit = max_message_bytes - RECORD_OVERHEAD_BYTES
    if max(_sizes(batch), default=0) <= limit:
        return
    i, size = next((i, size) for i, size in enumerate(_sizes(batch)) if size > limit)
    raise RecordTooLarge(
        f"row {batch.good_rows[i]} makes a record of {size} bytes, topic {topic!r} takes {limit}",
        hint="raise the topic's max.message.bytes; nothing of this batch was sent",
    )


def invalid_timestamp(topic: str, said: object) -> NeedsPerson:
    """Return the error for a timestamp that the broker refuses."""
    return NeedsPerson(
        f"topic {topic!r} refuses a record's timestamp: {said}",
        hint="see the topic's message.timestamp.before.max.ms and after.max.ms, and the column of --timestamp",
    )


def _sizes(batch: Batch) -> Iterator[int]:
    """Yield the bytes of each record, but for a constant."""
    sizes: Iterator[int] = map(len, batch.values)
    if batch.keys is not None:
        sizes = map(add, sizes, map(len, batch.keys))
    if batch.headers is not None:
        sizes = map(add, sizes, map(_bytes_of, batch.headers))
    return sizes


def _bytes_of(headers: Headers) -> int:
    return sum(len(name.encode()) + len(text) for name, text in headers)
