"""Bad rows as records of a topic of their own: what they hold, and what that topic must be like; pure.

The value is the row as it stands in the object, line end included; headers say where it stands and what is wrong.
"""

from __future__ import annotations

from processor.errors import AccessDenied, NeedsPerson, PlaceMissing
from processor.model import Fault, SinkSettings
from processor.topic_rules import TopicFacts

PARTITION = 0
KEPT_BYTES = 2**19  # of a longer row these come first, and the header `truncated_to` says that there were more
LEAST_MESSAGE_BYTES = 2**20  # a producer's requests are of this size, whichever topic they are for


def headers_of(fault: Fault, settings: SinkSettings) -> list[tuple[str, bytes]]:
    """Return row, byte range, reason and job; numbers in decimal."""
    said = {
        "row": fault.row,
        "byte_start": fault.byte_start,
        "byte_end": fault.byte_end,
        "reason": fault.reason,
        "job_id": settings.transactional_id.removeprefix("csv-to-kafka."),
    }
    if len(fault.raw) < fault.byte_end - fault.byte_start:
        said["truncated_to"] = len(fault.raw)
    return [(name, str(value).encode()) for name, value in said.items()]


def require_dead_letters(facts: TopicFacts, topic: str) -> None:
    """Raise PlaceMissing, NeedsPerson or AccessDenied unless bad rows can be written there."""
    if PARTITION not in facts.partitions:
        raise PlaceMissing(f"there is no topic {topic!r} for bad rows", hint="create it, or check --dead-letter-topic")
    if "compact" in facts.cleanup_policy:
        raise NeedsPerson(
            f"topic {topic!r} for bad rows has cleanup.policy={facts.cleanup_policy}, which takes no record of ours",
            hint="use a topic with cleanup.policy=delete",
        )
    if facts.max_message_bytes < LEAST_MESSAGE_BYTES:
        raise NeedsPerson(
            f"topic {topic!r} for bad rows takes {facts.max_message_bytes} bytes in a message",
            hint=f"raise its max.message.bytes to {LEAST_MESSAGE_BYTES} at least",
        )
    if not facts.may_write:
        raise AccessDenied(f"topic {topic!r} for bad rows may not be written", hint="allow Write on it")
