"""Signals, freezes and rivals: the exit code is the documented one, the drain is bounded, and no row suffers."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_PAUSES
from chaos.nemesis.network import Gate, Moment, save
from chaos.nemesis.rivals import ForcedAborts, Stranger
from chaos.nemesis.signals import (
    Frozen,
    Interrupted,
    KilledInDrain,
    RandomKill,
    Signals,
    Terminated,
    TerminatedTwice,
)
from chaos.nemesis.stage import Stage
from chaos.schedule import KillAtStep, kills_at_rows
from chaos.tests.courses import CLIENTS, INTERVAL_ROWS, ROWS, count, proxy_of
from harness.partition import Client
from harness.workload import Shape, generate
from harness.world import World

pytestmark = pytest.mark.broker
DRAIN_S = 30.0  # what Fargate grants between SIGTERM and SIGKILL
AT_ONCE_S = 12.0  # far less than any of the waits below, 20 s and more
IMPATIENT = {"KAFKA_TRANSACTION_TIMEOUT_MS": "4000"}  # bounds a delivery and a commit by 3 s
PATIENT = {"KAFKA_TRANSACTION_TIMEOUT_MS": "60000"}


@pytest.mark.parametrize("ask", [Terminated, Interrupted])
def test_a_request_to_end_is_met_and_the_next_run_goes_on(course: Course, ask: Callable[[], Signals]) -> None:
    nemesis = ask()
    run = course.asleep_at("committed")
    nemesis.strike(run, within_s=DRAIN_S)
    assert course.end(run).exit_code == 128 + nemesis.numbers[-1], course.stderr
    assert course.checkpoint()["status"] == "STOPPED"
    print(f"{nemesis.name}, {course.job.client}: {run.seconds:.2f} s")
    course.assert_finishes(nemesis)
    assert course.told("resumed", "row")[0] < ROWS


# The request at which the run waits.
WAITS: dict[str, tuple[str, Moment, Client]] = {
    **{f"for a fence, {name}": ("kafka", Moment("InitProducerId"), name) for name in CLIENTS},
    **{f"for a delivery, {name}": ("kafka", Moment("Produce", 3), name) for name in CLIENTS},
    **{f"for a commit, {name}": ("kafka", Moment("EndTxn", 3), name) for name in CLIENTS},
    "for rows": ("s3", Moment("GetObject", 2), "kafka-python"),
    "for a save": ("dynamodb", save(), "kafka-python"),
}


@pytest.mark.parametrize(("service", "moment", "client"), WAITS.values(), ids=WAITS.keys())
@pytest.mark.parametrize(
    ("ask", "within_s", "patience"),
    [(Terminated, DRAIN_S, IMPATIENT), (TerminatedTwice, AT_ONCE_S, PATIENT)],
    ids=["once", "twice"],
)
def test_a_run_that_waits_ends_soon_when_it_is_asked_and_at_once_when_it_is_asked_twice(
    stage: Stage,
    rows_600: Job,
    service: str,
    moment: Moment,
    client: Client,
    ask: Callable[[], Signals],
    within_s: float,
    patience: dict[str, str],
) -> None:
    gate, nemesis = Gate(replace(moment)), ask()
    with Course(stage, replace(rows_600, client=client)) as course:
        proxy_of(stage, service).switch_on(gate)
        run = course.start(None, **patience)
        gate.await_strike(within_s=30)
        nemesis.strike(run, within_s=within_s)
        course.end(run)
        print(f"{nemesis.name} while it waits at {moment}, {client}: {run.seconds:.2f} s")
        gate.lift()
        course.assert_finishes(nemesis, gate)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_that_is_killed_in_its_drain_leaves_nothing_half_done(
    stage: Stage, rows_600: Job, client: Client
) -> None:
    gate, nemesis = Gate(Moment("EndTxn", 3)), KilledInDrain()
    with Course(stage, replace(rows_600, client=client)) as course:
        stage.kafka.switch_on(gate)
        run = course.start()
        gate.await_strike(within_s=30)
        nemesis.strike(run, within_s=DRAIN_S)
        course.end(run)
        gate.lift()
        course.assert_finishes(nemesis, gate)


class TestFrozen:
    @pytest.fixture(params=CLIENTS)
    def course(self, request: pytest.FixtureRequest, stage: Stage, rows_600: Job) -> Course:
        settings = {"CHECKPOINT_INTERVAL": "20", "KAFKA_TRANSACTION_TIMEOUT_MS": "2000", **SHORT_PAUSES}
        with Course(stage, replace(rows_600, client=request.param, settings=settings)) as opened:
            yield opened

    def test_between_delivery_and_commit_it_is_fenced_and_repeats_the_batch_in_smaller_ones(
        self, course: Course
    ) -> None:
        frozen = Frozen()
        run = course.asleep_at("sent", 3)
        frozen.strike(course, run)
        assert course.woken(run).exit_code == 0, course.stderr
        course.assert_valid(frozen)
        assert "shut this producer out" in course.told("retrying", "error")[0]
        assert course.told("committed", "rows")[:4] == [20, 20, 10, 10]

    def test_in_its_commit_it_heals_by_itself_where_it_has_no_rival(self, stage: Stage, course: Course) -> None:
        gate, frozen = Gate(Moment("AddOffsetsToTxn", 3)), Frozen()
        stage.kafka.switch_on(gate)
        run = course.start()
        gate.await_strike(within_s=30)
        frozen.strike(course, run)
        gate.lift()
        assert course.woken(run).exit_code == 0, course.stderr
        assert count(course.attempts[-1], "retrying")
        course.assert_valid(frozen, gate)

    @pytest.mark.parametrize("in_commit", [False, True], ids=["before its commit", "in its commit"])
    def test_with_a_rival_it_wakes_up_as_a_zombie_and_exits_4(
        self, stage: Stage, course: Course, in_commit: bool
    ) -> None:
        gate, frozen = Gate(Moment("AddOffsetsToTxn", 3)), Frozen()
        if in_commit:
            stage.kafka.switch_on(gate)
            zombie = course.start()
            gate.await_strike(within_s=30)
        else:
            zombie = course.asleep_at("sent", 3)
        frozen.strike(course, zombie)
        assert course.run() == 0, course.stderr
        gate.lift()
        assert course.woken(zombie).exit_code == 4, course.stderr
        course.assert_valid(frozen, *([gate] if in_commit else []))


def test_of_two_runs_at_once_one_finishes_and_the_other_exits_4(course: Course) -> None:
    runs = [course.asleep_at("claimed"), course.asleep_at("claimed")]
    for run in runs:
        run.signal(signal.SIGCONT)
    codes = [course.end(run).exit_code for run in runs]
    assert codes == [4, 0], [run.stderr for run in runs]
    course.assert_valid()


@pytest.mark.parametrize("bare", CLIENTS)
def test_a_run_takes_its_transactional_id_back_from_a_stranger(course: Course, bare: Client) -> None:
    stranger = Stranger(bare)
    run = course.asleep_at("committed")
    stranger.strike(course)
    assert course.woken(run).exit_code == 0, course.stderr
    assert count(course.attempts[-1], "fenced") == 2
    course.assert_valid(stranger)


@pytest.fixture(params=CLIENTS)
def aborted(request: pytest.FixtureRequest, stage: Stage) -> Course:
    """Each abort halves the batches, down to a sixty-fourth: 320, then 160, and in the end 5."""
    workload = generate(16, rows=700, shape=Shape(columns=4))
    job = Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": "320", **SHORT_PAUSES})
    with Course(stage, replace(job, client=request.param)) as opened:
        yield opened


def test_a_run_gets_over_forced_aborts_of_a_third_of_its_transactions(stage: Stage, aborted: Course) -> None:
    nemesis = ForcedAborts(aborted, seed=2)
    stage.kafka.switch_on(nemesis)
    assert aborted.run() == 0, aborted.stderr
    confirmed = nemesis.confirmed()
    print(f"{nemesis.name}, {aborted.job.client}: {confirmed} of {nemesis.transactions} transactions aborted")
    assert confirmed == nemesis.chosen
    assert nemesis.transactions // 3 <= confirmed <= nemesis.transactions // 3 + 1
    assert count(aborted.attempts[-1], "fenced") == confirmed + 1
    assert count(aborted.attempts[-1], "committed") == nemesis.transactions - confirmed
    aborted.assert_valid(nemesis)


def test_a_run_whose_every_transaction_is_aborted_ends_with_75_and_the_next_one_goes_on(
    stage: Stage, aborted: Course
) -> None:
    nemesis = ForcedAborts(aborted, seed=1, all_of_them=True)
    stage.kafka.switch_on(nemesis)
    aborted.assert_refuses(75, "6 attempts without a committed row", nemesis)
    assert nemesis.chosen == 6
    nemesis.lift()
    aborted.assert_finishes(nemesis)


@pytest.mark.parametrize("client", CLIENTS)
def test_kills_from_outside_from_inside_and_in_the_recovery_leave_every_row_once(
    world: World, rows_600: Job, client: Client
) -> None:
    with Course(world, replace(rows_600, client=client, settings={"CHECKPOINT_INTERVAL": "5"})) as course:
        kills = [RandomKill(seed, longest_s=0.4) for seed in (1, 2)]
        for kill in kills:
            run = course.start()
            kill.strike(run)
            course.end(run)
        for step in ("fenced", "resumed"):  # the recovery, each time a step further
            course.kill(KillAtStep(step, 1))
        course.assert_finishes(*kills)


def test_kills_in_mid_batch_leave_aborted_rows_that_nobody_sees(course: Course) -> None:
    for kill in kills_at_rows(random.Random(9), rows=ROWS, kills=3, interval_rows=INTERVAL_ROWS):
        course.kill(kill)
    course.assert_finishes()
    evidence = course.evidence()
    assert evidence.uncommitted is not None
    assert len(evidence.uncommitted) > len(evidence.committed)
