"""One run's `ports.Sink` on a FakePartition, in both deliveries; it dies with its process, the partition does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat, takewhile
from typing import TypeVar

from harness.fakes.entries import Content
from harness.fakes.faults import Faults
from harness.fakes.partition import DeadLetter, FakePartition, GroupOffset, Producer
from processor import group_offset
from processor.dead_letters import headers_of, require_dead_letters
from processor.errors import NeedsPerson, PlaceMissing, RecordTooLarge, SinkFailed
from processor.model import (
    Batch,
    CommittedPosition,
    Delivery,
    Destination,
    ForeignPosition,
    PartitionBounds,
    SinkSettings,
)

T = TypeVar("T")


class ContractBroken(AssertionError):
    """The caller used the sink as its contract forbids: a bug of the caller, never to be caught."""


class FakeSink:
    """A sink that keeps the contract and holds its caller to it."""

    def __init__(self, partition: FakePartition, settings: SinkSettings, *, faults: Faults | None = None) -> None:
        self._partition = partition
        self._settings = settings
        self._faults = faults or Faults()
        self._producer: Producer | None = None
        self._exactly_once = settings.delivery is Delivery.EXACTLY_ONCE

    # -- reading needs no fence ------------------------------------------------------------------------------------

    def describe(self) -> Destination:
        """Check that topic and partition exist and keep what is written."""
        return self._call("sink.describe", lambda _: self._described())

    def position(self) -> CommittedPosition | ForeignPosition | None:
        """Return the group offset, decoded."""
        return self._call("sink.position", lambda _: self._decoded())

    def bounds(self) -> PartitionBounds:
        """Return the partition's offsets now."""
        return self._call("sink.bounds", lambda _: self._partition.bounds())

    def records(self, start_offset: int, *, committed: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield the records' imprints as of this call; what retention has taken cannot be asked for."""
        if start_offset < self._partition.bounds().start:
            raise _failed(f"offset {start_offset} is out of range")
        return self._call("sink.records", lambda _: self._imprints(start_offset, committed=committed))

    def check(self, batch: Batch) -> None:
        """Refuse what `send` would refuse before it writes."""
        limit = self._partition.max_record_bytes
        if any(_size_bytes(content) > limit for content in _contents(batch)):
            raise RecordTooLarge(f"a record is larger than {limit} bytes", hint="raise max.message.bytes")

    # -- the life of a producer --------------------------------------------------------------------------------------

    def fence(self) -> None:
        """Make a new producer and, in exactly-once, shut out every earlier one."""
        self._producer = None
        transactional_id = self._settings.transactional_id if self._exactly_once else None
        timeout_ms = self._settings.transaction_timeout_ms
        self._producer = self._call(
            "sink.fence", lambda _: self._partition.init_producer(transactional_id, timeout_ms=timeout_ms)
        )

    def send(self, batch: Batch) -> int | None:
        """Append the batch's records; a fault's `done` counts records."""
        producer = self._take_producer("send")
        next_offset = self._call("sink.send", lambda done: self._append(producer, batch, records=done))
        self._producer = producer
        return next_offset

    def commit(self, committed: CommittedPosition) -> None:
        """Commit records and position; a fault's `done` counts the stages of FakePartition.commit."""
        producer = self._take_producer("commit")
        offsets = {self._settings.transactional_id: GroupOffset(*group_offset.encode(committed))}

        def effect(done: int | None) -> None:
            if self._exactly_once:
                self._partition.commit(producer, offsets, stages=done)

        self._call("sink.commit", effect)
        self._producer = producer

    def abort_lost(self) -> None:
        """Append a record and abort it; a crash at `done` records leaves it open."""
        producer = self._take_producer("abort_lost")

        def effect(done: int | None) -> None:
            self._partition.append(producer, [b""])
            if done is None:
                self._partition.abort(producer)

        self._call("sink.abort_lost", effect)

    def discard(self) -> None:
        """Forget the producer; an open transaction stays open. Only a Crash can come out of it."""
        self._producer = None
        try:
            self._faults.around("sink.discard", lambda _: None, failure=_failed)
        except SinkFailed:
            return  # the contract: never raising

    # -- inside ------------------------------------------------------------------------------------------------------

    def _call(self, name: str, effect: Callable[[int | None], T]) -> T:
        def reached(done: int | None) -> T:
            if not self._partition.reachable:
                raise _failed("the broker does not answer")
            return effect(done)

        return self._faults.around(name, reached, failure=_failed)

    def _take_producer(self, what: str) -> Producer:
        """Take the producer out for one call; only a call that succeeds puts it back."""
        producer, self._producer = self._producer, None
        if producer is None:
            raise ContractBroken(f"{what} without a fence since the start, the last error or a discard")
        return producer

    def _append(self, producer: Producer, batch: Batch, *, records: int | None) -> int | None:
        contents = _contents(batch)[:records]
        limit = self._partition.max_record_bytes
        fitting = list(takewhile(lambda content: _size_bytes(content) <= limit, contents))
        next_offset = self._partition.append(producer, fitting) if fitting else None
        if len(fitting) < len(contents):
            raise RecordTooLarge(f"a record is larger than {limit} bytes", hint="raise max.message.bytes")
        if self._settings.dead_letter_topic:
            letters = [DeadLetter(one.raw, tuple(headers_of(one, self._settings))) for one in batch.faults]
            self._partition.append_dead_letters(producer, letters[:records])
        return next_offset

    def _described(self) -> Destination:
        place = (self._partition.topic, self._partition.partition)
        if not self._partition.exists or place != (self._settings.topic, self._settings.partition):
            raise PlaceMissing(f"no {self._settings.topic}-{self._settings.partition}", hint="make the topic")
        if "compact" in self._partition.cleanup_policy:
            raise NeedsPerson(f"{self._settings.topic} is compacted", hint="use cleanup.policy=delete")
        if self._settings.parts.timestamp and self._partition.timestamp_type != "CreateTime":
            raise NeedsPerson(f"{self._settings.topic} keeps no timestamps of ours", hint="use CreateTime")
        if topic := self._settings.dead_letter_topic:
            facts = self._partition.bad_topic
            require_dead_letters(facts if topic == "bad" else replace(facts, partitions=frozenset()), topic)
        return self._partition.destination

    def _imprints(self, start_offset: int, *, committed: bool) -> Iterator[tuple[int, bytes]]:
        parts, found = self._settings.parts, self._partition.contents(start_offset, committed=committed)
        return iter(
            [
                (offset, parts.imprint(c.value, key=c.key, headers=c.headers, timestamp_ms=c.timestamp_ms or 0))
                for offset, c in found
            ]
        )

    def _decoded(self) -> CommittedPosition | ForeignPosition | None:
        found = self._partition.group_offsets.get(self._settings.transactional_id)
        return None if found is None else group_offset.decode(*found)


def _failed(why: str) -> SinkFailed:
    return SinkFailed(why, hint="fence again, then resume")


def _contents(batch: Batch) -> list[Content]:
    """Return the batch's records; what repeats has no end, the others are as long as the values."""
    columns = (batch.keys or repeat(None), batch.headers or repeat(()), batch.timestamps_ms or repeat(None))
    return list(map(Content, batch.values, *columns))


def _size_bytes(content: Content) -> int:
    return len(content.value) + len(content.key or b"") + sum(len(n) + len(text) for n, text in content.headers)
