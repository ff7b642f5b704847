"""The processor with a strike inside: `python -m chaos.victim run`, the plan in CHAOS_STRIKE.

The processor itself has no code for tests: the strike sits in a sink around the real one, and in the observer. Just
before it dies the victim writes a last line, step `struck`, that says how many rows were in flight. CHAOS_MUTANT names
a mutant: the processor is broken in that way before it starts. For CHAOS_SLEEP and CHAOS_HASTE see `nemesis.inside`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NoReturn

from chaos.batches import cut
from chaos.nemesis.inside import hurry, saving, sleeping
from chaos.schedule import KillAtRow, KillAtStep, KillInBatch, Plan, StopAtStep, parse
from processor.__main__ import leave, main
from processor.assembly import build_processor
from processor.model import (
    Batch,
    CommittedPosition,
    Destination,
    ForeignPosition,
    PartitionBounds,
)
from processor.ports import Observer, Sink, Step
from processor.processor import CSVToKafkaProcessor
from processor.settings import Settings
from processor.step_lines import StepLines
from processor.stop import StopSignal

VARIABLE = "CHAOS_STRIKE"
MUTANT_VARIABLE = "CHAOS_MUTANT"


class Strike:
    """Ends this process by SIGKILL, or asks it to end by SIGTERM, after a line that says so."""

    def __init__(self, plan: Plan, job_id: str) -> None:
        self.plan = plan
        self._job_id = job_id
        self.rows_in_flight = 0

    def land(self) -> NoReturn:
        """Die. No handler, no finally block and no buffer of this process comes after this."""
        self._signal(signal.SIGKILL)
        raise AssertionError("still alive after SIGKILL")

    def ask(self) -> None:
        """Have the main thread hear a SIGTERM."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        lines = StepLines(self._job_id, sys.stdout)
        lines.step("struck", strike=str(self.plan), rows_in_flight=self.rows_in_flight)  # type: ignore[arg-type]
        os.kill(os.getpid(), number)


class StrikingObserver:
    """Passes steps on, counts them, and dies at the planned one."""

    def __init__(self, inner: Observer, strike: Strike) -> None:
        self._inner = inner
        self._strike = strike
        self._seen: Counter[Step] = Counter()

    def step(self, step: Step, **fields: object) -> None:
        """Pass the step on; see `ports.Observer`."""
        self._inner.step(step, **fields)
        self._seen[step] += 1
        plan = self._strike.plan
        if isinstance(plan, KillAtStep | StopAtStep) and (plan.step, plan.time) == (step.value, self._seen[step]):
            self._strike.land() if isinstance(plan, KillAtStep) else self._strike.ask()


class StrikingSink:
    """Passes everything on, and dies in mid-batch when the planned row is in flight."""

    def __init__(self, inner: Sink, strike: Strike) -> None:
        self._inner = inner
        self._strike = strike
        self._batches = 0

    def describe(self) -> Destination:
        """See `ports.Sink`."""
        return self._inner.describe()

    def position(self) -> CommittedPosition | ForeignPosition | None:
        """See `ports.Sink`."""
        return self._inner.position()

    def bounds(self) -> PartitionBounds:
        """See `ports.Sink`."""
        return self._inner.bounds()

    def records(self, start_offset: int, *, committed: bool = True) -> Iterator[tuple[int, bytes]]:
        """See `ports.Sink`."""
        return self._inner.records(start_offset, committed=committed)

    def abort_lost(self) -> None:
        """See `ports.Sink`."""
        self._inner.abort_lost()

    def check(self, batch: Batch) -> None:
        """See `ports.Sink`."""
        self._inner.check(batch)

    def fence(self) -> None:
        """See `ports.Sink`."""
        self._inner.fence()

    def send(self, batch: Batch) -> int | None:
        """Send the batch, or die when the planned part of it is acknowledged."""
        self._batches += bool(batch.values)  # in one of skipped rows alone nothing is in flight
        count = self._rows_before_death(batch)
        if count:
            self._inner.send(cut(batch, count)[0])
            self._strike.rows_in_flight = count
            self._strike.land()
        self._strike.rows_in_flight = len(batch.values)
        return self._inner.send(batch)

    def _rows_before_death(self, batch: Batch) -> int:
        plan = self._strike.plan
        if isinstance(plan, KillAtRow) and batch.start.row < plan.row < batch.end.row:
            return sum(1 for row in batch.good_rows if row < plan.row)
        if isinstance(plan, KillInBatch) and plan.batch == self._batches and batch.values:
            return max(1, min(plan.records, len(batch.values) - 1))
        return 0

    def commit(self, committed: CommittedPosition) -> None:
        """See `ports.Sink`."""
        self._inner.commit(committed)
        self._strike.rows_in_flight = 0

    def discard(self) -> None:
        """See `ports.Sink`."""
        self._inner.discard()


def build_victim(settings: Settings, observer: Observer, stop: StopSignal) -> CSVToKafkaProcessor:
    """Return the real processor, with the strike of CHAOS_STRIKE around it if there is one."""
    plant_mutant()
    hurry()
    observer = sleeping(observer)
    build = partial(build_processor, saving=saving())
    planned = os.environ.get(VARIABLE)
    if not planned:
        return build(settings, observer, stop)
    strike = Strike(parse(planned), settings.job_id)
    return build(settings, StrikingObserver(observer, strike), stop, around=lambda sink: StrikingSink(sink, strike))


def plant_mutant() -> None:
    """Break the processor as CHAOS_MUTANT says, if it does. Raises NoSuchMutant."""
    if name := os.environ.get(MUTANT_VARIABLE):
        from chaos.mutants import apply  # noqa: PLC0415  # both clients and the fakes: only a mutant pays for them

        apply(name)


if __name__ == "__main__":
    leave(main(assemble=build_victim))
