"""`verify`: the partition's committed records against the object's rows, one by one, in constant memory.

What the processor promises, looked at with its own readers: from the job's first offset on, every row once, in file
order. It may run beside the job: then the rows are due that were committed when it began.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TextIO

from processor.errors import BadRow, Different, PlaceMissing, Temporary
from processor.model import (
    UNKNOWN_OFFSET,
    Checkpoint,
    CommittedPosition,
    Delivery,
    Fault,
    ForeignPosition,
    PartitionBounds,
    Position,
    SourceObject,
    Status,
)
from processor.opening import LOOK_AGAIN_S, SETTLE_S, JobRules
from processor.ops.differences import Comparison, Difference, Kind
from processor.ports import Checkpoints, Sink, Source
from processor.resume import Found, check_identity, current

SHOWN_BYTES = 72
BEFORE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Known:
    """What checkpoint and position say of the job, read in this order, and the partition's offsets after that."""

    checkpoint: Checkpoint | None
    position: Found
    bounds: PartitionBounds

    @property
    def start_offset(self) -> int:
        """Where the job's records begin, UNKNOWN_OFFSET where the checkpoint was lost."""
        started = self.checkpoint.start if self.checkpoint else None
        return UNKNOWN_OFFSET if started is None else started.start_offset

    @property
    def start_row(self) -> int:
        """The row of the record there: 0, unless the job was reset."""
        started = self.checkpoint.start if self.checkpoint else None
        return 0 if started is None else started.start_row

    @property
    def due(self) -> tuple[int, int]:
        """How many rows have to be visible, and an offset after the last of them and not after the next one's."""
        saved = (0, max(self.start_offset, 0))
        if self.checkpoint is not None and self.checkpoint.next_offset is not None:
            saved = (self._good_rows(self.checkpoint.position), self.checkpoint.next_offset)
        if isinstance(self.position, CommittedPosition) and self.position.last_offset != UNKNOWN_OFFSET:
            return max(saved, (self._good_rows(self.position.position), self.position.last_offset + 1))
        return saved

    def _good_rows(self, position: Position) -> int:
        return max(0, position.row - position.skipped - self.start_row)

    @property
    def reached(self) -> Position:
        """Where the job stands, as far as anybody knows; its rows before that were sent or skipped."""
        known = [] if self.checkpoint is None else [self.checkpoint.position]
        if isinstance(self.position, CommittedPosition):
            known.append(self.position.position)
        return max(known, key=lambda position: position.row, default=Position(0, 0))

    @property
    def completed(self) -> bool:
        """Whether every row of the object is due."""
        return self.checkpoint is not None and self.checkpoint.status is Status.COMPLETED


class Verify:
    """One verification of the job `name`, which writes what it finds to `out`, `most` differences at most."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        *,
        rules: JobRules,
        name: str,
        out: TextIO,
        most: int = 10,
    ) -> None:
        self._source, self._sink, self._checkpoints = source, sink, checkpoints
        self._rules, self._name, self._out, self._most = rules, name, out, most
        self._object_rows = 0  # read so far, good and bad
        self._bad_rows = 0  # of the job's, before the row that it has reached
        self._bad_row: Fault | None = None  # that row, if it is bad

    def run(self) -> None:
        """Compare. Raises Different, after the first differences were printed, and what the ports raise."""
        began = time.monotonic()
        known, source = self._look()
        gone_rows, first_offset = self._begin(known, source.url)
        rows = islice(self._rows(source, known), gone_rows, None)
        comparison = Comparison(rows, self._sink.records(first_offset), row=known.start_row)
        if gone_rows:
            comparison.row = self._next_row(comparison)
        first_row = comparison.row
        self._say_gone(known, gone_rows, first_row)
        found = self._print_first(comparison)
        if len(found) < self._most and not (found and found[-1].kind is Kind.DIVERGED):
            found += self._tail(comparison, known, gone_rows, len(found) + 1)
        if not found:
            self._require_skipped(known, comparison)
        self._conclude(found, comparison, known, first_row, seconds=time.monotonic() - began)

    def _look(self) -> tuple[Known, SourceObject]:
        """Read what is known of the job, and describe the object it is pinned to. Refuses another job."""
        destination = self._sink.describe()
        checkpoint = self._checkpoints.read()
        exactly_once = self._rules.delivery is Delivery.EXACTLY_ONCE
        position = current(self._sink.position(), checkpoint) if exactly_once else None
        if isinstance(position, ForeignPosition):
            self._say(f"the group offset {position.offset} in Kafka is not ours and is not looked at: {position.why}")
            position = None
        started = checkpoint.start if checkpoint else None
        if started is None and position is None:
            raise PlaceMissing(
                f"nothing is known of the job {self._name!r}, it has not started",
                hint="check --job-id, or --source, --topic and --partition, which make it, and --checkpoint-table",
            )
        pins = position.pins if position is not None else started.pins if started else None
        source = self._source.describe(pins)
        check_identity(checkpoint, position, source=source, shape=self._rules.shape, destination=destination)
        return Known(checkpoint, position, self._settled(checkpoint, position)), source

    def _settled(self, checkpoint: Checkpoint | None, position: Found) -> PartitionBounds:
        """Return the offsets once every record is visible that is known to be committed, or the bound is over."""
        deadline = time.monotonic() + SETTLE_S
        due_end = Known(checkpoint, position, PartitionBounds(0, 0, 0)).due[1]
        while (bounds := self._sink.bounds()).stable < min(due_end, bounds.end):
            if time.monotonic() > deadline:
                raise Temporary(
                    f"a transaction is open from offset {bounds.stable} on and hides rows that are committed",
                    hint="start the same command again when it has ended; the next `run` ends one of a dead run",
                )
            time.sleep(LOOK_AGAIN_S)
        return bounds

    def _begin(self, known: Known, url: str) -> tuple[int, int]:
        """Return how many of the job's good rows cannot be compared, and the offset to begin at."""
        start, kept = known.start_offset, known.bounds.start
        self._say(f"job {self._name}: {url}, from offset {max(start, kept):,} of the partition on")
        if start == UNKNOWN_OFFSET:
            self._say(
                "the checkpoint was lost once and does not know where the job's records begin: all that the partition"
                " keeps are compared"
            )
        if kept <= max(start, 0):
            return 0, max(start, 0)
        due_rows, due_end = known.due
        if not due_rows and kept > due_end:
            raise Temporary(
                f"retention has taken the records up to offset {kept}, and no row is known to be committed",
                hint="start the same command again when the job has saved",
            )
        counted = sum(1 for _ in takewhile(lambda record: record[0] < due_end, self._sink.records(kept)))
        return max(0, due_rows - counted), kept

    def _say_gone(self, known: Known, gone_rows: int, first_row: int) -> None:
        if (kept := known.bounds.start) > (start := max(known.start_offset, 0)):
            self._say(
                f"retention has taken the offsets {start:,} to {kept:,}, with about {gone_rows:,} rows, which nobody"
                f" can compare; the first one kept should be row {first_row:,}"
            )

    def _rows(self, source: SourceObject, known: Known) -> Iterator[tuple[int, bytes]]:
        """Yield the job's good rows. Bad ones have no record, whatever the policy: a run skips them or ends there."""
        reached = known.reached.row
        for batch in self._source.batches(Position(0, source.first_row_byte), skip_bad_rows=True):
            self._bad_rows += sum(1 for fault in batch.faults if known.start_row <= fault.row < reached)
            self._bad_row = next((fault for fault in batch.faults if fault.row == reached), self._bad_row)
            self._object_rows = batch.end.row
            yield from (
                pair for pair in zip(batch.good_rows, batch.imprints(), strict=True) if pair[0] >= known.start_row
            )

    def _print_first(self, comparison: Comparison) -> list[Difference]:
        found = []
        for difference in islice(comparison, self._most):
            found.append(difference)
            self._say(*describe(difference, len(found)))
        return found

    def _next_row(self, comparison: Comparison) -> int:
        """Return the number of the next good row, or how many rows the object has."""
        return self._object_rows if comparison.next_value is None else comparison.next_row

    def _tail(self, comparison: Comparison, known: Known, gone_rows: int, number: int) -> list[Difference]:
        """Find rows without a record at the end that are due by now."""
        due_rows, seen_rows = known.due[0], gone_rows + comparison.rows
        if known.completed:
            due_rows = max(due_rows, seen_rows + (comparison.next_value is not None))
        missing = due_rows - seen_rows
        if missing <= 0:
            return []
        row = self._next_row(comparison)
        last_row = max(known.reached.row - 1, row + missing - 1)
        tail = Difference(Kind.LOST, row, missing, None, 0, comparison.next_value, None, last_row=last_row)
        self._say(*describe(tail, number))
        return [tail]

    def _require_skipped(self, known: Known, comparison: Comparison) -> None:
        """Refuse a job that has passed over rows that are not bad. Raises Different."""
        self._next_row(comparison)  # so that every row before the one that the job has reached is read
        skipped = known.reached.skipped
        if known.start_offset != UNKNOWN_OFFSET and skipped != self._bad_rows:
            raise Different(
                f"not valid: the job counts {skipped:,} skipped rows before row {known.reached.row:,}, the object has"
                f" {self._bad_rows:,} bad ones there",
                hint="`reset` sends rows again from a row on",
            )

    def _conclude(
        self, found: list[Difference], comparison: Comparison, known: Known, first_row: int, *, seconds: float
    ) -> None:
        """Say the verdict, or raise it."""
        took = f"{comparison.compared:,} records compared in {seconds:.1f} s"
        if found:
            more = " or more" if len(found) >= self._most or found[-1].kind is Kind.DIVERGED else ""
            raise Different(
                f"not valid: {len(found)}{more} differences, the first at row {found[0].row:,}; {took}",
                hint="the lines above name rows and offsets; `reset` sends rows again from a row on",
            )
        # Skipped rows behind the last record are done with too.
        row = max(comparison.row, min(known.reached.row, self._next_row(comparison)))
        skipped = f", {self._bad_rows:,} bad ones skipped" if self._bad_rows else ""
        where = f"{row:,} rows"
        if first_row:
            where = f"rows {first_row:,} to {row - 1:,}" if row > first_row else "no row is left"
        if known.completed:
            self._say(f"valid: {where}{skipped}; {took}")
            return
        status = known.checkpoint.status if known.checkpoint else "not in the checkpoint table"
        self._say(f"valid so far up to row {row:,}{skipped}; the job is {status}; {took}")
        if self._bad_row is not None and self._bad_row.row == row:
            self._say(f"the next one is bad: {named(self._bad_row)}")

    def _say(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._out, flush=True)


def named(fault: Fault) -> str:
    """Say which row is bad, and why."""
    return BadRow(fault.reason, row=fault.row, byte_start=fault.byte_start, byte_end=fault.byte_end).what


def describe(difference: Difference, number: int) -> list[str]:
    """Say what is different: a headline, the bytes that were expected, and those that were seen."""
    rows = f"row {difference.row:,}"
    if difference.rows > 1:
        rows = f"rows {difference.row:,} to {difference.last_row:,}"
        if difference.last_row - difference.row >= difference.rows:
            rows = f"{difference.rows:,} good rows of {difference.row:,} to {difference.last_row:,}"
    records = "the end"
    if difference.offset is not None:
        many = f"{difference.records:,} records from " if difference.records > 1 else ""
        records = f"{many}offset {difference.offset:,}"
    known = "" if difference.is_row is None else f", the bytes of row {difference.is_row:,}"
    headline = {
        Kind.LOST: f"{rows} not there; next is {records}",
        Kind.REPEATED: f"{records} again{known}, before row {difference.row:,}",
        Kind.REORDERED: f"{rows} out of order, at {records}{known}",
        Kind.ALTERED: f"{rows} with other bytes, at {records}{known}",
        Kind.FOREIGN: f"{records}: no row of the object, before row {difference.row:,}",
        Kind.DIVERGED: f"from row {difference.row:,} and {records} on nothing agrees any more; not compared further",
    }[difference.kind]
    at = _parting(difference.expected or b"", difference.seen or b"")
    return [
        f"difference {number}: {difference.kind}: {headline}",
        f"  expected {_excerpt(difference.expected, at)}",
        f"  seen     {_excerpt(difference.seen, at)}",
    ]


def _parting(expected: bytes, seen: bytes) -> int:
    """Return the first byte at which the two differ."""
    return next((i for i, (one, other) in enumerate(zip(expected, seen, strict=False)) if one != other), 0)


def _excerpt(value: bytes | None, at: int) -> str:
    if value is None:
        return "nothing"
    begin = max(0, at - BEFORE_BYTES) if len(value) > SHOWN_BYTES else 0
    shown = value[begin : begin + SHOWN_BYTES]
    place = f" (bytes {begin} to {begin + len(shown)} of {len(value)})" if len(shown) < len(value) else ""
    return f"{shown!r}{place}"
