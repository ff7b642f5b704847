"""`run --dry-run`: everything that a run looks at, without a claim, a fence or a record.

It ends as the run would: with its exit code, for the first reason in the order of the file. Not tried is what cannot
be tried without changing something, and it says what that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from processor.errors import BadRow, ProcessorError, RecordTooLarge
from processor.model import CommittedPosition, Position
from processor.opening import JobRules, Opening
from processor.ports import Checkpoints, Sink, Source
from processor.resume import Fresh, GoOn, current, decide, require_record
from processor.stop import Clock

MOST = 20  # bad rows that are named; each costs a request for the bytes behind it


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
        max_row_bytes: int,
        out: TextIO,
    ) -> None:
        self._source, self._sink, self._checkpoints, self._rules = source, sink, checkpoints, rules
        self._opening = Opening(source, sink, checkpoints, rules, clock)
        self._max_row_bytes, self._out = max_row_bytes, out
        self._end = Position(0, 0)

    def run(self) -> None:
        """Look. Raises WouldEnd, after everything was said, and as preflight does."""
        done = self._opening.preflight()
        start = done or self._start()
        source = self._opening.object
        reasons = []
        for reason, end_row in self._reasons(Position(0, source.first_row_byte), source.size_bytes):
            self._say(f"{'bad' if isinstance(reason, BadRow) else 'too large'}: {reason.what}")
            if done is None and end_row > start.row:
                reasons.append(reason)
        size_bytes = self._end.byte_offset if source.size_bytes is None else source.size_bytes
        self._say(f"{source.url}: {self._end.row:,} rows, {size_bytes:,} bytes")
        if done is not None:
            self._say("the job is completed: a run would send nothing")
        self._say(
            "not tried, because it would change something: dynamodb:UpdateItem on the table; Write on topic and"
            " transactional.id, Read on the group"
        )
        if reasons:
            raise WouldEnd(reasons[0])

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

    def _reasons(self, start: Position, size_bytes: int | None) -> Iterator[tuple[BadRow | RecordTooLarge, int]]:
        """Yield why rows could not be sent, each with the row after it; parse on behind a bad row where it ends."""
        self._end = start
        for _ in range(MOST):
            try:
                for batch in self._source.batches(self._end):
                    self._end = batch.end
                    try:
                        self._sink.check(batch)
                    except RecordTooLarge as error:
                        yield error, batch.end.row
            except BadRow as error:
                yield error, self._end.row + 1
                if error.byte_end - error.byte_start >= self._max_row_bytes:
                    return self._say("not parsed further: nobody knows where that row ends")
                self._end = Position(self._end.row + 1, error.byte_end)
                if size_bytes is not None and error.byte_end >= size_bytes:
                    return None
            else:
                return None
        return self._say(f"not parsed further after {MOST} bad rows")

    def _say(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
