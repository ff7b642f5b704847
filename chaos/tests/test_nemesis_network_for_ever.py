"""The network to Kafka, S3 and DynamoDB goes wrong for good: 75 within the bound, and the next start goes on.

The runs are in haste: a call has two or three seconds, a patient one has up to half a minute, and few tries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_CALLS
from chaos.nemesis.network import BlackHole, CutAfter, Delay, LoseAnswer, Moment, NetworkNemesis, Reset, claim, save
from chaos.nemesis.stage import Stage
from chaos.proxy import Direction
from chaos.tests.courses import CLIENTS, proxy_of
from harness.partition import Client
from harness.workload import Shape, generate

pytestmark = pytest.mark.broker
INTERVAL_ROWS = 100
TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT
LONG_S = 30.0  # longer than any call of a run in haste


@pytest.fixture(scope="module")
def job() -> Job:
    """An object of several parts, in twenty transactions; a delivery and a commit are bounded by 2.25 s."""
    workload = generate(17, rows=2000, shape=Shape(columns=5, repeat_rate=0))
    settings = {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS), "KAFKA_TRANSACTION_TIMEOUT_MS": "3000"}
    return Job(workload.csv, workload.values("json"), settings=settings)


def faults_from(moment: Callable[[], Moment]) -> dict[str, Callable[[], NetworkNemesis]]:
    """Every fault, from a moment on, for ever."""
    return {
        "resets": lambda: Reset(moment(), for_ever=True),
        "swallows requests": lambda: BlackHole(moment(), TO_SERVER),
        "swallows answers": lambda: BlackHole(moment(), TO_CLIENT),
        "delays": lambda: Delay(LONG_S, moment()),
        "cuts requests": lambda: CutAfter(moment(), TO_SERVER, after_bytes=20, for_ever=True),
        "cuts answers": lambda: CutAfter(moment(), TO_CLIENT, after_bytes=7, for_ever=True),
        "loses answers": lambda: LoseAnswer(moment(), for_ever=True),
    }


def ends_with_75_and_goes_on(stage: Stage, course: Course, service: str, nemesis: NetworkNemesis) -> None:
    """One line with a hint, a prefix of the rows visible; then the fault is lifted."""
    proxy_of(stage, service).switch_on(nemesis)
    assert course.end(course.start(None, **SHORT_CALLS)).exit_code == 75, course.stderr
    print(f"{nemesis.name}, {course.job.client}: gave up")
    assert course.stderr.count("\n") == 1, course.stderr
    assert "start the same command again" in course.stderr
    nemesis.lift()
    stage.reset()
    assert course.run() == 0, course.stderr


def third_commit() -> Moment:
    return Moment("EndTxn", 3)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", faults_from(third_commit).values(), ids=faults_from(third_commit))
def test_kafka_for_ever(stage: Stage, job: Job, fault: Callable[[], NetworkNemesis], client: Client) -> None:
    nemesis = fault()
    with Course(stage, replace(job, client=client)) as course:
        ends_with_75_and_goes_on(stage, course, "kafka", nemesis)
        course.assert_valid(nemesis)


@pytest.mark.parametrize("fault", faults_from(claim).values(), ids=faults_from(claim))
def test_dynamodb_for_ever_from_the_claim_on(stage: Stage, job: Job, fault: Callable[[], NetworkNemesis]) -> None:
    nemesis = fault()
    with Course(stage, job) as course:
        ends_with_75_and_goes_on(stage, course, "dynamodb", nemesis)
        course.assert_valid(nemesis)


def last_save() -> Moment:
    return save(20)


FEWER = ("resets", "swallows answers", "loses answers")  # the others look alike to a client that has a claim


@pytest.mark.parametrize("fault", [faults_from(last_save)[name] for name in FEWER], ids=FEWER)
def test_dynamodb_for_ever_from_the_last_save_on(stage: Stage, job: Job, fault: Callable[[], NetworkNemesis]) -> None:
    nemesis = fault()
    with Course(stage, job) as course:
        ends_with_75_and_goes_on(stage, course, "dynamodb", nemesis)
        course.assert_valid(nemesis)


@pytest.mark.parametrize("fault", [faults_from(save)[name] for name in FEWER], ids=FEWER)
def test_dynamodb_for_ever_from_a_save_on_in_at_least_once(
    stage: Stage, job: Job, fault: Callable[[], NetworkNemesis]
) -> None:
    nemesis = fault()
    with Course(stage, replace(job, delivery="at-least-once")) as course:
        ends_with_75_and_goes_on(stage, course, "dynamodb", nemesis)
        course.assert_repeats_at_most(INTERVAL_ROWS, nemesis)


def second_part() -> Moment:
    return Moment("GetObject", 3)


@pytest.mark.parametrize("fault", faults_from(second_part).values(), ids=faults_from(second_part))
def test_s3_for_ever(stage: Stage, job: Job, fault: Callable[[], NetworkNemesis]) -> None:
    nemesis = fault()
    with Course(stage, job) as course:
        ends_with_75_and_goes_on(stage, course, "s3", nemesis)
        course.assert_valid(nemesis)
