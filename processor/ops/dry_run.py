"""`run --dry-run`: everything that a run looks at, without a claim, a fence or a record.

It ends as the run would: with its exit code, for the first reason in the order of the file. Not tried is what cannot
be tried without changing something, and it says what that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from processor.errors import BadRow, ProcessorError, RecordTooLarge
from processor.model import BadRows, Batch, CommittedPosition, Fault, Position
from processor.opening import JobRules, Opening
from processor.ports import Checkpoints, Sink, Source
from processor.resume import Fresh, GoOn, current, decide, require_record
from processor.stop import Clock

MOST = 20  # bad or large rows that are named; the others are counted


class WouldEnd(ProcessorError):
    """A run would end with this code."""

    def __init__(self, error: ProcessorError) -> None:
        super().__init__(f"a run would end with {error.exit_code}: {error.what}", hint="nothing was sent or claimed")
        self.exit_code = error.exit_code


class DryRun:
    """One look at object, partition and state."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        *,
        rules: JobRules,
        clock: Clock,
        out: TextIO,
    ) -> None:
        self._source, self._sink, self._checkpoints, self._rules = source, sink, checkpoints, rules
        self._opening = Opening(source, sink, checkpoints, rules, clock)
        self._out = out
        self._end = Position(0, 0)

    def run(self) -> None:
        """Look. Raises WouldEnd, after everything was said, and as preflight does."""
        done = self._opening.preflight()
        start = done or self._start()
        source = self._opening.object
        first, bad = self._read(Position(0, source.first_row_byte), start.row)
        size_bytes = self._end.byte_offset if source.size_bytes is None else source.size_bytes
        bad_ones = f", {bad:,} of them bad" if bad else ""
        self._say(f"{source.url}: {self._end.row:,} rows{bad_ones}, {size_bytes:,} bytes")
        if done is not None:
            self._say("the job is completed: a run would send nothing")
        elif bad and self._rules.bad_rows is not BadRows.FAIL:
            self._say(f"a run would skip the bad rows from row {start.row:,} on")
        self._say(
            "not tried, because it would change something: dynamodb:UpdateItem on the table; Write on topic and"
            " transactional.id, Read on the group"
        )
        if first is not None and done is None:
            raise WouldEnd(first)

    def _read(self, first_row: Position, start_row: int) -> tuple[BadRow | RecordTooLarge | None, int]:
        """Parse everything; return what would end a run that starts at `start_row`, and the number of bad rows."""
        ends_run, named, bad = None, 0, 0
        for reason, row in self._reasons(first_row):
            is_bad = isinstance(reason, BadRow)
            bad += is_bad
            named += 1
            if named <= MOST:
                self._say(f"{'bad' if is_bad else 'too large'}: {reason.what}")
            fails = self._rules.bad_rows is BadRows.FAIL or not is_bad
            if ends_run is None and fails and row >= start_row:
                ends_run = reason
        if named > MOST:
            self._say(f"and {named - MOST:,} more of that kind, which are not named")
        return ends_run, bad

    def _start(self) -> Position:
        """Return where a run would go on, as far as that shows without a fence, and say it."""
        # In this order: what a run at work moves meanwhile is then never behind what was read before it.
        checkpoint = self._checkpoints.read()
        position = current(self._sink.position(), checkpoint) if self._opening.exactly_once else None
        bounds = self._sink.bounds()
        decision = decide(
            self._rules.delivery,
            checkpoint,
            position,
            bounds=bounds,
            source=self._opening.object,
            shape=self._rules.shape,
            destination=self._opening.destination,
        )
        if isinstance(position, CommittedPosition) and bounds.start <= position.last_offset < bounds.stable:
            require_record(position, next(self._sink.records(position.last_offset), None))
        at = decision.position
        if isinstance(decision, Fresh):
            self._say("a run would start at the first row")
        elif isinstance(decision, GoOn):
            self._say(f"a run would go on at row {at.row:,}, byte {at.byte_offset:,}")
        else:
            self._say(
                f"a run would compare the records from offset {decision.offset:,} with the rows from {at.row:,} on: no"
                " position is there"
            )
        return at

    def _reasons(self, start: Position) -> Iterator[tuple[BadRow | RecordTooLarge, int]]:
        """Yield why rows could not be sent, in the order of the file, each with its row or one behind it."""
        self._end = start
        for batch in self._source.batches(start, skip_bad_rows=True):
            self._end = batch.end
            for piece in _pieces(batch):
                if isinstance(piece, Fault):
                    place = {"row": piece.row, "byte_start": piece.byte_start, "byte_end": piece.byte_end}
                    yield BadRow(piece.reason, **place), piece.row
                    continue
                try:
                    self._sink.check(piece)
                except RecordTooLarge as error:
                    yield error, piece.end.row - 1

    def _say(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def _pieces(batch: Batch) -> Iterator[Batch | Fault]:
    """Yield the batch's rows in the order of the file: good ones as far as they stand together, each bad one."""
    at, taken = batch.start, 0
    for fault in (*batch.faults, None):
        end_row = batch.end.row if fault is None else fault.row
        good = end_row - at.row
        if good:
            columns = batch.columns(taken, taken + good)
            end = Position(end_row, columns["byte_ends"][-1], at.skipped)
            yield Batch(at, end, **columns)
            taken += good
        if fault is not None:
            yield fault
            at = Position(fault.row + 1, fault.byte_end, at.skipped + 1)
