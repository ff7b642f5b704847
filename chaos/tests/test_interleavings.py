"""Two and three real processors on one job, every interleaving of their calls: chaos.interleave, and its own tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chaos.interleave.board import Limits
from chaos.interleave.explore import Explored, Explorer, Violation
from chaos.interleave.replay import replay
from chaos.interleave.runs import Parts
from chaos.interleave.schedule import Schedule
from chaos.interleave.walk import Walker
from harness.fakes import FakeCheckpoints, FakeSink
from harness.fakes.partition import Producer
from processor.errors import Superseded
from processor.model import Batch, Checkpoint, CommittedPosition, ForeignPosition, Lease, Position
from processor.opening import Opened, Opening
from processor.processor import CSVToKafkaProcessor

SEED = 20261123
FAULTLESS = Limits(processors=2)
ONE_FAULT = Limits(processors=2, faults=1)


def explored(rows: int, parts: Parts, limits: Limits) -> Explored:
    found = Explorer(rows, parts, limits).explore()
    print(f"{limits}, {rows} rows, interval {parts.interval_rows}: {found}")
    assert found.violation is None, str(found.violation)
    return found


class TestEveryInterleaving:
    @pytest.mark.parametrize("interval_rows", [1, 2])
    def test_two_processors_without_a_fault_keep_every_rule(self, interval_rows: int) -> None:
        assert explored(2, Parts(interval_rows), FAULTLESS).interleavings > 10**7

    @pytest.mark.timeout(900)
    def test_two_processors_keep_every_rule_whatever_one_fault_does(self) -> None:
        assert explored(2, Parts(), ONE_FAULT).interleavings > 10**11

    def test_three_processors_keep_every_rule_with_one_preemption_and_one_fault(self) -> None:
        explored(2, Parts(interval_rows=2), Limits(processors=3, faults=1, preemptions=1))

    def test_three_processors_keep_every_rule_on_schedules_drawn_at_random(self) -> None:
        limits = Limits(processors=3, faults=4, may_hold=True)
        found = Walker(3, Parts(interval_rows=2), limits, seed=SEED).explore(100)
        print(f"seed {SEED}: {found}")
        assert found.violation is None, str(found.violation)


@pytest.mark.slow
@pytest.mark.timeout(7200)
class TestEveryInterleavingInFull:
    @pytest.mark.parametrize("interval_rows", [1, 2])
    def test_two_processors_keep_every_rule_whatever_two_faults_do(self, interval_rows: int) -> None:
        explored(2, Parts(interval_rows), Limits(processors=2, faults=2))

    @pytest.mark.parametrize("interval_rows", [1, 2])
    def test_a_request_that_arrives_late_breaks_no_rule(self, interval_rows: int) -> None:
        explored(2, Parts(interval_rows), Limits(processors=2, faults=1, may_hold=True))

    def test_three_processors_without_a_fault_keep_every_rule(self) -> None:
        explored(2, Parts(interval_rows=2), Limits(processors=3))

    @pytest.mark.parametrize("interval_rows", [1, 2])
    def test_three_processors_keep_every_rule_with_three_preemptions(self, interval_rows: int) -> None:
        explored(2, Parts(interval_rows), Limits(processors=3, preemptions=3))
        explored(2, Parts(interval_rows), Limits(processors=3, faults=1, preemptions=2))

    def test_many_schedules_drawn_at_random_keep_every_rule(self) -> None:
        limits = Limits(processors=3, faults=6, may_hold=True)
        found = Walker(5, Parts(interval_rows=2), limits, seed=SEED).explore(5_000)
        print(f"seed {SEED}: {found}")
        assert found.violation is None, str(found.violation)


class TestTheExplorerItself:
    def test_looking_runs_up_gives_what_live_runs_do(self) -> None:
        walker = Walker(2, Parts(), Limits(processors=3, faults=3, may_hold=True), seed=SEED)
        for _ in range(100):
            schedule, violation, world = walker.draw()
            live = replay(schedule)
            assert (live.wrong, live.world) == (violation and violation.what, world), str(schedule)

    @pytest.mark.parametrize("limits", [FAULTLESS, Limits(processors=1, faults=1, may_hold=True)], ids=str)
    def test_runs_that_remember_the_same_are_rightly_taken_for_one(self, limits: Limits) -> None:
        merged, apart = (Explorer(2, Parts(), limits, merges=merges) for merges in (True, False))
        assert merged.explore().states < apart.explore().states
        assert set(merged.board.worlds) == set(apart.board.worlds)

    def test_a_schedule_is_one_line_and_back(self) -> None:
        line = "processors=2 rows=2 interval=1: 1 1 2 1:dies-held 2 :rows :arrives-0 2:at-0"
        assert str(Schedule.parse(line)) == line

    def test_a_lone_undisturbed_run_has_one_schedule_but_for_when_its_markers_arrive(self) -> None:
        assert explored(2, Parts(), Limits(processors=1)).interleavings == 2


class ReadsThePositionBeforeTheFence(FakeSink):
    def fence(self) -> None:
        self._early = super().position()
        super().fence()

    def position(self) -> CommittedPosition | ForeignPosition | None:
        return self._early if self._producer else super().position()


class KeepsItsProducer(FakeSink):
    _first: Producer | None = None

    def fence(self) -> None:
        if self._first is None:
            super().fence()
            self._first = self._producer
        self._producer = self._first


class SavesWithoutTheEpochCondition(FakeCheckpoints):
    def _write(self, changes: Mapping[str, int | str | None]) -> None:
        self._update(changes, bool)  # any item will do


def claimed(seen: Checkpoint | None, owner: str) -> dict[str, int | str | None]:
    start = {} if seen else {"last_line": 0, "byte_offset": 0, "skipped": 0}
    return {"epoch": epoch_of(seen) + 1, "owner": owner, "status": "RUNNING", "error": None, **start}


def epoch_of(seen: Checkpoint | None) -> int:
    return seen.lease.epoch if seen else 0


class ClaimsByCountingUp(FakeCheckpoints):
    def _claim(self) -> Lease:
        seen = self._read()
        self._update(claimed(seen, self._owner), lambda _: True)
        self._epoch = epoch_of(seen) + 1
        return Lease(self._epoch, self._owner)


class TakesItsOwnClaimForARivals(FakeCheckpoints):
    def _claim(self) -> Lease:
        seen = self._read()
        if not self._update(claimed(seen, self._owner), lambda stored: stored.get("epoch", 0) == epoch_of(seen)):
            raise Superseded("somebody else has claimed", hint="leave it to the newer run")
        self._epoch = epoch_of(seen) + 1
        return Lease(self._epoch, self._owner)


class LooksNotForTheLease(CSVToKafkaProcessor):
    def _resume(self) -> Position:
        opening: Any = self._opening
        opening.require_lease = self._checkpoints.read
        return super()._resume()


class LeaseBeforeThePosition(Opening):
    """Before it was mended: a newer run's rows looked like a contradiction, its transaction like a stranger's."""

    _early: Checkpoint | None = None

    def resume(self) -> Opened:
        self._early = super().require_lease()
        try:
            return super().resume()
        finally:
            self._early = None

    def require_lease(self) -> Checkpoint:
        return self._early or super().require_lease()


class LooksForTheLeaseTooEarly(CSVToKafkaProcessor):
    def run(self) -> Position:
        self._opening.__class__ = LeaseBeforeThePosition
        return super().run()


class SavesBeforeItCommits(CSVToKafkaProcessor):
    def _send_and_commit(self, batch: Batch) -> int | None:
        self._save(batch.end, None)
        return super()._send_and_commit(batch)


PLANTED = {
    "position read before the fence": Parts(sink=ReadsThePositionBeforeTheFence),
    "no fence on a retry": Parts(sink=KeepsItsProducer),
    "save without the epoch condition": Parts(checkpoints=SavesWithoutTheEpochCondition),
    "claim by counting up": Parts(checkpoints=ClaimsByCountingUp),
    "its own claim, answer lost, taken for a rival's": Parts(checkpoints=TakesItsOwnClaimForARivals),
    "no look at the lease": Parts(processor=LooksNotForTheLease),
    "a look at the lease, but before the position": Parts(processor=LooksForTheLeaseTooEarly),
    "saves before it commits": Parts(processor=SavesBeforeItCommits),
}


class TestPlantedBugs:
    @pytest.mark.parametrize("name", PLANTED)
    def test_each_is_found_and_its_schedule_shows_it_again(self, name: str) -> None:
        found = first_violation(PLANTED[name])
        print(f"{name}: {found}")
        live = replay(found.schedule, PLANTED[name])
        assert live.wrong == found.what
        assert replay(found.schedule).wrong is None, "the sound processor fails there too"


def first_violation(parts: Parts) -> Violation:
    for limits in (FAULTLESS, ONE_FAULT):
        found = Explorer(2, parts, limits).explore().violation
        if found is not None:
            return found
    raise AssertionError("the explorer is blind to it")
