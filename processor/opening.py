"""How a run opens: preflight, claim, and after each fence the decision where to go on.

Each step protects the next. Preflight refuses a mistaken run before it can disturb a healthy one; the claim makes
this run the owner of the job; the fence shuts out every earlier producer, so that the position read after it is
final; the decision itself is the pure function `resume.decide`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from processor.errors import Contradiction, Superseded, Temporary
from processor.lost_commits import abort_open, from_the_start, is_next_row, require_counted, was_taken_back
from processor.model import (
    UNKNOWN_OFFSET,
    BadRows,
    Batch,
    Checkpoint,
    CommittedPosition,
    Delivery,
    Destination,
    JobStart,
    Lease,
    PartitionBounds,
    Position,
    SourceObject,
    Status,
)
from processor.ports import Checkpoints, Sink, Source
from processor.resume import (
    Found,
    Rebuild,
    check_complete,
    check_identity,
    current,
    decide,
    known_resets,
    match_committed,
    of_the_same_object,
    require_record,
    require_tail,
)
from processor.stop import Clock

SETTLE_S = 10.0  # a commit marker on its way, a transaction of a dead stranger: longer is another failure
LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class JobRules:
    """What of the settings decides about rows: the delivery, the fingerprint of all that shapes records, and bad rows.

    Those are no part of the shape: a job may go on with another policy than it began with.
    """

    delivery: Delivery
    shape: str
    bad_rows: BadRows = BadRows.FAIL


@dataclass(frozen=True, slots=True)
class Opened:
    """Where this attempt goes on. `next_offset` is set when the checkpoint lags behind and is to be saved first.

    `end` is where the partition ended when nothing was in flight: no record of this attempt can come before it.
    `last_offset` is that of the last committed record, as in CommittedPosition. `counted` is the row of the checkpoint,
    which is ahead of `position` where Kafka took a commit back: nothing less can be saved.
    """

    position: Position
    next_offset: int | None
    end: int
    last_offset: int = UNKNOWN_OFFSET
    rebuilt_rows: int | None = None
    counted: int = 0


class Opening:
    """Opens a run; keeps the object and the lease that it opened with."""

    def __init__(self, source: Source, sink: Sink, checkpoints: Checkpoints, rules: JobRules, clock: Clock) -> None:
        self._source, self._sink, self._checkpoints = source, sink, checkpoints
        self._rules = rules
        self._clock = clock
        self._object: SourceObject | None = None
        self._destination: Destination | None = None
        self._lease: Lease | None = None
        self._resets = 0
        self._aborted_lost = False

    def preflight(self) -> Position | None:
        """Refuse whatever can be refused before the claim; return the end of a job that is completed already."""
        self._destination = self._sink.describe()
        checkpoint = self._checkpoints.read()
        position = current(self._position(), checkpoint)
        pins = None  # while no row is committed, the newest object is the right one
        if isinstance(position, CommittedPosition):
            pins = position.pins
        elif checkpoint is not None and checkpoint.start is not None and checkpoint.position.row > 0:
            pins = checkpoint.start.pins
        self._object = self._source.describe(pins)
        check_identity(
            checkpoint, position, source=self._object, shape=self._rules.shape, destination=self._destination
        )
        if checkpoint is None or checkpoint.status is not Status.COMPLETED:
            return None
        self._require_still_complete(checkpoint)
        return checkpoint.position

    def claim(self) -> Lease:
        """Take the job over."""
        self._lease = self._checkpoints.claim()
        return self._lease

    def require_lease(self) -> Checkpoint:
        """Return the checkpoint. Raises Superseded when a newer run owns it, Temporary when it is gone."""
        checkpoint = self._checkpoints.read()
        if checkpoint is None:
            raise Temporary(
                "the checkpoint is gone", hint="start the same command again; the position in Kafka is still known"
            )
        if self._lease is not None and checkpoint.lease.epoch < self._lease.epoch:
            raise Temporary(
                f"the checkpoint went back to epoch {checkpoint.lease.epoch} behind this run's claim",
                hint="start the same command again; the position in Kafka is still known",
            )
        if self._lease is None or checkpoint.lease != self._lease:
            raise Superseded(
                f"epoch {checkpoint.lease.epoch} of the job belongs to a newer run",
                hint="nothing to do: that run goes on; this one has stopped",
            )
        return checkpoint

    def resume(self) -> Opened:
        """After a fence: make sure that the job is still ours, read the position, and decide where to go on."""
        bounds = self._await_stable()
        if bounds.stable < bounds.end and self.exactly_once and not self._aborted_lost:
            self._aborted_lost = True  # once in a run: what stays open then is somebody else's
            abort_open(self._sink, self._position(), bounds)
        self._require_stable(bounds)
        position = self._position()
        # Read last, it vouches for both: whoever can have moved them since our fence has claimed the job before.
        checkpoint = self.require_lease()
        position = current(position, checkpoint)
        self._resets = known_resets(checkpoint, position)  # where they differ, `decide` refuses
        if isinstance(position, CommittedPosition) and position.pins != self.object.pins:
            self._object = self._source.describe(position.pins)  # committed by a run that died after our preflight
        decision = decide(
            self._rules.delivery,
            checkpoint,
            position,
            bounds=bounds,
            source=self.object,
            shape=self._rules.shape,
            destination=self.destination,
        )
        behind = self._require_record(position, bounds)
        if behind is not None and is_next_row(behind, self._rows_from(decision.position)):
            decision = Rebuild(decision.position, behind[0])
        elif isinstance(decision, Rebuild) and was_taken_back(self._sink, checkpoint, bounds):
            decision = from_the_start(checkpoint, self.object)
        if isinstance(decision, Rebuild):
            return self._rebuild(decision, checkpoint, bounds)
        last_offset = UNKNOWN_OFFSET
        if isinstance(position, CommittedPosition):
            last_offset = position.last_offset
            require_counted(self._sink, checkpoint, decision.position, bounds, self._rows_from)
        return replace(self._pinned(checkpoint, decision.position, bounds), last_offset=last_offset)

    def settle(self) -> PartitionBounds:
        """Wait until no transaction is open, and return the offsets then.

        Behind an open one, a dead stranger's say, committed records of ours would be invisible. Raises Temporary.
        """
        return self._require_stable(self._await_stable())

    def _await_stable(self) -> PartitionBounds:
        """Wait for it within SETTLE_S, and return the offsets then, whether it is or not."""
        deadline = self._clock.now() + SETTLE_S
        while (bounds := self._sink.bounds()).stable < bounds.end and self.exactly_once:
            if self._clock.now() > deadline:
                # A newer run's transaction is no trouble, and no reason to be started again. One that lost its end with
                # the tail of the partition is: nobody is going to end it.
                require_tail(self.require_lease(), None, bounds)
                break
            self._clock.pause(LOOK_AGAIN_S)
        return bounds

    def _require_stable(self, bounds: PartitionBounds) -> PartitionBounds:
        if bounds.stable < bounds.end and self.exactly_once:
            raise Temporary(
                f"a transaction is open on the partition from offset {bounds.stable} on, and it is not ours",
                hint="the job needs the partition for itself; start the same command again when it has ended",
            )
        return bounds

    def committed(self, position: Position, last_offset: int) -> CommittedPosition:
        """Say for Kafka what a position belongs to."""
        return CommittedPosition(position, self.object.pins, self._rules.shape, last_offset, self._resets)

    @property
    def object(self) -> SourceObject:
        """The object that preflight found."""
        if self._object is None:
            raise RuntimeError("preflight comes first")
        return self._object

    @property
    def destination(self) -> Destination:
        """The place that preflight found."""
        if self._destination is None:
            raise RuntimeError("preflight comes first")
        return self._destination

    @property
    def exactly_once(self) -> bool:
        """Whether the position lives in Kafka; otherwise the checkpoint is the position."""
        return self._rules.delivery is Delivery.EXACTLY_ONCE

    def _position(self) -> Found:
        return self._sink.position() if self.exactly_once else None

    def _pinned(self, checkpoint: Checkpoint, start: Position, bounds: PartitionBounds) -> Opened:
        """Pin a job that has no row yet, or whose checkpoint was lost; tell whether the checkpoint lags behind."""
        ahead = start.row < checkpoint.position.row  # it may not go back, and is right again after the next commits
        if (start.row == 0 and not ahead) or checkpoint.start is None:
            if checkpoint.start is not None:
                offset = checkpoint.start.start_offset
            else:
                offset = bounds.end if start.row == 0 else UNKNOWN_OFFSET
            self._checkpoints.begin(
                JobStart(
                    self.object.url, self.object.pins, self._rules.shape, self.destination, offset, resets=self._resets
                ),
                start,
                # One write with the rows it belongs to: a death between two would make a later rebuild read elsewhere.
                next_offset=bounds.end if start.row else None,
            )
        if not self.exactly_once or (start.row == 0 and not ahead):
            return Opened(start, None, bounds.end)
        # With nothing in flight, the end of the partition is the exact next offset.
        lags = start.row > checkpoint.position.row or checkpoint.next_offset != bounds.end
        return Opened(start, bounds.end if lags and not ahead else None, bounds.end, counted=checkpoint.position.row)

    def _rebuild(self, decision: Rebuild, checkpoint: Checkpoint, bounds: PartitionBounds) -> Opened:
        """The position expired: find the last committed row in the partition itself, and write the position anew."""
        records = of_the_same_object(self._sink.records(decision.offset), checkpoint, self.object)
        reached, last_offset = match_committed(records, self._rows_from(decision.position), decision.position)
        require_counted(self._sink, checkpoint, reached, bounds, self._rows_from)
        if reached.row > 0:
            self._sink.commit(self.committed(reached, last_offset))
        opened = self._pinned(checkpoint, reached, self._sink.bounds())
        return replace(opened, last_offset=last_offset, rebuilt_rows=reached.row - decision.position.row)

    def _rows_from(self, start: Position) -> Iterator[Batch]:
        # Whatever the policy is now: a bad row before the position was skipped, and has no record.
        return self._source.batches(start, skip_bad_rows=True)

    def _require_record(self, position: Found, bounds: PartitionBounds) -> tuple[int, bytes] | None:
        """Look for the last committed record, unless retention has taken it; return the one after it, if any."""
        if not isinstance(position, CommittedPosition) or position.last_offset < bounds.start:
            return None
        records = self._sink.records(position.last_offset)
        require_record(position, next(records, None))
        return next(records, None)

    def _require_still_complete(self, checkpoint: Checkpoint) -> None:
        """Look until it holds or the bound is over: the last commit may not have reached the group offset yet."""
        deadline = self._clock.now() + SETTLE_S
        while True:
            try:
                position, bounds = current(self._position(), checkpoint), self._sink.bounds()
                check_complete(checkpoint, position, bounds)
                self._require_record(position, bounds)
            except Contradiction:
                if self._clock.now() > deadline:
                    raise
                self._clock.pause(LOOK_AGAIN_S)
            else:
                return
