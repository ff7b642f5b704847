"""Item or position changed between two attempts: the next run goes on rightly or refuses with 6, and never guesses."""

from __future__ import annotations

import pytest

from chaos.nemesis.course import Course
from chaos.nemesis.state import (
    CheckpointEdited,
    CheckpointLost,
    CheckpointRolledBack,
    PositionExpired,
    PositionReset,
)
from chaos.schedule import KillAtRow, KillAtStep, Plan
from chaos.tests.courses import BEHIND, INTERVAL_ROWS, LEVEL, ROWS, by
from harness.partition import offsets

pytestmark = pytest.mark.broker
AT_NOTHING = KillAtStep("committed", 1)  # 100 rows committed, the checkpoint counts none


class TestTheItem:
    @by("kafka-python")
    def test_a_lost_checkpoint_is_made_anew_from_the_position(self, course: Course) -> None:
        course.kill(BEHIND)
        lost = CheckpointLost(course)
        course.assert_finishes(lost, planted=lost.planted)
        assert course.told("resumed", "row") == [300]

    @by("confluent")
    def test_a_lost_checkpoint_of_a_done_job_sends_nothing_again(self, course: Course) -> None:
        assert course.run() == 0
        end = offsets(course.servers, course.topic).end
        lost = CheckpointLost(course)
        course.assert_finishes(lost, planted=lost.planted)
        assert offsets(course.servers, course.topic).end == end

    @by("kafka-python")
    def test_a_lost_checkpoint_and_then_an_expired_position_lose_no_row(self, course: Course) -> None:
        """All rows are alike here, so a rebuild from a wrong offset would take what is there for what comes next."""
        course.replace_object(b"a\n" + b"x\n" * ROWS, (b'{"a":"x"}',) * ROWS)
        course.kill(BEHIND)
        lost = CheckpointLost(course)
        course.kill(KillAtStep("resumed", 1))
        expired = PositionExpired(course)
        course.assert_finishes(lost, expired, planted=lost.planted)

    @by("confluent")
    @pytest.mark.parametrize("version", [1, 2, 3], ids=["claimed", "started", "first save"])
    def test_a_checkpoint_rolled_back_is_overtaken_by_the_position(self, course: Course, version: int) -> None:
        course.kill(BEHIND)
        rolled = CheckpointRolledBack(course, version=version)
        course.assert_finishes(rolled, planted=rolled.planted)
        assert course.told("resumed", "row") == [300]

    @by("kafka-python")
    def test_a_done_jobs_checkpoint_rolled_back_sends_nothing_again(self, course: Course) -> None:
        assert course.run() == 0
        end = offsets(course.servers, course.topic).end
        rolled = CheckpointRolledBack(course, version=4)
        course.assert_finishes(rolled, planted=rolled.planted)
        assert offsets(course.servers, course.topic).end == end

    @by("confluent")
    @pytest.mark.parametrize("lost", [True, False], ids=["lost", "rolled back behind the claim"])
    def test_a_checkpoint_that_vanishes_under_a_run_costs_a_restart_and_no_row(
        self, course: Course, lost: bool
    ) -> None:
        """Nobody has taken the job over, so it must not end with 4, after which nobody starts it again."""
        course.environment["CHECKPOINT_INTERVAL"] = "20"
        if not lost:
            course.kill(KillAtStep("saved", 3))  # or there is no earlier claim to go back to
        run = course.asleep_at("saved")
        changed = CheckpointLost(course) if lost else CheckpointRolledBack(course, version=3)
        assert course.woken(run).exit_code == 75, course.stderr
        assert "start the same command again" in course.stderr
        assert course.rows() == list(course.job.expected)
        course.assert_finishes(changed, planted=changed.planted)

    @by("confluent")
    def test_a_checkpoint_ahead_of_the_position_is_refused_until_it_is_mended(self, course: Course) -> None:
        course.kill(LEVEL)
        ahead = CheckpointEdited(course, last_line=400)
        course.assert_refuses(6, "counts 400 rows")
        mended = CheckpointEdited(course, last_line=300)
        course.assert_finishes(ahead, mended, planted=[*counting(course, 400), *mended.planted])

    @by("kafka-python")
    def test_a_checkpoint_that_names_an_offset_past_the_end_is_refused(self, course: Course) -> None:
        course.kill(LEVEL)
        ahead = CheckpointEdited(course, next_offset=5000)
        course.assert_refuses(6, "the job wrote up to 5000")
        assert ahead.struck

    def test_at_least_once_repeats_what_a_rollback_forgot_and_loses_nothing(self, loose: Course) -> None:
        loose.kill(LEVEL)
        rolled = CheckpointRolledBack(loose, version=3)
        assert loose.run() == 0, loose.stderr
        assert loose.verdict(rolled, planted=rolled.planted).names == {"Duplicate"}
        assert len(loose.rows()) == ROWS + 2 * INTERVAL_ROWS

    def test_at_least_once_refuses_a_checkpoint_that_counts_more_rows_than_records(self, loose: Course) -> None:
        loose.kill(LEVEL)
        ahead = CheckpointEdited(loose, last_line=400)
        loose.assert_refuses(6, "400 rows")
        assert ahead.struck


def counting(course: Course, last_line: int) -> list[int]:
    """The versions that carry a planted count on: a refused run writes its lease and its error beside it."""
    versions = course.world.cloud.checkpoint_versions(course.topic)
    return [number for number, version in enumerate(versions, start=1) if version.get("last_line") == last_line]


class TestThePosition:
    @pytest.mark.parametrize(
        ("death", "found"), [(AT_NOTHING, 100), (BEHIND, 100), (LEVEL, 0), (KillAtRow(250), 0)], ids=str
    )
    def test_an_expired_position_is_rebuilt_from_the_partition(self, course: Course, death: Plan, found: int) -> None:
        course.kill(death)
        expired = PositionExpired(course)
        course.assert_finishes(expired)
        assert course.told("rebuilt", "rows") == [found]

    @by("confluent")
    def test_a_rebuild_that_was_killed_is_done_again(self, course: Course) -> None:
        course.kill(BEHIND)
        expired = PositionExpired(course)
        course.kill(KillAtStep("rebuilt", 1))
        again = PositionExpired(course)
        course.assert_finishes(expired, again)

    @by("kafka-python")
    def test_an_expired_position_and_a_rolled_back_checkpoint_are_rebuilt_from_the_start(self, course: Course) -> None:
        course.kill(BEHIND)
        rolled, expired = CheckpointRolledBack(course, version=2), PositionExpired(course)
        course.assert_finishes(rolled, expired, planted=rolled.planted)
        assert course.told("rebuilt", "rows") == [300]

    def test_an_operators_reset_is_refused_until_it_is_undone(self, course: Course) -> None:
        course.kill(LEVEL)
        ours = course.position()
        assert ours is not None
        reset = PositionReset(course, offset=0)
        course.assert_refuses(6, "is not ours: it has no metadata")
        assert reset.struck
        undone = PositionReset(course, offset=ours[0], metadata=ours[1])
        course.assert_finishes(reset, undone)

    def test_at_least_once_does_not_look_at_an_operators_reset(self, loose: Course) -> None:
        loose.kill(LEVEL)
        loose.assert_finishes(PositionReset(loose, offset=0))
