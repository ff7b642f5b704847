"""What a topic must be like before anything is sent to it; pure, the same for both clients."""

from __future__ import annotations

from dataclasses import dataclass

from processor.errors import NeedsPerson, PlaceMissing, RecordTooLarge
from processor.model import Batch, SinkSettings

RECORD_OVERHEAD_BYTES = 128  # headers of one record and its batch, without key and headers, rounded up


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the cluster says of the topic; without `partitions` there is no such topic."""

    cluster_id: str
    topic_id: str
    partitions: frozenset[int]
    cleanup_policy: str
    max_message_bytes: int
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


def refuse_large(batch: Batch, max_message_bytes: int, topic: str) -> None:
    """Raise RecordTooLarge, naming the row, where a record is over the topic's limit."""
    limit = max_message_bytes - RECORD_OVERHEAD_BYTES
    if not batch.values or max(map(len, batch.values)) <= limit:
        return
    i = next(i for i, value in enumerate(batch.values) if len(value) > limit)
    raise RecordTooLarge(
        f"row {batch.good_rows[i]} makes a record of {len(batch.values[i])} bytes, topic {topic!r} takes {limit}",
        hint="raise the topic's max.message.bytes; nothing of this batch was sent",
    )
