"""Kafka loses a commit that it has answered: the run after it loses no row, repeats none, and does not stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.lost import CommitLost, TransactionForgotten
from chaos.nemesis.stage import Stage
from chaos.schedule import KillAtRow, KillAtStep, Plan
from chaos.tests.courses import CLIENTS, INTERVAL_ROWS, LEVEL
from chaos.tests.test_nemesis_state import counting
from harness.broker import Broker
from harness.broker.jvm import JvmBroker
from harness.cloud import Cloud
from harness.partition import Client, offsets
from harness.world import World

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def trusting() -> Iterator[Broker]:
    """A broker that takes a producer's word for the transaction that it writes in."""
    with JvmBroker(properties={"transaction.partition.verification.enable": "false"}) as broker:
        yield broker


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("nth", "death"),
    [
        (1, KillAtStep("saved", 1)),
        (3, KillAtStep("saved", 3)),
        (3, KillAtStep("committed", 3)),
        (3, KillAtRow(350)),
    ],
    ids=["the first, counted", "the third, counted", "the third, not counted", "the third, the next one under way"],
)
@pytest.mark.parametrize("position_only", [False, True], ids=["rows and position", "position"])
def test_a_commit_that_was_lost_after_its_answer_costs_no_row_and_repeats_none(
    stage: Stage, rows_600: Job, client: Client, nth: int, death: Plan, position_only: bool
) -> None:
    with Course(stage, replace(rows_600, client=client)) as course:
        lost = CommitLost(course, nth=nth, position_only=position_only)
        stage.kafka.switch_on(lost)
        course.kill(death)
        stage.clear()
        assert len(course.rows()) == INTERVAL_ROWS * (nth - (not position_only))
        assert course.run() == 0, course.stderr
        assert course.told("resumed", "row") == [INTERVAL_ROWS * (nth - (not position_only))]
        course.assert_valid(lost, planted=counting(course, INTERVAL_ROWS * nth))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_forgotten_transaction_is_ended_and_the_run_goes_on(
    trusting: Broker, cloud: Cloud, rows_600: Job, client: Client
) -> None:
    with World(broker=trusting, cloud=cloud) as world, Course(world, replace(rows_600, client=client)) as course:
        course.kill(LEVEL)
        forgotten = TransactionForgotten(course)
        course.assert_finishes(forgotten)
        bounds = offsets(course.servers, course.topic)
        assert bounds.stable == bounds.end
        assert course.told("retrying", "error")[0].startswith("a transaction is open from offset")
