"""One topic-partition with its transaction coordinator and group offsets, in memory: the broker's side of a sink.

Modelled on Apache Kafka 4.x with clients that do not speak the second part of KIP-890:

- every commit or abort writes a marker that takes an offset of its own;
- a marker decides every undecided record of its producer id, whoever wrote them;
- the last stable offset is the first record of the oldest undecided transaction;
- `init_producer` under a known transactional id bumps the epoch, aborts what is open, finishes a prepared commit;
- a transaction that outlives its timeout is aborted and the epoch bumped, so its producer is fenced;
- group offsets sent to a transaction show once it is committed;
- a commit is answered once it is decided, and its markers follow a moment later: until then neither the records nor
  the offsets show. `markers_lag` makes that moment last until the producer's next request or `finish_commits`.

Left out: replication, other partitions, several groups per transaction id, epochs that run out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from harness.fakes.entries import Content, Entry, Marker
from processor.errors import SinkFenced
from processor.model import Destination, PartitionBounds
from processor.topic_rules import TopicFacts


class GroupOffset(NamedTuple):
    """What a group committed for this partition."""

    offset: int
    metadata: str


class DeadLetter(NamedTuple):
    """A record of the topic for bad rows, which is nothing here but what is committed to it."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Producer(NamedTuple):
    """What a client knows of itself after InitProducerId; `transactional_id` None is idempotent only."""

    transactional_id: str | None
    producer_id: int
    producer_epoch: int


class Stage(StrEnum):
    """Where the transaction of an id stands in the coordinator."""

    EMPTY = "empty"
    ONGOING = "ongoing"
    PREPARED_COMMIT = "prepared commit"


@dataclass(slots=True)
class Coordinated:
    """The coordinator's entry for one transactional id."""

    producer: Producer
    timeout_ms: int
    stage: Stage = Stage.EMPTY
    began_ms: int = 0
    has_records: bool = False
    offsets: dict[str, GroupOffset] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)


class FakePartition:
    """The state that outlives every run. Operators, strangers and time act on it through its methods."""

    def __init__(self, *, topic: str = "rows", partition: int = 0, markers_lag: bool = False) -> None:
        self.markers_lag = markers_lag
        self.topic = topic
        self.partition = partition
        self.max_record_bytes = 1_048_576
        self.cleanup_policy = "delete"
        self.timestamp_type = "CreateTime"
        self.reachable = True
        self.exists = True
        self.clock_ms = 0
        self.group_offsets: dict[str, GroupOffset] = {}
        self.bad_topic = TopicFacts("fake-cluster", "bad-topic-id", frozenset({0}), "delete", 1_048_588)
        self.dead_letters: list[DeadLetter] = []
        self.has_lost_commits = False
        self._generation = 1
        self._last_producer_id = 0
        self._coordinated: dict[str, Coordinated] = {}
        self._log: list[Entry] = []
        self._start = 0
        self._undecided: dict[int, int] = {}  # producer id -> first offset of its undecided records
        self._aborted: set[int] = set()

    # -- what anyone can read ------------------------------------------------------------------------------------

    @property
    def destination(self) -> Destination:
        """The partition's identity; `recreate` changes the topic id."""
        return Destination("fake-cluster", f"topic-id-{self._generation}", self.partition)

    def bounds(self) -> PartitionBounds:
        """Return start, last stable offset and end as of now."""
        end = len(self._log)
        stable = min(self._undecided.values(), default=end)
        return PartitionBounds(self._start, max(stable, self._start), end)  # retention may pass an open transaction

    @property
    def is_settling(self) -> bool:
        """Whether a decided commit has not wholly reached its readers."""
        return any(known.stage is Stage.PREPARED_COMMIT for known in self._coordinated.values())

    def entries(self) -> list[Entry]:
        """Return everything the log keeps, markers included."""
        return self._log[self._start :]

    def committed(self, start_offset: int = 0) -> Iterator[tuple[int, bytes]]:
        """Return (offset, value) of what a committed reader sees from `start_offset` on, as of this call."""
        return iter([(offset, content.value) for offset, content in self.contents(start_offset)])

    def uncommitted(self) -> Iterator[tuple[int, bytes]]:
        """Return (offset, value) of every record, aborted and open ones included."""
        return iter([(offset, content.value) for offset, content in self.contents(committed=False)])

    def contents(self, start_offset: int = 0, *, committed: bool = True) -> list[tuple[int, Content]]:
        """Return offset and whole content of what `committed` or `uncommitted` return."""
        bounds = self.bounds()
        kept = self._log[max(start_offset, bounds.start) : bounds.stable if committed else bounds.end]
        hidden = self._aborted if committed else ()
        return [(e.offset, e.content) for e in kept if e.marker is None and e.offset not in hidden]

    # -- what a producer can ask ---------------------------------------------------------------------------------

    def init_producer(self, transactional_id: str | None, *, timeout_ms: int = 60_000) -> Producer:
        """Make a producer; under a transactional id it fences every earlier one and settles what that left."""
        known = self._coordinated.get(transactional_id) if transactional_id is not None else None
        if known is None:
            self._last_producer_id += 1
            producer = Producer(transactional_id, self._last_producer_id, 0)
        else:
            if known.stage is Stage.ONGOING:
                self._abort(known)
            elif known.stage is Stage.PREPARED_COMMIT:
                self._finish_commit(known)
            producer = known.producer._replace(producer_epoch=known.producer.producer_epoch + 1)
        if transactional_id is not None:
            self._coordinated[transactional_id] = Coordinated(producer, timeout_ms)
        return producer

    def append(self, producer: Producer, records: Iterable[bytes | Content]) -> int:
        """Append records, opening a transaction if there is none; return the end. Raises SinkFenced.

        A record given as bytes is a value, without key and headers.
        """
        transactional = producer.transactional_id is not None
        if transactional:
            self._ongoing(producer).has_records = True
        for record in records:
            content = Content(record) if isinstance(record, bytes) else record
            if content.timestamp_ms is None:
                content = content._replace(timestamp_ms=self.clock_ms)
            self._write(Entry(len(self._log), producer.producer_id, producer.producer_epoch, transactional, content))
        return len(self._log)

    def append_dead_letters(self, producer: Producer, letters: Iterable[DeadLetter]) -> None:
        """Write to the topic for bad rows in the producer's transaction, or at once. Raises SinkFenced."""
        transactional = producer.transactional_id is not None
        (self._ongoing(producer).dead_letters if transactional else self.dead_letters).extend(letters)

    def commit(self, producer: Producer, offsets: dict[str, GroupOffset], *, stages: int | None = None) -> None:
        """Commit the producer's records together with `offsets`, stopping after so many stages. Raises SinkFenced.

        0: the offsets are with the transaction, nothing is decided. 1: the coordinator has decided to commit,
        nobody sees it yet. 2: the records are visible, the offsets not yet. None: all is done. After 1 or 2 the
        commit is finished by the next `init_producer` or by `finish_commits`.
        """
        transaction = self._ongoing(producer)
        transaction.offsets.update(offsets)
        if stages == 0:
            return
        transaction.stage = Stage.PREPARED_COMMIT
        if stages == 1 or (stages is None and self.markers_lag):
            return
        self._mark_records(transaction, Marker.COMMIT)
        if stages is None or stages > 2:  # noqa: PLR2004  # the stages of the docstring
            self._finish_commit(transaction)

    def abort(self, producer: Producer) -> None:
        """Abort the producer's transaction. Raises SinkFenced."""
        transaction = self._ongoing(producer)
        self._mark_records(transaction, Marker.ABORT)
        self._settle(transaction)

    # -- what the cluster, time and operators do -------------------------------------------------------------------

    def pass_time(self, duration_ms: int) -> None:
        """Move the clock, the only one there is, then abort what has outlived its timeout."""
        self.clock_ms += duration_ms
        self.expire_transactions()

    def expire_transactions(self) -> None:
        """Abort each transaction that is past its timeout and fence its producer. Prepared commits never expire."""
        for known in self._coordinated.values():
            if known.stage is Stage.ONGOING and known.began_ms + known.timeout_ms <= self.clock_ms:
                self._abort(known)

    def finish_commits(self) -> None:
        """Finish each prepared commit, as the coordinator does on its own after a while."""
        for known in self._coordinated.values():
            if known.stage is Stage.PREPARED_COMMIT:
                self._finish_commit(known)

    def lose_commits(self, *, visible: bool = False) -> None:
        """Let the coordinator call each prepared commit done without its markers, as Kafka may after a restart.

        The records stay open in the log until the producer's next transaction ends, and end as that one does, unless
        they had their marker and are `visible`; the offsets are never seen.
        """
        for known in self._coordinated.values():
            if known.stage is Stage.PREPARED_COMMIT:
                if visible:
                    self._mark_records(known, Marker.COMMIT)
                self._settle(known)
                self.has_lost_commits = True

    def delete_before(self, offset: int) -> None:
        """Let retention take every record before `offset`."""
        self._start = max(self._start, min(offset, len(self._log)))

    def truncate(self, end: int) -> None:
        """Lose the tail from offset `end` on, as an unclean election does; the coordinator does not notice."""
        kept, start = self._log[:end], self._start
        self._clear_log()
        for entry in kept:
            self._write(entry)
        self._start = min(start, len(self._log))

    def recreate(self) -> None:
        """Delete the topic and make it anew: another topic id, no records, no transactions, no group offsets."""
        self._generation += 1
        self._clear_log()
        self.group_offsets.clear()
        for known in self._coordinated.values():
            self._settle(known)

    def expire_group_offsets(self) -> None:
        """Let the group offsets' own retention take them all."""
        self.group_offsets.clear()

    def reset_group(self, group: str, offset: int, metadata: str = "") -> None:
        """Set a group's offset as an operator's tool does: at once, and over an older one still in a transaction."""
        self.group_offsets[group] = GroupOffset(offset, metadata)
        for known in self._coordinated.values():
            known.offsets.pop(group, None)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _clear_log(self) -> None:
        self._log = []
        self._start = 0
        self._undecided = {}
        self._aborted = set()

    def _ongoing(self, producer: Producer) -> Coordinated:
        known = self._coordinated.get(producer.transactional_id or "")
        if known is None or known.producer != producer:
            raise SinkFenced(f"{producer} is fenced", hint="read the lease")
        if known.stage is Stage.PREPARED_COMMIT:
            self._finish_commit(known)  # the client is told CONCURRENT_TRANSACTIONS and asks again until it is done
        if known.stage is Stage.EMPTY:
            known.stage = Stage.ONGOING
            known.began_ms = self.clock_ms
        return known

    def _write(self, entry: Entry) -> None:
        self._log.append(entry)
        if entry.marker is None:
            if entry.transactional:
                self._undecided.setdefault(entry.producer_id, entry.offset)
            return
        first = self._undecided.pop(entry.producer_id, entry.offset)
        if entry.marker is Marker.ABORT:
            tail = self._log[first : entry.offset]
            self._aborted.update(e.offset for e in tail if e.transactional and e.producer_id == entry.producer_id)

    def _mark_records(self, transaction: Coordinated, marker: Marker) -> None:
        if transaction.has_records:
            producer = transaction.producer
            ids = (producer.producer_id, producer.producer_epoch)
            self._write(Entry(len(self._log), *ids, transactional=True, content=Content(b""), marker=marker))
            transaction.has_records = False

    def _abort(self, transaction: Coordinated) -> None:
        producer = transaction.producer
        transaction.producer = producer._replace(producer_epoch=producer.producer_epoch + 1)
        self._mark_records(transaction, Marker.ABORT)
        self._settle(transaction)

    def _finish_commit(self, transaction: Coordinated) -> None:
        self._mark_records(transaction, Marker.COMMIT)
        self.group_offsets.update(transaction.offsets)
        self.dead_letters += transaction.dead_letters
        self._settle(transaction)

    def _settle(self, transaction: Coordinated) -> None:
        transaction.stage = Stage.EMPTY
        transaction.has_records = False
        transaction.offsets, transaction.dead_letters = {}, []
