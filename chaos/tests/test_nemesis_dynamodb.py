"""DynamoDB that throttles, refuses and does not answer: rows go on in exactly-once, and stop in at-least-once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_PAUSES
from chaos.nemesis.storage import (
    FOR_EVER,
    ONE_CALL,
    SAVES_BEFORE,
    AnswerLost,
    ConditionRefused,
    StorageNemesis,
    Throttled,
)
from chaos.tests.courses import count
from harness.workload import Shape, generate
from harness.world import World

pytestmark = pytest.mark.broker
ROWS, INTERVAL_ROWS = 600, 100
CLAIM, BEGIN, SAVE, FINISH = 0, 1, SAVES_BEFORE + 1, SAVES_BEFORE + ROWS // INTERVAL_ROWS
HINT = r"\(start (the same command again|one run at a time)\)"


@pytest.fixture(scope="module")
def job() -> Job:
    workload = generate(51, rows=ROWS, shape=Shape(columns=3))
    settings = {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS), **SHORT_PAUSES}  # ONE_CALL counts on them
    return Job(workload.csv, workload.values("json"), "confluent", settings=settings)


@pytest.fixture
def course(world: World, job: Job) -> Iterator[Course]:
    with Course(world, job) as opened:
        yield opened


@pytest.fixture
def loose(world: World, job: Job) -> Iterator[Course]:
    """A course in at-least-once."""
    with Course(world, replace(job, delivery="at-least-once")) as opened:
        yield opened


def ends_with_75(course: Course, nemesis: StorageNemesis, *, rows: int) -> None:
    """One line with a hint, so many rows visible, and the strike proven."""
    assert course.run() == 75, course.stderr
    assert course.stderr.count("\n") == 1, course.stderr
    assert re.search(HINT, course.stderr), course.stderr
    assert course.rows() == list(course.job.expected[:rows])
    assert nemesis.struck, nemesis.name


# The answer to a request that was refused or lost is asked for again: so one more request passes for each of them.
EVERY_KIND = (CLAIM, BEGIN - CLAIM, SAVE - BEGIN, FINISH - SAVE)
PASSING = {"throttled": Throttled, "the answer lost after the effect": AnswerLost}


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_fault_of_one_request_is_not_noticed_at_claim_begin_save_and_finish(
    world: World, job: Job, delivery: str, fault: Callable[..., StorageNemesis]
) -> None:
    with Course(world, replace(job, delivery=delivery)) as course:
        nemeses = [fault(skip=skip) for skip in EVERY_KIND]
        for nemesis in nemeses:
            nemesis.strike(world.cloud)
        assert course.run() == 0, course.stderr
        assert not count(course.attempts[-1], "retrying")
        assert all(len(nemesis.hits) == len(nemeses) for nemesis in nemeses)
        course.assert_valid(*nemeses)


LOST = {"throttled": Throttled, "refused": ConditionRefused, "unanswered": AnswerLost}


def whole_call(fault: str, *, skip: int) -> StorageNemesis:
    """The fault for as many requests as make one call fail; a refused condition is not sent again by botocore."""
    return LOST[fault](skip=skip, times=1 if fault == "refused" else ONE_CALL)


@pytest.mark.parametrize("fault", ["throttled", "unanswered"])
def test_a_claim_that_fails_ends_with_75_and_nothing_is_sent(course: Course, fault: str) -> None:
    nemesis = whole_call(fault, skip=CLAIM)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=0)
    course.assert_finishes(nemesis)


def test_a_claim_that_is_refused_without_reason_is_made_again(course: Course) -> None:
    nemesis = whole_call("refused", skip=CLAIM)
    nemesis.strike(course.world.cloud)
    course.assert_finishes(nemesis)


@pytest.mark.parametrize("fault", LOST)
def test_a_job_whose_start_cannot_be_saved_fences_again_and_goes_on(course: Course, fault: str) -> None:
    nemesis = whole_call(fault, skip=BEGIN)
    nemesis.strike(course.world.cloud)
    assert course.run() == 0, course.stderr
    assert count(course.attempts[-1], "retrying") == 1
    assert count(course.attempts[-1], "fenced") == 2
    course.assert_valid(nemesis)


@pytest.mark.parametrize("fault", LOST)
def test_exactly_once_goes_on_past_a_save_that_fails(course: Course, fault: str) -> None:
    nemesis = whole_call(fault, skip=SAVE)
    nemesis.strike(course.world.cloud)
    assert course.run() == 0, course.stderr
    assert count(course.attempts[-1], "retrying") == 1
    assert count(course.attempts[-1], "saved") == ROWS // INTERVAL_ROWS - 1
    course.assert_valid(nemesis)


@pytest.mark.parametrize(("fault", "repeated"), [("throttled", 100), ("refused", 100), ("unanswered", 0)])
def test_at_least_once_stops_at_a_save_that_fails_and_repeats_one_interval_at_most(
    loose: Course, fault: str, repeated: int
) -> None:
    nemesis = whole_call(fault, skip=SAVE)
    nemesis.strike(loose.world.cloud)
    ends_with_75(loose, nemesis, rows=2 * INTERVAL_ROWS)
    assert "rows are written, but" in loose.stderr
    assert loose.run() == 0, loose.stderr
    assert loose.verdict(nemesis).names == ({"Duplicate"} if repeated else set())
    assert len(loose.rows()) == ROWS + repeated


@pytest.mark.parametrize("fault", LOST)
def test_a_job_whose_end_cannot_be_saved_ends_with_75_and_the_next_run_says_done(course: Course, fault: str) -> None:
    nemesis = whole_call(fault, skip=FINISH)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=ROWS)
    assert "all rows are committed, but" in course.stderr
    assert course.checkpoint()["status"] == ("COMPLETED" if fault == "unanswered" else "FAILED")
    assert course.run() == 0, course.stderr
    assert not count(course.attempts[-1], "sent")
    course.assert_valid(nemesis)


@pytest.mark.parametrize("fault", LOST)
def test_no_claim_for_ever_ends_with_75_until_it_is_over(course: Course, fault: str) -> None:
    nemesis = LOST[fault](skip=CLAIM, times=FOR_EVER)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=0)
    nemesis.lift()
    course.assert_finishes(nemesis)


def test_no_read_for_ever_ends_with_75_until_it_is_over(course: Course) -> None:
    nemesis = Throttled(operation="GetItem", times=FOR_EVER)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=0)
    assert not course.checkpoint(), "a run that cannot read does not claim"
    nemesis.lift()
    course.assert_finishes(nemesis)


def test_no_start_for_ever_uses_up_the_attempts_and_ends_with_75(course: Course) -> None:
    nemesis = ConditionRefused(skip=BEGIN, times=FOR_EVER)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=0)
    assert "6 attempts without a committed row" in course.stderr
    nemesis.lift()
    course.assert_finishes(nemesis)


@pytest.mark.parametrize("fault", LOST)
def test_exactly_once_moves_every_row_while_no_save_succeeds_and_then_ends_with_75(course: Course, fault: str) -> None:
    nemesis = LOST[fault](skip=SAVE, times=FOR_EVER)
    nemesis.strike(course.world.cloud)
    ends_with_75(course, nemesis, rows=ROWS)
    nemesis.lift()
    assert course.run() == 0, course.stderr
    assert not count(course.attempts[-1], "sent")
    course.assert_valid(nemesis)


def test_at_least_once_repeats_one_interval_a_run_while_no_save_succeeds(loose: Course) -> None:
    nemesis = ConditionRefused(skip=SAVE, times=FOR_EVER)
    nemesis.strike(loose.world.cloud)
    ends_with_75(loose, nemesis, rows=2 * INTERVAL_ROWS)
    nemesis.lift()
    assert loose.run() == 0, loose.stderr
    assert loose.verdict(nemesis).names == {"Duplicate"}
    assert len(loose.rows()) == ROWS + INTERVAL_ROWS
