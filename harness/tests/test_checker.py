"""Every anomaly of transactions, checkpoint and outcome: one planted case, and beside it an innocent look-alike."""

from dataclasses import replace

import pytest

from harness.checker import CHECKS, Validity, judge, merge
from harness.history import AT_LEAST_ONCE, Attempt, Evidence, GroupOffset, PartitionEnd, Records, Step, Strike
from harness.tests.planted_run import (
    END,
    ROWS,
    clean_records,
    clean_run,
    offset_of,
    run_steps,
    step,
    version,
)

RUN = clean_run()
UNWATCHED = replace(RUN, checkpoints=(), position=None, uncommitted=None, live=None)


def two_runs(older: tuple[Step, ...], newer: tuple[Step, ...]) -> Evidence:
    return replace(RUN, checkpoints=(), attempts=(Attempt(1, None, 9, older), Attempt(2, 0, None, newer)))


def unfinished(rows: int, **changes: object) -> Evidence:
    """The run killed after `rows` rows became visible, and not started again."""
    killed = Attempt(1, None, 9, run_steps(0, 8))
    run = replace(UNWATCHED, committed=clean_records(range(rows)), attempts=(killed,))
    return replace(run, **changes)  # type: ignore[arg-type]


def test_clean_run_is_valid() -> None:
    verdict = judge(RUN)
    assert verdict.validity is Validity.VALID, verdict.summary


def test_fifteen_anomalies_have_a_check_each() -> None:
    assert len(CHECKS) == 15


def test_commit_after_a_later_fence_is_a_zombie_write_by_its_position() -> None:
    stopped = (*run_steps(0, 4), step("sent", row=8, rows=4, ts=8), step("committed", row=8, rows=4, ts=900))
    verdict = judge(two_runs(stopped, run_steps(4, 12, epoch=2, start_s=100)))
    assert "ZombieWrite" in verdict.names
    assert "attempt 1 (epoch 1)" in verdict.summary and "resumed at row 4" in verdict.summary


def test_batch_sent_after_a_later_fence_and_committed_is_a_zombie_write_by_the_clock() -> None:
    late = (*run_steps(0, 4, epoch=1), *run_steps(4, 8, epoch=1, start_s=100)[2:])
    verdict = judge(two_runs(late, run_steps(8, 12, epoch=2, start_s=50)))
    assert verdict.names == {"ZombieWrite"}
    assert "by_clock" in verdict.summary


def test_resume_below_rows_committed_long_before_is_no_zombie_write() -> None:
    claimed = step("claimed", epoch=2, ts=99)
    resumed_low = judge(two_runs(run_steps(0, 8), (claimed, *run_steps(4, 12, epoch=2, start_s=100))))
    assert "ZombieWrite" not in resumed_low.names


def test_commit_reported_late_by_a_stopped_process_is_no_zombie_write() -> None:
    stopped = (*run_steps(0, 4), step("sent", row=8, rows=4, ts=8), step("committed", row=8, rows=4, ts=900))
    assert judge(two_runs(stopped, run_steps(8, 12, epoch=2, start_s=50))).validity is Validity.VALID


def test_batch_sent_after_a_later_fence_and_refused_is_no_zombie_write() -> None:
    refused = (*run_steps(0, 8), step("sent", row=12, rows=4, ts=900))
    assert judge(two_runs(refused, run_steps(8, 12, epoch=2, start_s=50))).validity is Validity.VALID


def test_record_that_only_the_live_committed_reader_saw_is_an_aborted_read() -> None:
    live = Records.of([*clean_records(range(8)), (9, ROWS[8]), *clean_records(range(8, 12))])
    verdict = judge(replace(RUN, live=live))
    assert verdict.names == {"AbortedRead"}


def test_live_reader_that_reconnects_and_stops_early_made_no_aborted_read() -> None:
    live = Records.of([*clean_records(range(5)), *clean_records(range(3, 9))])
    assert judge(replace(RUN, live=live)).validity is Validity.VALID


def test_live_record_that_retention_has_deleted_is_no_aborted_read() -> None:
    later = replace(RUN, first_offset=100, partition=PartitionEnd(100, 100 + END, 100 + END), checkpoints=())
    shifted = Records.of((record.offset + 100, record.value) for record in RUN.committed)
    live = Records.of([(7, b"of another job"), *shifted])
    run = replace(later, committed=shifted, uncommitted=shifted, live=live)
    assert judge(run).validity is Validity.VALID


def test_transaction_visible_in_part_is_torn() -> None:
    visible = clean_records([0, 1, 2, 3, 4, 5, 8, 9, 10, 11])
    verdict = judge(replace(RUN, committed=visible, live=visible))
    assert {"TornTransaction", "Lost"} <= verdict.names
    assert "row 5 is visible, its neighbour 6 in the same transaction is not" in verdict.summary


def test_rows_that_end_inside_a_batch_are_a_torn_transaction() -> None:
    assert judge(unfinished(10)).names == {"TornTransaction", "Stuck"}


def test_rows_that_end_with_a_batch_are_no_torn_transaction() -> None:
    assert judge(unfinished(8)).names == {"Stuck"}


def test_position_apart_from_the_rows_is_a_torn_transaction() -> None:
    assert "TornTransaction" in judge(unfinished(8, position=GroupOffset(4))).names


def test_position_that_counts_skipped_rows_is_no_torn_transaction() -> None:
    position = GroupOffset(14, '{"v":1,"row":14,"skipped":2}')
    done = version(4, 14, skipped=2, rows=14, status="COMPLETED", next_offset=END)
    run = replace(RUN, position=position, checkpoints=(done,), bad_rows=2)
    assert judge(run).validity is Validity.VALID


@pytest.mark.parametrize("bad_rows", [0, 1, 3])
def test_end_that_skips_other_rows_than_the_bad_ones_is_a_silent_success(bad_rows: int) -> None:
    position = GroupOffset(14, '{"v":1,"row":14,"skipped":2}')
    done = version(4, 14, skipped=2, rows=14, status="COMPLETED", next_offset=END)
    by_position = judge(replace(RUN, position=position, bad_rows=bad_rows))
    by_checkpoint = judge(replace(RUN, position=None, checkpoints=(done,), bad_rows=bad_rows))
    assert by_position.names == by_checkpoint.names == {"SilentSuccess"}


def test_aborted_records_are_neither_duplicates_nor_torn() -> None:
    aborted = [(offset, ROWS[offset]) for offset in range(3)]
    visible = [(record.offset + 4, record.value) for record in clean_records()]
    run = replace(RUN, committed=Records.of(visible), live=None, uncommitted=Records.of([*aborted, *visible]))
    end = PartitionEnd(0, END + 4, END + 4)
    assert judge(replace(run, partition=end, checkpoints=())).validity is Validity.VALID


def test_records_of_an_open_transaction_are_not_torn() -> None:
    undecided = Records.of([*clean_records(range(8)), (10, ROWS[8]), (11, ROWS[9])])
    open_end = PartitionEnd(0, 10, 12)
    assert judge(unfinished(8, uncommitted=undecided, partition=open_end)).names == {"Stuck"}


def test_more_rows_in_a_version_than_are_visible_is_a_checkpoint_ahead() -> None:
    assert "CheckpointAhead" in judge(unfinished(8, checkpoints=(version(1, 12),))).names


def test_checkpoint_behind_the_position_is_fine() -> None:
    checkpoints = (version(1, 4, next_offset=5), version(2, 12, next_offset=15, status="COMPLETED", rows=12))
    assert judge(replace(RUN, checkpoints=checkpoints)).validity is Validity.VALID


def test_next_offset_past_the_end_is_a_checkpoint_ahead() -> None:
    done = version(1, 12, status="COMPLETED", rows=12, next_offset=END + 1)
    assert judge(replace(RUN, checkpoints=(done,))).names == {"CheckpointAhead"}


@pytest.mark.parametrize("next_offset", [3, 6])
def test_next_offset_that_parts_the_records_elsewhere_is_a_checkpoint_ahead(next_offset: int) -> None:
    checkpoints = (version(1, 4, next_offset=next_offset), *RUN.checkpoints[1:])
    assert judge(replace(RUN, checkpoints=checkpoints)).names == {"CheckpointAhead"}


@pytest.mark.parametrize("next_offset", [4, 5])
def test_next_offset_on_either_side_of_the_marker_is_fine(next_offset: int) -> None:
    checkpoints = (version(1, 4, next_offset=next_offset), *RUN.checkpoints[1:])
    assert judge(replace(RUN, checkpoints=checkpoints)).validity is Validity.VALID


def test_save_before_its_commit_is_a_checkpoint_ahead() -> None:
    steps = run_steps(0, 12)
    swapped = (*steps[:3], steps[4], steps[3], *steps[5:])
    assert judge(replace(RUN, attempts=(Attempt(1, 0, None, swapped),))).names == {"CheckpointAhead"}


def test_version_above_the_row_that_a_later_epoch_resumed_at_is_a_checkpoint_ahead() -> None:
    attempts = (Attempt(1, None, 9, run_steps(0, 4)), Attempt(2, 0, None, run_steps(4, 12, epoch=2)))
    early = (version(1, 8), version(2, 12, epoch=2, status="COMPLETED", rows=12))
    assert judge(replace(RUN, attempts=attempts, checkpoints=early)).names == {"CheckpointAhead"}
    planted = (version(1, 8, planted=True), *early[1:])
    assert judge(replace(RUN, attempts=attempts, checkpoints=planted)).validity is Validity.VALID


@pytest.mark.parametrize("after", [version(2, 4), version(2, 8, epoch=1)])
def test_version_behind_the_one_before_it_is_a_checkpoint_regressed(after: object) -> None:
    before = version(1, 8, epoch=2 if after == version(2, 8, epoch=1) else 1)
    done = version(3, 12, epoch=2, status="COMPLETED", rows=12)
    run = replace(RUN, checkpoints=(before, after, done))  # type: ignore[arg-type]
    assert judge(run).names == {"CheckpointRegressed"}


def test_claim_that_keeps_the_row_is_no_checkpoint_regressed() -> None:
    checkpoints = (version(1, 8), version(2, 8, epoch=2), version(3, 12, epoch=2, status="COMPLETED", rows=12))
    assert judge(replace(RUN, checkpoints=checkpoints)).validity is Validity.VALID


def test_checkpoint_that_a_nemesis_rolled_back_is_no_checkpoint_regressed() -> None:
    rolled_back = (version(1, 8), version(2, 4, planted=True), version(3, 12, status="COMPLETED", rows=12))
    assert judge(replace(RUN, checkpoints=rolled_back)).validity is Validity.VALID


def test_transaction_open_after_the_end_is_hanging() -> None:
    assert judge(replace(RUN, partition=PartitionEnd(0, END, END + 3))).names == {"HangingTransaction"}


def test_marker_at_the_end_is_no_hanging_transaction() -> None:
    assert END - 1 not in RUN.committed.offsets
    assert judge(RUN).names == frozenset()


def test_success_with_rows_missing_is_silent() -> None:
    seen = clean_records(range(8))
    verdict = judge(replace(UNWATCHED, committed=seen))
    assert verdict.names == {"SilentSuccess", "Truncated"}


@pytest.mark.parametrize("done", [version(1, 12), version(1, 12, status="COMPLETED", rows=11)])
def test_success_with_a_wrong_checkpoint_is_silent(done: object) -> None:
    assert judge(replace(RUN, checkpoints=(done,))).names == {"SilentSuccess"}  # type: ignore[arg-type]


def test_success_with_a_position_short_of_the_rows_is_silent() -> None:
    assert "SilentSuccess" in judge(replace(RUN, position=GroupOffset(8))).names


def test_success_on_an_empty_object_without_a_position_is_valid() -> None:
    empty = Evidence((), RUN.delivery, Records.of([]), PartitionEnd(0, 0, 0), attempts=(Attempt(1, 0, None),))
    assert judge(empty).validity is Validity.VALID


def test_job_that_never_ends_is_stuck() -> None:
    again = Attempt(2, 75, None, run_steps(8, 8, epoch=2))
    verdict = judge(unfinished(8, attempts=(Attempt(1, None, 9, run_steps(0, 8)), again)))
    assert verdict.names == {"Stuck"}
    assert "exit code 75; 8 of 12 rows visible" in verdict.summary


def test_refusal_that_was_called_for_is_not_stuck_but_valid() -> None:
    attempts = (Attempt(1, None, 9, run_steps(0, 8)), Attempt(2, 6, None, ()))
    assert judge(unfinished(8, attempts=attempts, expected_exit=6)).validity is Validity.VALID
    assert judge(unfinished(8, attempts=attempts)).validity is Validity.UNKNOWN


def test_run_that_should_have_been_refused_is_unknown() -> None:
    assert judge(replace(RUN, expected_exit=3)).validity is Validity.UNKNOWN


def test_strike_that_missed_makes_the_run_vacuous_and_unknown() -> None:
    verdict = judge(replace(RUN, strikes=(Strike("kill", "at row 5", landed=False),)))
    assert verdict.validity is Validity.UNKNOWN
    assert verdict.names == {"Vacuous"}


def test_strike_before_enough_rows_makes_the_run_vacuous() -> None:
    early = Strike("kill", "at row 5", landed=True, rows_sent=0, rows_wanted=1)
    assert judge(replace(RUN, strikes=(early,))).names == {"Vacuous"}


def test_strike_that_landed_in_time_is_not_vacuous() -> None:
    landed = Strike("kill", "at row 5", landed=True, attempt=1, rows_sent=6, rows_in_flight=2, rows_wanted=1)
    assert judge(replace(RUN, strikes=(landed,))).validity is Validity.VALID


def test_anomaly_outweighs_a_missed_strike() -> None:
    run = replace(RUN, strikes=(Strike("kill", "", landed=False),), partition=PartitionEnd(0, END, END + 1))
    assert judge(run).validity is Validity.INVALID


def test_verdicts_merge_to_the_worst() -> None:
    assert merge(iter([Validity.VALID, Validity.UNKNOWN])) is Validity.UNKNOWN
    assert merge(iter([Validity.UNKNOWN, Validity.INVALID, Validity.VALID])) is Validity.INVALID
    assert merge(iter([])) is Validity.UNKNOWN


def test_rows_gone_with_retention_are_not_lost_but_unknown() -> None:
    run = replace(RUN, committed=clean_records(range(4, 12)), uncommitted=None, live=None, checkpoints=())
    verdict = judge(replace(run, partition=PartitionEnd(offset_of(4), END, END)))
    assert (verdict.validity, verdict.names) == (Validity.UNKNOWN, frozenset())


def test_run_without_attempts_is_unknown() -> None:
    assert judge(replace(UNWATCHED, attempts=())).validity is Validity.UNKNOWN


def test_at_least_once_needs_neither_position_nor_commit() -> None:
    steps = tuple(line for line in run_steps(0, 12) if line.name != "committed")
    run = replace(RUN, delivery=AT_LEAST_ONCE, position=None, attempts=(Attempt(1, 0, None, steps),))
    assert judge(run).validity is Validity.VALID
