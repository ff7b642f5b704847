"""What lies in the log of a FakePartition."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Marker(StrEnum):
    """How a transaction was decided."""

    COMMIT = "commit"
    ABORT = "abort"


class Content(NamedTuple):
    """What a producer writes as one record. Without a timestamp it is the moment of the append."""

    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None


class Entry(NamedTuple):
    """One offset of the log: a record, or the marker that ends a transaction."""

    offset: int
    producer_id: int
    producer_epoch: int
    transactional: bool
    content: Content
    marker: Marker | None = None

    @property
    def value(self) -> bytes:
        """The record's value."""
        return self.content.value
