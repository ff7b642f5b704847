"""`ports.Checkpoints`: who owns the job, and what a save may overwrite."""

from __future__ import annotations

import pytest

from harness.tests.contracts.checkpoint_worlds import CheckpointWorld
from harness.tests.contracts.job import BEGINNING, LATER, START, lease_of
from processor.errors import CheckpointUnavailable, Contradiction, Superseded
from processor.model import Lease, Position, Status


class TestClaim:
    def test_first_claim_is_epoch_one_at_row_zero(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        checkpoint = run.read()
        assert checkpoint is not None
        assert checkpoint.lease == Lease(1, "me")
        assert checkpoint.status is Status.RUNNING
        assert checkpoint.position == Position(0, 0)
        assert checkpoint.start is None

    def test_claims_count_up_and_the_newest_owns_the_job(self, checkpoint_world: CheckpointWorld) -> None:
        first, second = checkpoint_world.run("first"), checkpoint_world.run("second")
        assert first.claim() == Lease(1, "first")
        assert second.claim() == Lease(2, "second")
        assert lease_of(first) == lease_of(second) == Lease(2, "second")
        assert first.claim() == Lease(3, "first")

    def test_claim_keeps_what_was_saved(self, checkpoint_world: CheckpointWorld) -> None:
        dead = checkpoint_world.run("dead")
        dead.claim()
        dead.begin(START, BEGINNING)
        dead.save(LATER, next_offset=25)
        run = checkpoint_world.run("heir")
        run.claim()
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.position, checkpoint.start, checkpoint.next_offset) == (LATER, START, 25)

    @pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED])
    def test_claim_sets_the_status_to_running_again(self, checkpoint_world: CheckpointWorld, status: Status) -> None:
        dead = checkpoint_world.run("dead")
        dead.claim()
        dead.finish(status, error="no broker")
        run = checkpoint_world.run("heir")
        run.claim()
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.status, checkpoint.error) == (Status.RUNNING, None)

    @pytest.mark.parametrize("claimed_before", [False, True])
    def test_two_racing_claims_get_two_epochs(self, checkpoint_world: CheckpointWorld, *, claimed_before: bool) -> None:
        if claimed_before:
            checkpoint_world.run("dead").claim()
        rival = checkpoint_world.run("rival")
        epochs = []
        racer = checkpoint_world.run_raced(
            "racer", before="UpdateItem", nth=1, rival=lambda: epochs.append(rival.claim().epoch)
        )
        racer.claim()
        assert len(epochs) == 1
        holder = lease_of(racer)
        assert holder is not None
        winner, loser = (racer, rival) if holder.owner == "racer" else (rival, racer)
        assert holder.epoch > 1 + claimed_before
        winner.begin(START, LATER)
        with pytest.raises(Superseded):
            loser.save(Position(11, 130), next_offset=None)

    @pytest.mark.parametrize("claimed_before", [False, True])
    def test_own_claim_with_a_lost_answer_is_recognised(
        self, checkpoint_world: CheckpointWorld, *, claimed_before: bool
    ) -> None:
        if claimed_before:
            checkpoint_world.run("dead").claim()
        run, lose = checkpoint_world.run_that_loses("me", answer="UpdateItem")
        lose()
        assert run.claim() == Lease(1 + claimed_before, "me")
        assert checkpoint_world.answers_lost == 1
        run.begin(START, LATER)


class TestSave:
    def test_position_and_next_offset_come_back(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.position, checkpoint.next_offset) == (LATER, 29)

    def test_without_a_next_offset_the_saved_one_stays(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        run.save(Position(12, 140, skipped=4), next_offset=None)
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.position.row, checkpoint.next_offset) == (12, 29)

    def test_is_refused_after_a_newer_claim(self, checkpoint_world: CheckpointWorld) -> None:
        old, new = checkpoint_world.run("old"), checkpoint_world.run("new")
        old.claim()
        old.begin(START, BEGINNING)
        new.claim()
        before = checkpoint_world.stored()
        with pytest.raises(Superseded):
            old.save(LATER, next_offset=None)
        with pytest.raises(Superseded):
            old.begin(START, BEGINNING)
        with pytest.raises(Superseded):
            old.finish(Status.FAILED, error="fenced")
        assert checkpoint_world.stored() == before

    def test_is_refused_when_another_run_made_the_deleted_item_anew(self, checkpoint_world: CheckpointWorld) -> None:
        old, new = checkpoint_world.run("old"), checkpoint_world.run("new")
        old.claim()
        checkpoint_world.delete()
        assert new.claim() == Lease(1, "new")  # the epoch alone cannot tell them apart
        with pytest.raises(Superseded):
            old.save(LATER, next_offset=None)

    def test_is_unavailable_when_the_item_went_back_behind_the_runs_own_claim(
        self, checkpoint_world: CheckpointWorld
    ) -> None:
        """Nobody has taken the job over by counting up, so the run must not end as if somebody had."""
        checkpoint_world.run("dead").claim()
        old, new = checkpoint_world.run("old"), checkpoint_world.run("new")
        assert old.claim() == Lease(2, "old")
        checkpoint_world.delete()
        assert new.claim() == Lease(1, "new")
        with pytest.raises(CheckpointUnavailable):
            old.save(LATER, next_offset=None)

    def test_never_goes_back(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        before = checkpoint_world.stored()
        with pytest.raises(Contradiction):
            run.save(Position(9, 110), next_offset=28)
        assert checkpoint_world.stored() == before

    def test_same_position_twice_is_fine(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, LATER)
        run.save(LATER, next_offset=None)
        checkpoint = run.read()
        assert checkpoint is not None
        assert checkpoint.position == LATER

    def test_with_a_lost_answer_is_recognised(self, checkpoint_world: CheckpointWorld) -> None:
        run, lose = checkpoint_world.run_that_loses("me", answer="UpdateItem")
        run.claim()
        run.begin(START, BEGINNING)
        lose()
        run.save(LATER, next_offset=None)
        assert checkpoint_world.answers_lost == 1
        checkpoint = run.read()
        assert checkpoint is not None
        assert checkpoint.position == LATER

    def test_item_deleted_in_mid_run_is_unavailable_and_is_not_made_anew(
        self, checkpoint_world: CheckpointWorld
    ) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        checkpoint_world.delete()
        with pytest.raises(CheckpointUnavailable):
            run.save(LATER, next_offset=None)
        with pytest.raises(CheckpointUnavailable):
            run.begin(START, BEGINNING)
        with pytest.raises(CheckpointUnavailable):
            run.finish(Status.STOPPED)
        assert checkpoint_world.stored() is None

    def test_item_made_anew_by_the_runs_own_claim_is_unavailable_until_it_is_begun(
        self, checkpoint_world: CheckpointWorld
    ) -> None:
        """A claim that was sent twice may come a second time when the item was deleted meanwhile."""
        run = checkpoint_world.run("me")
        run.claim()
        claimed = checkpoint_world.stored()
        assert claimed is not None
        run.begin(START, BEGINNING)
        checkpoint_world.delete()
        checkpoint_world.put(claimed)
        with pytest.raises(CheckpointUnavailable):
            run.save(LATER, next_offset=29)
        with pytest.raises(CheckpointUnavailable):
            run.finish(Status.COMPLETED, rows=10)
        run.finish(Status.FAILED, error="why")
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.start, checkpoint.position.row, checkpoint.status) == (None, 0, Status.FAILED)


class TestFinish:
    @pytest.mark.parametrize("late", [Status.FAILED, Status.STOPPED])
    def test_late_failure_does_not_take_the_jobs_end_back(
        self, checkpoint_world: CheckpointWorld, late: Status
    ) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.finish(Status.COMPLETED, rows=0)
        with pytest.raises(CheckpointUnavailable):
            run.finish(late, error="held up on its way")
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.status, checkpoint.rows, checkpoint.error) == (Status.COMPLETED, 0, None)
