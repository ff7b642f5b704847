"""Topic, partition and transactions changed by others: the run goes on rightly or refuses, and never guesses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_CALLS
from chaos.nemesis.state import (
    IdExpired,
    PositionExpired,
    RecordsRemoved,
    StrangersTransaction,
    TailTruncated,
    TopicMadeAnew,
)
from chaos.schedule import KillAtStep, KillInBatch
from chaos.tests.courses import BEHIND, CLIENTS, INTERVAL_ROWS, LEVEL, by
from harness.broker import Broker
from harness.broker.jvm import JvmBroker
from harness.cloud import Cloud
from harness.partition import Client, offsets
from harness.world import World

pytestmark = pytest.mark.broker


class TestThePartition:
    @by("kafka-python")
    def test_a_topic_made_anew_is_refused_and_stays_empty(self, course: Course) -> None:
        course.kill(LEVEL)
        anew = TopicMadeAnew(course)
        course.assert_refuses(6, "the job writes to")
        assert anew.struck
        assert offsets(course.servers, course.topic).end == 0

    def test_at_least_once_refuses_a_topic_made_anew(self, loose: Course) -> None:
        loose.kill(LEVEL)
        anew = TopicMadeAnew(loose)
        loose.assert_refuses(6, "the job writes to")
        assert anew.struck

    @pytest.mark.parametrize("client", CLIENTS)
    @pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
    def test_a_topic_made_anew_under_a_run_is_refused_instead_of_going_on_in_it(
        self, world: World, rows_600: Job, client: Client, delivery: str
    ) -> None:
        slow = replace(rows_600, client=client, delivery=delivery, settings={"CHECKPOINT_INTERVAL": "5"})
        with Course(world, slow) as course:
            run = course.asleep_at("saved")
            anew = TopicMadeAnew(course)
            assert course.woken(run).exit_code == 6, course.stderr
            assert anew.struck
            assert course.run() == 6, course.stderr
            assert "the job writes to" in course.stderr

    @by("confluent")
    def test_a_job_with_a_position_goes_on_when_retention_took_everything(self, course: Course) -> None:
        course.kill(BEHIND)
        removed = RecordsRemoved(course, before_offset=offsets(course.servers, course.topic).end)
        assert course.run() == 0, course.stderr
        assert removed.struck
        assert course.rows() == list(course.job.expected[300:])

    def test_an_expired_position_is_rebuilt_when_retention_took_only_what_was_saved(self, course: Course) -> None:
        course.kill(BEHIND)
        removed = RecordsRemoved(course, before_offset=course.checkpoint()["next_offset"])
        expired = PositionExpired(course)
        assert course.run() == 0, course.stderr
        assert removed.struck and expired.struck
        assert course.told("rebuilt", "rows") == [100]
        assert course.rows() == list(course.job.expected[200:])

    def test_an_expired_position_goes_on_when_retention_took_everything_but_nothing_unsaved(
        self, course: Course
    ) -> None:
        course.kill(LEVEL)
        removed = RecordsRemoved(course, before_offset=offsets(course.servers, course.topic).end)
        expired = PositionExpired(course)
        assert course.run() == 0, course.stderr
        assert removed.struck and expired.struck
        assert course.rows() == list(course.job.expected[300:])

    def test_an_expired_position_is_refused_when_retention_took_unsaved_rows(self, course: Course) -> None:
        course.kill(BEHIND)
        removed = RecordsRemoved(course, before_offset=course.checkpoint()["next_offset"] + 50)
        expired = PositionExpired(course)
        before = course.rows()
        assert course.run() == 6, course.stderr
        assert "retention removed the records" in course.stderr
        assert removed.struck and expired.struck
        assert course.rows() == before

    @by("kafka-python")
    def test_a_strangers_open_transaction_holds_a_rebuild_up_until_it_is_aborted(self, course: Course) -> None:
        course.kill(BEHIND)
        expired, stranger = PositionExpired(course), StrangersTransaction(course)
        course.assert_refuses(75, "a transaction is open on the partition", **SHORT_CALLS)
        stranger.abort()
        course.assert_finishes(expired, stranger)

    def test_a_strangers_record_among_ours_is_refused_in_a_rebuild(self, course: Course) -> None:
        course.kill(BEHIND)
        expired, stranger = PositionExpired(course), StrangersTransaction(course)
        stranger.commit()
        assert course.run() == 6, course.stderr
        assert "is not row 300 of the object" in course.stderr
        assert expired.struck and stranger.struck
        assert course.rows() == [*course.job.expected[:300], b"a stranger's"]


@pytest.fixture(scope="module")
def forgetful() -> Iterator[Broker]:
    """A broker that forgets an idle transactional id within seconds, and that a test may kill."""
    properties = {
        "transactional.id.expiration.ms": "2000",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
        "producer.id.expiration.ms": "2000",
        "producer.id.expiration.check.interval.ms": "500",
    }
    with JvmBroker(properties=properties) as broker:
        yield broker


@pytest.fixture(params=CLIENTS)
def mortal(request: pytest.FixtureRequest, forgetful: Broker, cloud: Cloud, rows_600: Job) -> Iterator[Course]:
    with (
        World(broker=forgetful, cloud=cloud) as world,
        Course(world, replace(rows_600, client=request.param)) as opened,
    ):
        yield opened


@pytest.mark.slow
class TestTheTail:
    @by("kafka-python", "mortal")
    @pytest.mark.parametrize("lost", [INTERVAL_ROWS, INTERVAL_ROWS + 1], ids=["rows", "rows and a marker"])
    def test_a_truncated_tail_is_refused(self, mortal: Course, lost: int) -> None:
        mortal.kill(LEVEL)
        cut = TailTruncated(mortal, mortal.world.broker, from_offset=mortal.checkpoint()["next_offset"] - lost)
        mortal.assert_refuses(6, f"the partition ends at offset {cut.end}")
        assert cut.struck

    @by("confluent", "mortal")
    def test_a_done_job_whose_tail_was_truncated_is_refused(self, mortal: Course) -> None:
        assert mortal.run() == 0
        cut = TailTruncated(mortal, mortal.world.broker, from_offset=mortal.checkpoint()["next_offset"] - INTERVAL_ROWS)
        mortal.assert_refuses(6, f"the partition ends at offset {cut.end}")
        assert cut.struck

    @by("confluent", "mortal")
    def test_a_tail_that_was_truncated_behind_the_checkpoint_is_refused_too(self, mortal: Course) -> None:
        """The position counts the rows that are gone, and the markers of many commits must not make up for them."""
        mortal.environment["CHECKPOINT_INTERVAL"] = "10"
        mortal.kill(KillAtStep("committed", 30))
        cut = TailTruncated(mortal, mortal.world.broker, from_offset=mortal.checkpoint()["next_offset"] + 1)
        assert cut.struck
        position = mortal.position()
        assert position is not None and position[0] == 300 == len(mortal.rows()) + 10
        mortal.assert_refuses(6, f"the partition ends at offset {cut.end}")

    @pytest.mark.parametrize("mortal", CLIENTS, indirect=True)
    def test_a_tail_that_lost_a_commit_marker_under_an_open_transaction_is_refused(self, mortal: Course) -> None:
        """The next fence ends the dead run's transaction with a marker that takes the committed rows back."""
        mortal.kill(KillInBatch(3, INTERVAL_ROWS // 2))
        cut = TailTruncated(mortal, mortal.world.broker, from_offset=mortal.checkpoint()["next_offset"])
        mortal.assert_refuses(6, "it is gone")
        assert cut.struck


class TestTransactions:
    def test_an_expired_transactional_id_is_taken_anew(self, mortal: Course) -> None:
        mortal.kill(BEHIND)
        mortal.assert_finishes(IdExpired(mortal))

    def test_an_id_that_expires_under_a_sleeping_run_makes_it_fence_again(self, mortal: Course) -> None:
        run = mortal.asleep_at("saved")
        expired = IdExpired(mortal)
        assert mortal.woken(run).exit_code == 0, mortal.stderr
        mortal.assert_valid(expired)
        steps = [step.name for step in mortal.attempts[-1].steps]
        assert "fenced" in steps[steps.index("asleep") :]
