"""Where to go on; pure. The only place that can decide to lose or repeat a row, and it refuses instead.

Exactly-once, after the fence, with checkpoint C (the item's `last_line`) and position P (the group offset in Kafka):

==========================================  ==============  ====================================================
checkpoint                                  position        decision
==========================================  ==============  ====================================================
none, or no `start_offset`                  none            Fresh: the row after the header
has `start_offset`, C (0 too)               none (expired)  Rebuild from the partition
none (lost), or no `start_offset`           P               GoOn at P; its metadata fits the object
at or behind P                              P               GoOn at P
ahead of P                                  P               GoOn at P; the rows between lie aborted before `next_offset`
any                                         P               Rebuild from P, where the next record is the next row
any                                         not ours        Contradiction or SourceChanged
any of the above, partition ends before `next_offset`       Contradiction: the tail was lost
any of the above, the last committed record is not there    Contradiction: the tail was lost, or its commit marker
any of the above, less rows than the checkpoint counts      Contradiction, unless they lie aborted before `next_offset`
==========================================  ==============  ====================================================

A position from before the job's last reset counts as none, and so does that of a reset to the start: see `current`.

The last line but one is looked at by `require_record`. It is exact, whatever was written into the place of a lost tail:
the fence's abort marker, say, which may even take back rows that lost their commit marker. How P can be behind visible
rows, and C ahead of P, though no run did anything wrong, and what tells that from a lost tail: see `lost_commits`.

At-least-once knows no position in Kafka: Fresh while C is 0, then GoOn at C. A changed object is refused as soon as
anything was written to the partition, saved or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from processor.errors import Contradiction, SourceChanged
from processor.model import (
    UNKNOWN_OFFSET,
    Batch,
    Checkpoint,
    CommittedPosition,
    Delivery,
    Destination,
    ForeignPosition,
    JobStart,
    PartitionBounds,
    Position,
    SourceObject,
)

Found: TypeAlias = CommittedPosition | ForeignPosition | None

COMMIT_MARKERS = 1  # each transaction writes one control record behind its records
LOST = "rows were committed and are gone: rebuild the topic and use `reset`, or start a new job"


@dataclass(frozen=True, slots=True)
class Fresh:
    """Nothing was ever committed: start after the header, and save where the job starts first."""

    position: Position


@dataclass(frozen=True, slots=True)
class GoOn:
    """Everything before `position` is in the partition, nothing of it or after it is."""

    position: Position


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The position expired. Rows before `position` are committed; records from `offset` on tell how many more."""

    position: Position
    offset: int


Decision: TypeAlias = Fresh | GoOn | Rebuild


def current(position: Found, checkpoint: Checkpoint | None) -> Found:
    """Return the position, None where it does not speak of the rows since the job's start.

    A reset is decided by its write to the checkpoint; a position with fewer resets was committed before that. A reset
    to the start leaves one of row 0: no row is committed.
    """
    if not isinstance(position, CommittedPosition):
        return position
    at_start = position.resets > 0 and position.position.row == 0
    return None if position.resets < known_resets(checkpoint, None) or at_start else position


def known_resets(checkpoint: Checkpoint | None, position: Found) -> int:
    """Return the most resets of the job that either knows of."""
    saved = checkpoint.start.resets if checkpoint and checkpoint.start else 0
    return max(saved, position.resets if isinstance(position, CommittedPosition) else 0)


def check_identity(
    checkpoint: Checkpoint | None,
    position: Found,
    *,
    source: SourceObject,
    shape: str,
    destination: Destination,
) -> None:
    """Refuse a run that is not the job it claims to be; safe to call before the claim.

    Looks only at what never changes once written, so a healthy run that is at work meanwhile does not disturb it.
    Raises SourceChanged or Contradiction.
    """
    if isinstance(position, ForeignPosition):
        raise Contradiction(
            f"the group offset {position.offset} in Kafka is not ours: {position.why}",
            hint="set by hand? only `reset` may move a job; restore it, or go on with the version that wrote it",
        )
    if checkpoint is not None and checkpoint.start is not None:
        _check_start(checkpoint.start, source, shape, destination, has_rows=checkpoint.position.row > 0)
    if position is not None:
        _check_position(position, source, shape)


def check_complete(checkpoint: Checkpoint, position: Found, bounds: PartitionBounds) -> None:
    """Refuse to call a completed job done when what it committed is no longer there. Raises Contradiction."""
    require_tail(checkpoint, position, bounds)
    rows = checkpoint.rows or 0
    if isinstance(position, CommittedPosition) and position.position.row < rows:
        raise Contradiction(f"completed with {rows} rows, but the position is {position.position.row}", hint=LOST)


def decide(
    delivery: Delivery,
    checkpoint: Checkpoint | None,
    position: Found,
    *,
    bounds: PartitionBounds,
    source: SourceObject,
    shape: str,
    destination: Destination,
) -> Decision:
    """Decide by the table above where to go on. Raises Contradiction or SourceChanged, never guesses."""
    check_identity(checkpoint, position, source=source, shape=shape, destination=destination)
    first = Fresh(Position(0, source.first_row_byte))
    if delivery is Delivery.AT_LEAST_ONCE:
        require_tail(checkpoint, None, bounds)
        _require_unwritten_or_same(checkpoint, bounds, source)
        if checkpoint is None or checkpoint.position.row == 0:
            return first
        _require_room(checkpoint, bounds)
        return GoOn(checkpoint.position)
    require_tail(checkpoint, position, bounds)
    if isinstance(position, CommittedPosition):
        _require_resets(checkpoint, position)
        return GoOn(position.position)
    if checkpoint is None or checkpoint.start is None:
        return first
    return _rebuild(checkpoint, bounds, source)


def _rebuild(checkpoint: Checkpoint, bounds: PartitionBounds, source: SourceObject) -> Rebuild:
    """The position expired: records from `next_offset` on tell, if the partition still has all of them."""
    offset = checkpoint.next_offset
    if offset is None:
        raise Contradiction("a job with a start has a next_offset", hint="this is a bug; please report it")
    if offset == UNKNOWN_OFFSET:
        raise Contradiction(
            "the position expired, and the checkpoint was lost before it: nobody knows where the job's records begin",
            hint="start a new job on an empty partition",
        )
    done = checkpoint.position
    # An empty log that ends one further lost only the commit marker of the saved batch, and no record.
    nothing_after = bounds.start == bounds.end <= offset + COMMIT_MARKERS
    if bounds.start > offset and not nothing_after:
        raise Contradiction(
            f"the position expired, and retention removed the records from offset {offset} to {bounds.start}",
            hint="nobody can tell how many rows were committed; start a new job on an empty partition",
        )
    # Where the log begins behind `offset` it is empty, and what is gone cannot be asked for.
    return Rebuild(done if done.row else Position(0, source.first_row_byte), max(offset, bounds.start))


def match_committed(
    records: Iterable[tuple[int, bytes]], batches: Iterator[Batch], start: Position
) -> tuple[Position, int]:
    """Compare the committed records with the rows from `start` on, one by one, by their imprints.

    Skipped rows have no record. Returns the position after the last one, not after skipped rows behind it, and its
    offset, UNKNOWN_OFFSET where there is none. Raises Contradiction at the first record that is not the next good row.
    """
    reached, last_offset = start, UNKNOWN_OFFSET
    rows = rows_of(batches)
    for offset, value in records:
        expected = next(rows, None)
        if expected is None or expected[0] != value:
            raise Contradiction(
                f"the record at offset {offset} is not row {reached.row} of the object",
                hint="somebody else wrote to the partition; the job needs one of its own",
            )
        reached, last_offset = expected[1], offset
    return reached, last_offset


def of_the_same_object(
    records: Iterable[tuple[int, bytes]], checkpoint: Checkpoint, source: SourceObject
) -> Iterator[tuple[int, bytes]]:
    """Yield the job's unsaved records. Raises SourceChanged at the first one if the job started on another object."""
    for record in records:
        if checkpoint.start is not None and checkpoint.start.pins.etag != source.pins.etag:
            raise _changed(source, checkpoint.start.pins.etag)
        yield record


def rows_of(batches: Iterator[Batch]) -> Iterator[tuple[bytes, Position]]:
    """Yield each record's imprint with the position after it."""
    for batch in batches:
        start = batch.start
        for i, (row, value, end) in enumerate(zip(batch.good_rows, batch.imprints(), batch.byte_ends, strict=True)):
            yield value, Position(row + 1, end, start.skipped + row - start.row - i)


def _check_start(
    started: JobStart, source: SourceObject, shape: str, destination: Destination, *, has_rows: bool
) -> None:
    if started.source_url != source.url:
        raise _mistaken(f"the job reads {started.source_url}, this run {source.url}")
    if started.destination != destination:
        raise _mistaken(f"the job writes to {started.destination}, this run to {destination}")
    if started.shape != shape:
        raise _mistaken("the job was started with another format, dialect, key, headers, timestamp or delivery")
    if has_rows and started.pins.etag != source.pins.etag:
        raise _changed(source, started.pins.etag)


def _check_position(position: CommittedPosition, source: SourceObject, shape: str) -> None:
    if position.shape != shape:
        raise _mistaken("rows are committed with another format, dialect, key, headers, timestamp or delivery")
    if position.pins.etag != source.pins.etag:
        raise _changed(source, position.pins.etag)
    if source.size_bytes is not None and position.position.byte_offset > source.size_bytes:
        raise Contradiction(
            f"the position {position.position} lies beyond the object's {source.size_bytes} bytes",
            hint="the group offset was not written for this object; start a new job",
        )


def require_tail(checkpoint: Checkpoint | None, position: Found, bounds: PartitionBounds) -> None:
    """Refuse a partition that ends before what checkpoint and position know was written. Raises Contradiction."""
    saved = None if checkpoint is None else checkpoint.next_offset
    committed = position.last_offset + 1 if isinstance(position, CommittedPosition) else 0
    written = max(saved or 0, committed)
    if bounds.end < written:
        raise Contradiction(f"the partition ends at offset {bounds.end}, the job wrote up to {written}", hint=LOST)


def require_record(committed: CommittedPosition, found: tuple[int, bytes] | None) -> None:
    """Refuse a partition without the last committed record, where `found` is the first one from there on.

    Raises Contradiction.
    """
    if found is None or found[0] != committed.last_offset:
        where = f"at offset {committed.last_offset}"
        raise Contradiction(f"the last of {committed.position.row} rows was committed {where}, it is gone", hint=LOST)


def _require_resets(checkpoint: Checkpoint | None, committed: CommittedPosition) -> None:
    if checkpoint is not None and checkpoint.start is not None and checkpoint.start.resets < committed.resets:
        raise Contradiction(
            f"the job was reset {committed.resets} times, the checkpoint knows of {checkpoint.start.resets}",
            hint="was the table restored? reset the job again",
        )


def _require_room(checkpoint: Checkpoint, bounds: PartitionBounds) -> None:
    """Refuse a partition with fewer offsets than the checkpoint counts rows: all that at-least-once can know."""
    start_row = checkpoint.start.start_row if checkpoint.start else 0
    rows = checkpoint.position.row - checkpoint.position.skipped - start_row
    start_offset = max(checkpoint.start.start_offset, 0) if checkpoint.start else 0
    if bounds.end - start_offset < rows:
        raise Contradiction(f"{rows} rows are said to lie between offsets {start_offset} and {bounds.end}", hint=LOST)


def _require_unwritten_or_same(checkpoint: Checkpoint | None, bounds: PartitionBounds, source: SourceObject) -> None:
    """Refuse a changed object where rows of the old one may be in the partition without having been saved."""
    started = checkpoint.start if checkpoint else None
    if started is not None and bounds.end > started.start_offset and started.pins.etag != source.pins.etag:
        raise _changed(source, started.pins.etag)


def _mistaken(what: str) -> Contradiction:
    return Contradiction(what, hint="a job keeps its object, place and settings; give the new one another --job-id")


def _changed(source: SourceObject, pinned: str) -> SourceChanged:
    return SourceChanged(
        f"{source.url} has ETag {source.pins.etag}, the job started on {pinned}",
        hint="rows of the old object are committed; start a new job for the new object",
    )
