"""The three ports of the processor, and the steps that it announces.

Each protocol is a contract that the real adapter and the in-memory fake keep alike; the same contract tests run on
both. Every call is bounded in time. Every method raises only errors of `processor.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from processor.model import (
    Batch,
    Checkpoint,
    CommittedPosition,
    Destination,
    ForeignPosition,
    JobStart,
    Lease,
    PartitionBounds,
    Pins,
    Position,
    SourceObject,
    Status,
)


class Step(StrEnum):
    """What has just happened; emitted after the effect, so a crash at a step finds the effect done."""

    CLAIMED = "claimed"
    FENCED = "fenced"
    RESUMED = "resumed"
    REBUILT = "rebuilt"
    READ = "read"
    SENT = "sent"
    COMMITTED = "committed"
    SKIPPED = "skipped"
    SAVED = "saved"
    DONE = "done"
    RETRYING = "retrying"
    REFUSED = "refused"
    STOPPED = "stopped"
    FAILED = "failed"


class Observer(Protocol):
    """Told of each step; logs in production, history in the harness, a place to be killed at in chaos."""

    def step(self, step: Step, **fields: object) -> None:
        """Take note of a step; what it raises ends the run."""


class ObjectBytes(Protocol):
    """The bytes under a source: S3 in production, memory in tests."""

    def describe(self, pins: Pins | None) -> tuple[Pins, int]:
        """Return pins and size in bytes of the object that later reads will read. Contract: see Source.describe."""

    def read(self, byte_offset: int) -> Iterator[bytes]:
        """Yield the described object's bytes from `byte_offset` to its end, in chunks of any size above zero.

        At or past the end nothing is yielded. A broken stream is taken up again at the byte it reached.

        Raises SourceChanged when these bytes are no longer there, AccessDenied, SourceUnavailable.
        """


class Source(Protocol):
    """One CSV object, read as batches."""

    def describe(self, pins: Pins | None) -> SourceObject:
        """Find the object and read its header; later `batches` read exactly these bytes.

        With `pins` that carry a version which still exists, that version is described, whatever is newest;
        otherwise the newest object, whose ETag may differ from `pins.etag`: the caller compares.

        Raises SourceChanged (no such object), PlaceMissing (no such bucket), AccessDenied, BadSetting (a gzip file,
        a prefix), BadRow (the header breaks a rule), SourceUnavailable.
        """

    def batches(
        self, start: Position, *, scale: float = 1.0, skip_bad_rows: bool = False, kept_bytes: int = 0
    ) -> Iterator[Batch]:
        """Yield the rows from `start` on, each row once, in file order, consecutive batches without a gap.

        A batch holds at least one row and ends at the row, byte or time limit, whichever is first; `scale` in (0, 1]
        shrinks the row and byte limits. The bytes before `start.byte_offset` are not read again. An object without
        further rows yields nothing. Before BadRow is raised, every row before the bad one has been yielded.

        With `skip_bad_rows` bad rows are in their batch's `faults`, `kept_bytes` of each with them, and may be all of
        it. Which rows are bad, and where they end, depends on the bytes from their start on alone.

        Raises BadRow, SourceChanged (the bytes are no longer there), SourceUnavailable.
        """


class Sink(Protocol):
    """One Kafka partition, written in transactions (exactly-once) or by an idempotent producer (at-least-once).

    Life of a producer: `fence`, then any number of (`send`, `commit`), in turn; after any error only `discard` and
    a new `fence` are allowed, because neither Python client can tell a late end of one transaction from the next's.
    `describe`, `position`, `bounds`, `records` and `check` write nothing and need no fence.
    """

    def describe(self) -> Destination:
        """Check topic, partition and cleanup.policy. Raises PlaceMissing, NeedsPerson, AccessDenied, SinkFailed."""

    def position(self) -> CommittedPosition | ForeignPosition | None:
        """Return the group offset of this job, None if there is none or it has expired.

        Only after `fence` is it final: before, a commit of a dead run may still be on its way.
        """

    def bounds(self) -> PartitionBounds:
        """Return the partition's offsets now."""

    def records(self, start_offset: int, *, committed: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield offset and imprint of the *committed* records from `start_offset` to the end as of the first `next`.

        Not `committed`: of all records, aborted and undecided ones too.

        The imprint is the value, or with it the other parts that the job gives its records: see `Batch.imprints`.

        Raises SinkFailed, also when the partition no longer has `start_offset`.
        """

    def check(self, batch: Batch) -> None:
        """Refuse what `send` would refuse before it writes, after `describe`. Raises RecordTooLarge."""

    def fence(self) -> None:
        """Make a new producer under the job's transactional.id and shut out every earlier one.

        On return whatever an earlier producer left open is aborted, and its half-done commit is finished. In
        at-least-once nobody is shut out.
        """

    def send(self, batch: Batch) -> int | None:
        """Write the batch's records in order; return the offset after the last one, None where it is not known.

        With a `dead_letter_topic` the batch's faults are written there, in order and in the same transaction.

        On return all of them are acknowledged by their partition's leader and its in-sync replicas. In exactly-once
        no committed reader sees them yet; in at-least-once everyone does. The first send after a fence or a commit
        opens a transaction. After an error any number of the records, in order from the first, may be in the log.
        """

    def commit(self, committed: CommittedPosition) -> None:
        """Make the sent records and this position visible in one transaction; without a send, the position alone.

        On return that is decided and nothing can undo it; readers see it within moments, at the latest when a
        following `fence` returns. In at-least-once this does nothing. After an error it is unknown whether the
        commit happened; `fence` decides it and `position` then tells.
        """

    def abort_lost(self) -> None:
        """After a fence: abort what an earlier producer left open in the partition unknown to its coordinator.

        Kafka ends it with the next transaction of the same producer id, so this writes a record and aborts it. The
        transactions of others stay as they are. Needs another fence before the next `send`.
        """

    def discard(self) -> None:
        """Throw the producer away within seconds, never raising; an open transaction stays open until a fence."""


class Checkpoints(Protocol):
    """The job's item in DynamoDB, and the lease in it. One object of this type is one run."""

    def read(self) -> Checkpoint | None:
        """Return the item (consistent read), None if there is none. Raises Contradiction if it is not ours."""

    def claim(self) -> Lease:
        """Take the job over: epoch one higher than anybody's, this run as the owner; return this run's lease.

        The newest claim owns the job, so it may be another's already. A request of ours whose answer was lost is
        recognised by its owner.
        """

    def begin(self, start: JobStart, position: Position, *, next_offset: int | None = None) -> None:
        """Save pins, shape, place and `start_offset` at the first fence, or anew while no row is committed.

        `next_offset` belongs to `position`; None is for a job without a row, which starts at `start_offset`.

        Raises as `save`.
        """

    def save(self, position: Position, *, next_offset: int | None) -> None:
        """Save the position of committed rows, after `begin`; `next_offset` None leaves the saved one.

        Never overwrites a newer epoch, never goes back. Raises Superseded when another run holds the lease,
        Contradiction when the item counts more rows under our own lease, CheckpointUnavailable when the write may or
        may not have happened, and when the item is gone or was made anew and not begun.
        """

    def restart(self, start: JobStart, position: Position) -> Lease:
        """Move the job to `position` under a new start, forwards or back; return the lease, one epoch higher.

        One write: it holds wholly or not at all, and a run that reads afterwards knows no other start. The status is
        STOPPED; `rows` and `error` are gone. Raises as `save`.
        """

    def finish(self, status: Status, *, rows: int | None = None, error: str | None = None) -> None:
        """Write how the run ended: COMPLETED with `rows`, or STOPPED, or FAILED with `error`. Raises as `save`.

        A COMPLETED job stays COMPLETED, whatever arrives late.
        """
