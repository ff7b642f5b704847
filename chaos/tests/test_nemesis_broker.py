"""The broker dies, restarts or freezes in the middle of a transaction or of a commit of both clients at once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.broker import (
    AFTER_COMMIT,
    BEFORE_COMMIT,
    IN_TRANSACTION,
    BrokerFrozen,
    BrokerGone,
    BrokerKilled,
    BrokerNemesis,
    BrokerStopped,
    When,
)
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_CALLS
from chaos.nemesis.stage import Stage
from chaos.tests.courses import CLIENTS
from harness.partition import Client
from harness.workload import Shape, generate

# Slow: a broker takes seconds to come back, and each client its time to notice.
pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def job() -> Job:
    workload = generate(14, rows=1000, shape=Shape(columns=4))
    settings = {"CHECKPOINT_INTERVAL": "50", "KAFKA_TRANSACTION_TIMEOUT_MS": "4000"}
    return Job(workload.csv, workload.values("json"), settings=settings)


@pytest.mark.parametrize("when", [IN_TRANSACTION, BEFORE_COMMIT, AFTER_COMMIT], ids=lambda when: when.name)
@pytest.mark.parametrize("blow", [BrokerKilled, BrokerStopped, BrokerFrozen])
def test_a_run_goes_on_after_its_broker_was_struck(
    stage: Stage, job: Job, blow: type[BrokerNemesis], when: When
) -> None:
    with ExitStack() as opened:
        courses = [opened.enter_context(Course(stage, replace(job, client=client))) for client in CLIENTS]
        nemesis = blow(when, [course.topic for course in courses])
        stage.kafka.switch_on(*nemesis.gates)
        runs = [course.start() for course in courses]
        nemesis.strike(stage.broker)
        for course, run in zip(courses, runs, strict=True):
            assert course.end(run, within_s=90).exit_code == 0, f"{course.job.client}: {run.stderr}"
            print(f"{nemesis.name}, {course.job.client}: {run.seconds:.1f} s")
        for course in courses:
            course.assert_valid(nemesis)


@pytest.mark.parametrize("client", CLIENTS)
def test_broker_and_run_die_together_in_mid_commit_and_the_next_run_goes_on(
    stage: Stage, job: Job, client: Client
) -> None:
    with Course(stage, replace(job, client=client)) as course:
        nemesis = BrokerKilled(AFTER_COMMIT, [course.topic])
        stage.kafka.switch_on(*nemesis.gates)
        run = course.start()
        nemesis.gates[0].await_strike(within_s=60)
        course.kill_now(run)
        nemesis.strike(stage.broker)
        stage.clear()
        course.assert_finishes(nemesis)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_broker_that_stays_away_ends_the_run_with_75_and_the_next_one_goes_on(
    stage: Stage, job: Job, client: Client
) -> None:
    with Course(stage, replace(job, client=client)) as course:
        nemesis = BrokerGone(IN_TRANSACTION, [course.topic])
        stage.kafka.switch_on(*nemesis.gates)
        run = course.start(None, **SHORT_CALLS)
        try:
            nemesis.strike(stage.broker)
            assert course.end(run).exit_code == 75, course.stderr
            assert course.stderr.count("\n") == 1, course.stderr
        finally:
            stage.broker.start()
        stage.clear()
        course.assert_finishes(nemesis)
