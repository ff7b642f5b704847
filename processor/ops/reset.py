"""`reset`: the job goes on from its start, or from another row; the records it has sent stay where they are.

The order makes it safe to be killed anywhere. What can be refused is refused first; claim and fence end a live run
(exit 4), so that no record of it can come any more. Then one write to the checkpoint decides: new start, new row, and
one more reset, so that every position in Kafka from before counts as none (`resume.current`). The second write, of the
position, only spares the next run a look at the partition, and keeps the row should the checkpoint be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from processor.errors import (
    BadSetting,
    Contradiction,
    NeedsPerson,
    PlaceMissing,
    ProcessorError,
    SinkFailed,
    SourceChanged,
    Superseded,
    Temporary,
)
from processor.model import (
    UNKNOWN_OFFSET,
    Checkpoint,
    CommittedPosition,
    Delivery,
    Destination,
    JobStart,
    Position,
    SourceObject,
    Status,
)
from processor.opening import JobRules, Opening
from processor.ports import Checkpoints, Sink, Source
from processor.resume import Found, current, known_resets
from processor.stop import Clock


@dataclass(frozen=True, slots=True)
class Target:
    """Where the job is to go on, and the object it is to read."""

    position: Position
    source: SourceObject


class Reset:
    """One reset. `confirm` is asked before anything is changed, with what is about to happen."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        *,
        rules: JobRules,
        clock: Clock,
        confirm: Callable[[str], bool],
        out: TextIO,
    ) -> None:
        self._source, self._sink, self._checkpoints, self._rules = source, sink, checkpoints, rules
        self._opening = Opening(source, sink, checkpoints, rules, clock)
        self._confirm, self._out = confirm, out

    def run(self, to_row: int) -> JobStart:
        """Move the job to `to_row`, from which it goes on at the end of the partition; return its new start.

        Raises ProcessorError; until the new start is written, nothing is changed but the lease and the status.
        """
        destination = self._sink.describe()
        checkpoint, position = self._checkpoints.read(), self._position()
        target = self._target(to_row, checkpoint, position)
        if not self._confirm(_announcement(target, checkpoint, position)):
            raise NeedsPerson("the reset was not confirmed", hint="nothing was changed")
        self._opening.claim()
        try:
            start = self._restart(target, destination)
            self._write_position(target, start)
        finally:
            self._sink.discard()
        self._out.write(
            f"reset: the job goes on at row {to_row:,} (byte {target.position.byte_offset:,}); its records begin at"
            f" offset {start.start_offset:,}\n"
        )
        return start

    def _restart(self, target: Target, destination: Destination) -> JobStart:
        """Shut every earlier producer out, and write the new start. What fails is said in the checkpoint too."""
        try:
            self._sink.fence()
            end = self._opening.settle().end
            # Again, because now they are final.
            checkpoint, position = self._opening.require_lease(), self._position()
            # One more than both: every position from before counts as none then.
            row, resets = target.position.row, known_resets(checkpoint, position) + 1
            source = target.source
            start = JobStart(source.url, source.pins, self._rules.shape, destination, end, row, resets)
            self._checkpoints.restart(start, target.position)
        except Superseded:
            raise
        except ProcessorError as error:
            with suppress(ProcessorError):
                self._checkpoints.finish(Status.FAILED, error=f"reset: {error}")
            raise
        return start

    def _position(self) -> Found:
        return self._sink.position() if self._rules.delivery is Delivery.EXACTLY_ONCE else None

    def _target(self, to_row: int, checkpoint: Checkpoint | None, position: Found) -> Target:
        """Find the row in the object. Only from the start on may it be another object than the job's."""
        started = checkpoint.start if checkpoint else None
        if started is None and position is None:
            raise PlaceMissing(
                "there is nothing to reset: the job has not started",
                hint="check --job-id, or --source, --topic and --partition, which make it",
            )
        said = current(position, checkpoint)
        pins = said.pins if isinstance(said, CommittedPosition) else started.pins if started else None
        source = self._source.describe(pins if to_row else None)
        if started is not None and started.source_url != source.url:
            raise Contradiction(
                f"the job reads {started.source_url}, not {source.url}", hint="give the new job another --job-id"
            )
        if to_row and pins is not None and pins.etag != source.pins.etag:
            raise SourceChanged(
                f"{source.url} has ETag {source.pins.etag}, the job read {pins.etag}",
                hint="row numbers of another object mean nothing; reset to the start, or put the object back",
            )
        return Target(self._find(to_row, source), source)

    def _find(self, to_row: int, source: SourceObject) -> Position:
        first = Position(0, source.first_row_byte)
        if to_row == 0:
            return first
        rows = 0
        # Whatever the policy: rows are counted alike, and this is a way behind a bad one.
        for batch in self._source.batches(first, skip_bad_rows=True):
            if batch.end.row >= to_row:
                return Position(to_row, batch.position_after(to_row - 1).byte_offset)
            rows = batch.end.row
        raise BadSetting(f"--to-row {to_row}: the object has {rows:,} rows", hint="rows count from 0")

    def _write_position(self, target: Target, start: JobStart) -> None:
        try:
            self._sink.commit(CommittedPosition(target.position, start.pins, start.shape, UNKNOWN_OFFSET, start.resets))
        except SinkFailed as error:
            raise Temporary(
                f"the job was reset, but its position in Kafka could not be written: {error.what}",
                hint="start the same command again; a run would go on from the new row as well",
            ) from error


def _announcement(target: Target, checkpoint: Checkpoint | None, position: Found) -> str:
    said = current(position, checkpoint)
    at = said.position.row if isinstance(said, CommittedPosition) else checkpoint.position.row if checkpoint else 0
    status = checkpoint.status if checkpoint else "not in the checkpoint table"
    changed = checkpoint is not None and checkpoint.start is not None and checkpoint.start.pins != target.source.pins
    return (
        f"The job is {status}, at row {at:,}; a run that is at work will end with 4.\n"
        f"It is to go on at row {target.position.row:,} of {target.source.url}"
        f"{', which has changed since the job started' if changed else ''}.\n"
        "The records it has sent stay in the topic: readers will see rows again that lie between."
    )
