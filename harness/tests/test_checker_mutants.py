"""What mutants taught the judge: one planted case each, and beside it an innocent look-alike."""

from dataclasses import replace

from harness.checker import Validity, judge
from harness.history import Attempt, CheckpointVersion
from harness.tests.planted_run import clean_records, clean_run, run_steps, step, version

RUN = clean_run()


def test_position_that_a_later_run_found_without_its_rows_is_a_torn_transaction() -> None:
    halved = (*run_steps(0, 4), step("sent", row=6, rows=2, ts=6), step("committed", row=6, rows=2, ts=7))
    visible = clean_records([0, 1, 2, 3, 4, 5, 8, 9, 10, 11])
    attempts = (Attempt(1, None, 9, halved), Attempt(2, 0, None, run_steps(8, 12, epoch=2)))
    run = replace(RUN, attempts=attempts, committed=visible, uncommitted=visible, live=visible, checkpoints=())
    verdict = judge(run)
    assert verdict.names == {"TornTransaction", "Lost", "SilentSuccess"}
    assert "attempt 2 found the position at row 8" in verdict.summary


def test_rows_lost_elsewhere_than_before_a_resume_are_no_torn_transaction() -> None:
    visible = clean_records([0, 1, 2, 3, 8, 9, 10, 11])
    run = replace(RUN, committed=visible, uncommitted=visible, live=visible, checkpoints=())
    assert judge(run).names == {"Lost", "SilentSuccess"}


def test_new_owner_in_an_old_epoch_is_a_checkpoint_regressed() -> None:
    mine, theirs = version(1, 4, owner="a"), version(2, 12, owner="b", status="COMPLETED", rows=12)
    assert judge(replace(RUN, checkpoints=(mine, theirs))).names == {"CheckpointRegressed"}


def test_new_owner_in_a_new_epoch_or_after_a_deletion_is_no_checkpoint_regressed() -> None:
    mine, theirs = version(1, 4, owner="a"), version(3, 12, owner="b", status="COMPLETED", rows=12)
    deleted = CheckpointVersion(2, None)
    assert judge(replace(RUN, checkpoints=(mine, deleted, theirs))).validity is Validity.VALID
    claimed = version(2, 4, owner="b", epoch=2)
    done = version(3, 12, owner="b", epoch=2, status="COMPLETED", rows=12)
    assert judge(replace(RUN, checkpoints=(mine, claimed, done))).validity is Validity.VALID


def test_checkpoint_completed_but_never_saved_to_the_end_is_a_silent_success() -> None:
    completed = version(1, 4, status="COMPLETED", rows=12)
    assert judge(replace(RUN, checkpoints=(completed,))).names == {"SilentSuccess"}
