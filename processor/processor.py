"""The run: open, then the loop; and what happens when something fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

from processor.dead_letters import KEPT_BYTES
from processor.errors import (
    AttemptsUsedUp,
    CheckpointUnavailable,
    Contradiction,
    ProcessorError,
    SinkFailed,
    SinkFenced,
    Stopped,
    Superseded,
    Temporary,
)
from processor.model import UNKNOWN_OFFSET, BadRows, Batch, Position, Status
from processor.opening import JobRules, Opening
from processor.pace import Pace
from processor.ports import Checkpoints, Observer, Sink, Source, Step
from processor.read_ahead import prefetch
from processor.save_beside import Save, beside, in_turn
from processor.stop import Clock, StopSignal

RETRY_WAITS_S = (1.0, 4.0, 16.0, 30.0, 60.0)
SMALLEST_SCALE = 1 / 64
NAMED_FAULTS = 10  # of a batch, in its one line about skipped rows
TOLD = ("row", "byte_start", "byte_end", "reason")  # of each


class CSVToKafkaProcessor:
    """Moves one object into one partition. One object of this class is one run.

    Guaranteed, in exactly-once: from the job's first offset on, committed readers see the good rows of the object
    once each, in file order, wherever this run ends and however. Not guaranteed: that a run which ends with an error
    has saved its checkpoint; the position in Kafka is the truth, and the next run reads it.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        checkpoints: Checkpoints,
        observer: Observer,
        *,
        rules: JobRules,
        pace: Pace | None = None,
        stop: StopSignal | None = None,
        read_ahead: Callable[[Iterator[Batch], Callable[[], None]], Generator[Batch, None, None]] = prefetch,
        saving: Callable[[Save], AbstractContextManager[Save]] = beside,
        clock: Clock | None = None,
    ) -> None:
        self._source, self._sink, self._checkpoints, self._observer = source, sink, checkpoints, observer
        self._stop = stop or StopSignal()
        self._pace = pace or Pace()
        self._read_ahead = read_ahead
        self._clock = clock or Clock(self._stop)
        self._opening = Opening(source, sink, checkpoints, rules, self._clock)
        self._saving = saving if self._opening.exactly_once else in_turn
        self._bad_rows = rules.bad_rows
        self._scale = 1.0
        self._failures = 0  # in a row, without a committed row between them
        self._attempt = 0
        self._epoch = 0
        self._end = 0  # of the partition, as far as this attempt knows
        self._last_offset = UNKNOWN_OFFSET  # of the last committed record, the same
        self._unsaved: tuple[Position, int | None] | None = None
        self._counted = 0  # the row of the checkpoint as this attempt found it, which may be ahead: see `Opened`

    def run(self) -> Position:
        """Bring the job to its end; return the position there. Raises ProcessorError for everything else."""
        try:
            done = self._opening.preflight()
            if done is not None:
                self._tell(Step.DONE, done, rows=0)
                return done
            lease = self._opening.claim()
            self._epoch = lease.epoch
            self._tell(Step.CLAIMED, owner=lease.owner)
            return self._run_claimed()
        except Exception as error:
            self._sink.discard()
            self._write_end(error)
            took: dict[str, Any] = {"stop_ms": self._stop.ms_since_asked()} if isinstance(error, Stopped) else {}
            self._tell(_last_step(error), error=str(error), **took)
            raise

    def _run_claimed(self) -> Position:
        while True:
            try:
                return self._complete(self._transfer(self._resume()))
            except (SinkFailed, CheckpointUnavailable) as failure:
                self._sink.discard()
                self._wait_before_retry(failure)

    def _transfer(self, start: Position) -> Position:
        """The loop: read, send, commit, save. Returns the position after the last row."""
        reached = start
        skip = self._bad_rows is not BadRows.FAIL
        kept_bytes = KEPT_BYTES if self._bad_rows is BadRows.DEAD_LETTER else 0
        batches = self._source.batches(start, scale=self._scale, skip_bad_rows=skip, kept_bytes=kept_bytes)
        read = self._read_ahead(batches, self._stop.check)
        with closing(read), self._saving(self._save) as save:
            for batch in read:
                self._stop.check()
                if batch.start != reached:
                    raise Contradiction(f"read {batch.start} after {reached}", hint="this is a bug; please report it")
                self._tell(Step.READ, batch.end)
                self._await_turn(batch)
                with self._stop.commit_at_hand():
                    next_offset = self._send_and_commit(batch)
                reached = batch.end
                save(reached, next_offset)
        return reached

    def _resume(self) -> Position:
        self._stop.check()
        if self._attempt:
            self._opening.require_lease()  # a run that was superseded must not fence the one that superseded it
        self._attempt += 1
        self._sink.fence()
        self._tell(Step.FENCED)
        opened = self._opening.resume()
        self._end, self._last_offset, self._counted = opened.end, opened.last_offset, opened.counted
        if opened.rebuilt_rows is not None:
            self._tell(Step.REBUILT, opened.position, rows=opened.rebuilt_rows)
        self._tell(Step.RESUMED, opened.position, size_bytes=self._opening.object.size_bytes)
        if opened.next_offset is not None:
            self._save(opened.position, opened.next_offset)
        return opened.position

    def _await_turn(self, batch: Batch) -> None:
        """Keep to the rate limit, if there is one."""
        wait_s = self._pace.wait_s(self._clock.now(), rows=len(batch.values), size_bytes=batch.size_bytes)
        if wait_s:
            self._clock.pause(wait_s)

    def _send_and_commit(self, batch: Batch) -> int | None:
        began = self._clock.now()
        next_offset = self._sink.send(batch)
        sent = self._clock.now()
        if next_offset is None and self._opening.exactly_once:
            # All are acknowledged, and nobody else writes here. No record of skipped rows moved the end.
            next_offset = self._sink.bounds().end if batch.values else self._end
        self._require_growth(batch, next_offset)
        self._tell(Step.SENT, batch.end, rows=len(batch.values))
        if batch.values:
            self._last_offset = UNKNOWN_OFFSET if next_offset is None else next_offset - 1
        self._sink.commit(self._opening.committed(batch.end, self._last_offset))
        self._failures = 0
        self._tell(
            Step.COMMITTED,
            batch.end,
            rows=len(batch.values),
            bytes=batch.size_bytes,
            send_ms=round((sent - began) * 1000, 1),
            commit_ms=round((self._clock.now() - sent) * 1000, 1),
        )
        if batch.faults:
            first = [{name: getattr(fault, name) for name in TOLD} for fault in batch.faults[:NAMED_FAULTS]]
            self._tell(Step.SKIPPED, batch.end, rows=len(batch.faults), first=first)
        return next_offset

    def _require_growth(self, batch: Batch, next_offset: int | None) -> None:
        """Refuse to commit into a partition that was cut or made anew under this run. Raises Contradiction."""
        if next_offset is None:
            return
        if next_offset - len(batch.values) < self._end:
            raise Contradiction(
                f"records were written from offset {next_offset - len(batch.values)} on, "
                f"where the partition had ended at {self._end}",
                hint="the topic was cut or made anew while the job ran: rows are gone; start a new job",
            )
        self._end = next_offset

    def _save(self, position: Position, next_offset: int | None) -> None:
        """Save the checkpoint. In exactly-once it may fail: the position in Kafka is the truth, the next save helps.

        In at-least-once the checkpoint is the position: there it is saved before the next batch is sent. What Kafka
        took back and is sent again is counted already, and the item may not go back: nothing is saved below it.
        """
        if position.row < self._counted:
            return
        try:
            self._checkpoints.save(position, next_offset=next_offset)
        except CheckpointUnavailable as error:
            if not self._opening.exactly_once:
                # An unsaved checkpoint is a lost position here: stop before the next batch, try nothing again.
                raise Temporary(f"rows are written, but {error.what}", hint=error.hint) from error
            self._unsaved = (position, next_offset)
            self._tell(Step.RETRYING, position, error=str(error))
            return
        self._unsaved = None
        self._tell(Step.SAVED, position)

    def _complete(self, end: Position) -> Position:
        self._opening.settle()  # when this run ends with 0, every reader can see every row
        try:
            self._save_unsaved()
            self._checkpoints.finish(Status.COMPLETED, rows=end.row)
        except CheckpointUnavailable as error:
            raise Temporary(f"all rows are committed, but {error.what}", hint=error.hint) from error
        self._sink.discard()
        self._tell(Step.DONE, end, rows=end.row - end.skipped)
        return end

    def _save_unsaved(self) -> None:
        if self._unsaved is not None:
            self._checkpoints.save(self._unsaved[0], next_offset=self._unsaved[1])

    def _write_end(self, error: Exception) -> None:
        """Say in the checkpoint how the run ended, if it owns the job; what ended the run stays the error."""
        if not self._epoch or isinstance(error, Superseded):
            return
        try:
            self._save_unsaved()
            if isinstance(error, Stopped):
                self._checkpoints.finish(Status.STOPPED)
            else:
                self._checkpoints.finish(Status.FAILED, error=str(error))
        except ProcessorError as second:
            error.add_note(f"and the checkpoint could not be written: {second}")

    def _wait_before_retry(self, failure: Temporary) -> None:
        """Wait longer each time; give up after five failures in a row without a committed row between them."""
        if isinstance(failure, SinkFenced):
            # The lease will tell a rival; if it is ours, a transaction took too long: make the next one smaller.
            self._scale = max(self._scale / 2, SMALLEST_SCALE)
        if self._failures == len(RETRY_WAITS_S):
            raise AttemptsUsedUp(
                f"{self._failures + 1} attempts without a committed row, the last: {failure.what}", hint=failure.hint
            ) from failure
        wait_s = RETRY_WAITS_S[self._failures] * random.uniform(0.75, 1.25)  # noqa: S311  # jitter, no secret
        self._failures += 1
        self._tell(Step.RETRYING, wait_s=round(wait_s, 1), error=str(failure))
        self._clock.pause(wait_s)

    def _tell(self, step: Step, position: Position | None = None, **fields: object) -> None:
        at = {} if position is None else {"row": position.row, "byte_offset": position.byte_offset}
        if position is not None and position.skipped:
            at["skipped"] = position.skipped
        self._observer.step(step, epoch=self._epoch, attempt=self._attempt, **at, **fields)


def _last_step(error: Exception) -> Step:
    if isinstance(error, Stopped):
        return Step.STOPPED
    if isinstance(error, ProcessorError) and not isinstance(error, Temporary):
        return Step.REFUSED
    return Step.FAILED
