"""A stop takes five seconds at most beyond the commit at hand, by either client, whatever else the run waits for."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.network import Gate, Moment, save
from chaos.nemesis.stage import Stage
from chaos.tests.courses import CLIENTS, INTERVAL_ROWS, ROWS, proxy_of
from harness.history import Attempt
from harness.target import Target

pytestmark = pytest.mark.broker
BOUND_S = 5.0  # what docs/operations.md promises
SLACK_S = 1.0  # of a busy machine: a process ends, and we look ten times a second
HELD_S = 3.0


@pytest.fixture(params=CLIENTS)
def course(request: pytest.FixtureRequest, stage: Stage, rows_600: Job) -> Iterator[Course]:
    with Course(stage, replace(rows_600, client=request.param)) as opened:
        yield opened


def stopped(course: Course, run: Target, number: signal.Signals) -> tuple[Attempt, float, float]:
    """Send the signal; return the attempt, when it was asked and when it had ended, by the clock of its lines."""
    asked = time.time()
    run.signal(number)
    ended = course.end(run)
    return ended, asked, time.time()


def last_commit_s(attempt: Attempt) -> float:
    return max((step.at_s or 0.0 for step in attempt.steps if step.name == "committed"), default=0.0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
@pytest.mark.parametrize("after", [1, 3])
def test_healthy_run_says_how_long_its_stop_took_and_keeps_the_bound(
    course: Course, number: signal.Signals, after: int
) -> None:
    run = course.start(MAX_ROWS_PER_S="200")
    run.await_step(
        lambda step: step.name == "committed" and (step.next_row or 0) >= after * INTERVAL_ROWS,
        within_s=30,
        what=f"{after} commits",
    )
    attempt, asked, ended = stopped(course, run, number)
    assert attempt.exit_code == 128 + number, course.stderr
    last = attempt.steps[-1]
    assert last.name == "stopped"
    assert last.fields["stop_ms"] / 1000 == pytest.approx((last.at_s or 0.0) - asked, abs=0.5)
    assert ended - max(asked, last_commit_s(attempt)) <= BOUND_S
    assert course.checkpoint()["status"] == "STOPPED"
    print(f"{course.job.client}, {number.name}: {last.fields['stop_ms']} ms")
    course.assert_finishes()
    assert 0 < course.told("resumed", "row")[0] < ROWS


@pytest.mark.parametrize(
    ("service", "moment"),
    [
        ("dynamodb", save()),
        ("s3", Moment("GetObject", 2)),
        ("kafka", Moment("InitProducerId")),
    ],
    ids=["a save", "rows", "a fence"],
)
def test_run_that_waits_for_what_is_no_commit_keeps_the_bound(
    stage: Stage, course: Course, service: str, moment: Moment
) -> None:
    gate = Gate(replace(moment))
    proxy_of(stage, service).switch_on(gate)
    run = course.start()
    gate.await_strike(within_s=30)
    time.sleep(1)  # so that the loop waits too, for the save of the batch before
    attempt, asked, ended = stopped(course, run, signal.SIGTERM)
    assert attempt.exit_code == 143, course.stderr
    assert ended - max(asked, last_commit_s(attempt)) <= BOUND_S + SLACK_S
    print(f"{course.job.client} while it waits at {moment}: {ended - asked:.2f} s; {course.stderr.strip()}")
    gate.lift()
    course.assert_finishes(gate)


def test_commit_at_hand_is_finished_and_the_bound_begins_behind_it(stage: Stage, course: Course) -> None:
    gate = Gate(Moment("EndTxn", 3))
    stage.kafka.switch_on(gate)
    run = course.start()
    gate.await_strike(within_s=30)
    asked = time.time()
    run.signal(signal.SIGTERM)
    time.sleep(HELD_S)
    gate.lift()
    attempt = course.end(run)
    ended, committed = time.time(), last_commit_s(attempt)
    assert attempt.exit_code == 143, course.stderr
    assert committed >= asked + HELD_S - 0.1, "the commit at hand was given up"
    assert ended - committed <= BOUND_S
    assert attempt.steps[-1].fields["stop_ms"] >= 1000 * (HELD_S - 0.1)
    course.assert_finishes(gate)
    assert course.told("resumed", "row") == [3 * INTERVAL_ROWS]
