"""The check of fencing: a run that was shut out makes nothing visible any more. Pure."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from harness.anomaly import ZombieWrite
from harness.checks.case import Case, SentBatch
from harness.checks.generations import Generation
from harness.history import Attempt


def find_zombie_writes(case: Case) -> Iterator[ZombieWrite]:
    """Batches committed after a run of a later generation had fenced; see `ZombieWrite` for the two proofs.

    A zombie that dies before it can report its commit is not convicted here: its rows are then visible twice, and
    named Duplicate. At-least-once fences nobody.
    """
    if not case.exactly_once:
        return
    generations = case.generations
    runs = sorted(
        (run for run in case.evidence.attempts if run.number in generations), key=lambda run: generations[run.number]
    )
    known = (batch for batch in case.batches if batch.committed and batch.attempt in generations)
    later = _Later()
    found: list[ZombieWrite] = []
    for batch in sorted(known, key=lambda batch: generations[batch.attempt], reverse=True):
        generation = generations[batch.attempt]
        while runs and generations[runs[-1].number] > generation:
            newer = runs.pop()
            later.add(newer, generations[newer.number])
        proof = later.proof_against(batch)
        if proof is not None:
            found.append(_convicted(batch, generation, *proof))
    yield from reversed(found)


@dataclass(frozen=True, slots=True)
class _Resumed:
    """A later run read its position after it fenced; a commit before `sure_before_s` came before that fence."""

    row: int
    sure_before_s: float
    attempt: int
    generation: Generation


@dataclass(frozen=True, slots=True)
class _Fenced:
    """A later run's first fence."""

    at_s: float
    attempt: int
    generation: Generation


@dataclass(slots=True)
class _Later:
    """What the runs later than a batch tell: their first fence, and of where they resumed what may convict.

    `stairs` ascends in `row` and descends in `sure_before_s`: a run that resumed higher and can be surer convicts
    nothing that another does not.
    """

    first_fence: _Fenced | None = None
    stairs: list[_Resumed] = field(default_factory=list)

    def add(self, newer: Attempt, generation: Generation) -> None:
        fenced_s, sure_before_s, line_before_s = None, None, None
        for step in newer.steps:
            if step.name == "fenced" and fenced_s is None:
                fenced_s = step.at_s
            if step.name == "fenced" or fenced_s is None:
                sure_before_s = line_before_s
            if step.name == "resumed" and step.next_row is not None:
                sure_s = -math.inf if sure_before_s is None else sure_before_s
                self._step_up(_Resumed(step.next_row, sure_s, newer.number, generation))
            line_before_s = step.at_s
        if fenced_s is not None and (self.first_fence is None or fenced_s < self.first_fence.at_s):
            self.first_fence = _Fenced(fenced_s, newer.number, generation)

    def proof_against(self, batch: SentBatch) -> tuple[_Resumed | _Fenced, str] | None:
        below = bisect_left(self.stairs, batch.row_end, key=attrgetter("row"))
        committed_s = math.inf if batch.committed_at_s is None else batch.committed_at_s
        # Committed before the newer run can have fenced: it was no zombie, the newer run resumed too low.
        if below and committed_s > self.stairs[below - 1].sure_before_s:
            resumed = self.stairs[below - 1]
            return resumed, f"by_position: the newer run resumed at row {resumed.row}"
        fence = self.first_fence
        if fence is not None and batch.sent_at_s is not None and batch.sent_at_s > fence.at_s:
            return fence, f"by_clock: sent {batch.sent_at_s - fence.at_s:.3f} s after that fence"
        return None

    def _step_up(self, resumed: _Resumed) -> None:
        start = bisect_left(self.stairs, resumed.row, key=attrgetter("row"))
        stop = bisect_right(self.stairs, resumed.row, key=attrgetter("row"))
        if stop and self.stairs[stop - 1].sure_before_s <= resumed.sure_before_s:
            return
        while stop < len(self.stairs) and self.stairs[stop].sure_before_s >= resumed.sure_before_s:
            stop += 1
        self.stairs[start:stop] = [resumed]


def _convicted(batch: SentBatch, generation: Generation, by: _Resumed | _Fenced, proof: str) -> ZombieWrite:
    return ZombieWrite(
        row=batch.row,
        rows=batch.row_end - batch.row,
        attempt=batch.attempt,
        epoch=generation[1],
        fenced_by_attempt=by.attempt,
        fenced_by_epoch=by.generation[1],
        proof=proof,
    )
