"""Commits that Kafka answered and then lost, and how a run goes on after one without losing or repeating a row.

A broker that dies between the decision of a commit and its markers, and is started again at once, can give the markers
up (seen with Apache Kafka 4.3.1, whose log then says "Couldn't find leader endpoint for partitions ... these partitions
are likely deleted already and hence can be skipped"). Its transaction coordinator calls the transaction done. Then

- the rows stay open in the partition, and nobody sees anything behind them: `abort_open` ends them;
- or the next fence, which aborts the transaction after it, has aborted them too: nobody has seen them, the position is
  that before them, and a checkpoint may count them: `require_counted` tells this from rows that were lost;
- or they had their marker, and only the position lost its own: they are visible, and `is_next_row` finds them.

What lies in the partition decides. Not healed: rows that lost their marker where the position kept its own; that is
refused, by `resume.require_record` and by Opening.settle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile

from processor.errors import Contradiction, SinkFailed
from processor.model import Batch, Checkpoint, CommittedPosition, PartitionBounds, Position, SourceObject
from processor.ports import Sink
from processor.resume import LOST, Found, Rebuild, match_committed, rows_of


def abort_open(sink: Sink, position: Found, bounds: PartitionBounds) -> None:
    """Abort what is open in the partition, after a fence, if it is ours; unless the position counts its rows.

    Raises SinkFailed then, so that the next attempt looks again. What is still open there is somebody else's.
    """
    if position is None or (isinstance(position, CommittedPosition) and position.last_offset < bounds.stable):
        sink.abort_lost()
        raise SinkFailed(
            f"a transaction is open from offset {bounds.stable} on; one of ours that its coordinator lost is ended",
            hint="the next attempt looks again",
        )


def is_next_row(record: tuple[int, bytes], batches: Iterator[Batch]) -> bool:
    """Tell whether the first committed record after the position is the first good row after it.

    Then a commit of ours lost its position. A record of somebody else is none of the job's business.
    """
    row = next(rows_of(batches), None)
    return row is not None and row[0] == record[1]


def was_taken_back(sink: Sink, checkpoint: Checkpoint, bounds: PartitionBounds) -> bool:
    """Tell whether the record before the checkpoint's `next_offset` is there and aborted; a marker is no record."""
    last = (checkpoint.next_offset or 0) - 1
    if checkpoint.position.row == 0 or last < bounds.start:
        return False
    written, seen = (next(sink.records(last, committed=only), None) for only in (False, True))
    return written is not None and written[0] == last and (seen is None or seen[0] != last)


def from_the_start(checkpoint: Checkpoint, source: SourceObject) -> Rebuild:
    """Return the rebuild that compares every row of the job: its last saved rows were taken back with their position.

    As a rule those were its first ones. Raises Contradiction after a reset to a row, whose place is not known.
    """
    start = checkpoint.start
    if start is None or start.start_row or start.start_offset < 0:
        raise Contradiction(
            f"the last of the {checkpoint.position.row} rows that the checkpoint counts were taken back",
            hint="nobody can tell how many rows are committed; start a new job on an empty partition",
        )
    return Rebuild(Position(0, source.first_row_byte), start.start_offset)


def require_counted(
    sink: Sink,
    checkpoint: Checkpoint,
    reached: Position,
    bounds: PartitionBounds,
    rows_from: Callable[[Position], Iterator[Batch]],
) -> None:
    """Refuse a checkpoint that counts more rows than are committed up to `reached`, unless Kafka took those back.

    Then they lie before `next_offset`, each at its place, and none of them is visible. Had the partition lost them,
    they would not be there. Raises Contradiction.
    """
    rows, end = _good_rows(checkpoint.position) - _good_rows(reached), checkpoint.next_offset or 0
    if rows <= 0:
        return
    found = reached
    if end - rows >= bounds.start and _nothing_visible(sink, end - rows, end):
        # Bounded by the offset: behind it lie rows that were never counted, and one of them may be just like these.
        hidden = takewhile(lambda record: record[0] < end, sink.records(end - rows, committed=False))
        try:
            found = match_committed(hidden, rows_from(reached), reached)[0]
        except Contradiction:
            found = reached  # other records than those rows
    if _good_rows(found) < _good_rows(checkpoint.position):
        counted = checkpoint.position.row
        raise Contradiction(f"the checkpoint counts {counted} rows, the partition {reached.row}", hint=LOST)


def _nothing_visible(sink: Sink, start_offset: int, end_offset: int) -> bool:
    seen = next(sink.records(start_offset), None)
    return seen is None or seen[0] >= end_offset


def _good_rows(position: Position) -> int:
    return position.row - position.skipped
