"""What a run does about each kind of trouble, on fakes: the reactions of the README's table, one test each."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chaos.on_fakes import GROUP, JOB_ID, FakeJob, Notes
from harness.checker import Validity, judge
from harness.history import Attempt
from harness.workload import Shape, Workload, generate
from processor.errors import Stopped
from processor.model import Delivery
from processor.pace import Pace


@pytest.fixture(scope="module")
def workload() -> Workload:
    return generate(5, rows=9, shape=Shape(columns=2, blank_line_rate=0))


@pytest.fixture
def job(workload: Workload) -> FakeJob:
    return FakeJob(workload)


def steps(attempt: Attempt, name: str) -> list[dict[str, object]]:
    return [dict(step.fields) for step in attempt.steps if step.name == name]


def error_of(attempt: Attempt) -> str:
    return str(attempt.steps[-1].fields["error"])


def test_a_job_that_is_done_sends_nothing_when_it_is_started_again(job: FakeJob) -> None:
    job.finish()
    end = job.partition.bounds().end
    writes = len(job.table.versions)
    assert job.attempt().exit_code == 0
    assert job.partition.bounds().end == end
    assert len(job.table.versions) == writes


def test_waits_grow_and_the_sixth_failure_in_a_row_gives_up_with_75(workload: Workload) -> None:
    job = FakeJob(workload, faults=[f"sink.fence:{nth} fails before" for nth in range(1, 7)])
    attempt = job.attempt()
    assert attempt.exit_code == 75
    waits = [float(str(step["wait_s"])) for step in steps(attempt, "retrying")]
    for wait, planned in zip(waits, (1, 4, 16, 30, 60), strict=True):
        assert 0.75 * planned - 0.1 <= wait <= 1.25 * planned + 0.1
    assert job.item["status"] == "FAILED"


def test_a_committed_row_between_failures_starts_the_count_anew(workload: Workload) -> None:
    job = FakeJob(workload, interval_rows=1, faults=[f"sink.send:{nth} fails before" for nth in range(1, 17, 2)])
    attempt = job.attempt()
    assert len(job.faults.struck) == 8
    assert attempt.exit_code == 0
    assert judge(job.evidence()).validity is Validity.VALID


def test_a_transaction_that_timed_out_halves_the_next_batch_and_is_no_rival(workload: Workload) -> None:
    job = FakeJob(workload, interval_rows=4)
    job.faults.before("sink.commit", 1, lambda: job.partition.pass_time(120_000))
    attempt = job.attempt()
    assert attempt.exit_code == 0
    assert [step["rows"] for step in steps(attempt, "committed")] == [2, 2, 2, 2, 1]
    assert judge(job.evidence()).validity is Validity.VALID


def test_a_rival_that_claims_and_fences_ends_the_older_run_with_4(job: FakeJob) -> None:
    job.faults.before("sink.commit", 2, lambda: job.attempt(owner="rival"))
    attempt = job.attempt(owner="older")
    rival, older = job.attempts
    assert older is attempt
    assert rival.exit_code == 0
    assert older.exit_code == 4
    assert judge(job.evidence()).validity is Validity.VALID


def test_a_run_that_claims_later_but_fences_earlier_still_wins(job: FakeJob) -> None:
    """The older run stands between claim and fence while the newer one does all its work, but for the end."""
    newer = Notes()

    def newer_run_up_to_its_third_batch() -> None:
        # Here the older run's fence comes at last: inside the newer one's commit.
        job.faults.before("sink.commit", 2, lambda: job.partition.init_producer(GROUP))
        job.run(newer, "newer").run()

    job.faults.before("sink.fence", 1, newer_run_up_to_its_third_batch)
    older = job.attempt(owner="older")
    assert older.exit_code == 4
    assert newer.steps[-1].name == "done"
    assert [step.name for step in newer.steps].count("fenced") == 2
    job.attempts.append(Attempt(2, 0, None, tuple(newer.steps)))
    assert judge(job.evidence()).validity is Validity.VALID


def test_an_older_run_that_fences_in_the_middle_of_a_newer_ones_batch_does_not_stop_it(job: FakeJob) -> None:
    """The newer run is fenced by the older one's late fence, finds the lease its own, and fences again."""

    def older_runs_late_fence() -> None:
        job.partition.init_producer(GROUP)

    job.faults.before("sink.commit", 2, older_runs_late_fence)
    attempt = job.attempt()
    assert attempt.exit_code == 0
    assert len(steps(attempt, "fenced")) == 2
    assert judge(job.evidence()).validity is Validity.VALID


def test_a_claim_whose_answer_was_lost_does_not_shut_its_own_run_out(job: FakeJob) -> None:
    job.faults.strike_next("table.update_item", "fails after")
    assert job.attempt().exit_code == 0
    assert judge(job.evidence()).validity is Validity.VALID


def test_exactly_once_goes_on_while_saves_fail_and_makes_them_good_at_the_end(workload: Workload) -> None:
    job = FakeJob(workload, faults=[f"checkpoints.save:{nth} fails before" for nth in range(1, 6)])
    assert job.attempt().exit_code == 0
    assert len(job.faults.struck) == 5
    assert judge(job.evidence()).validity is Validity.VALID
    assert job.item["last_line"] == 9


def test_at_least_once_stops_before_the_next_batch_when_a_save_fails(workload: Workload) -> None:
    job = FakeJob(workload, delivery=Delivery.AT_LEAST_ONCE)
    job.faults.strike_next("checkpoints.save", "fails before")
    attempt = job.attempt()
    assert attempt.exit_code == 75
    assert len(steps(attempt, "sent")) == 1


def test_a_table_that_does_not_answer_at_the_very_end_gives_75_and_the_next_run_completes(job: FakeJob) -> None:
    job.faults.strike_next("checkpoints.finish", "fails before")
    assert job.attempt().exit_code == 75
    assert job.attempt().exit_code == 0
    assert judge(job.evidence()).validity is Validity.VALID


def test_rows_before_a_bad_one_are_committed_and_it_ends_with_5(workload: Workload) -> None:
    bad = replace(workload, csv=workload.csv.rstrip(b"\r\n") + b'\n"never closed,1\n')
    job = FakeJob(bad)
    attempt = job.attempt()
    assert attempt.exit_code == 5
    assert "row 9, bytes" in error_of(attempt)
    assert [value for _, value in job.partition.committed()] == list(workload.values("json"))


def test_a_run_with_a_rate_waits_before_every_batch_but_the_first(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(FakeJob, "_pass_time", lambda _, seconds: waits.append(seconds))
    job = FakeJob(workload)
    job.pace = Pace(rows_per_s=0.5)
    assert job.attempt().exit_code == 0
    committed = len(steps(job.attempts[-1], "committed"))
    assert len(waits) == committed - 1 > 0
    assert all(3 < wait_s <= 4 for wait_s in waits)


def test_a_stop_ends_after_the_batch_at_hand_and_the_next_run_goes_on(job: FakeJob) -> None:
    notes = Notes()
    run = job.run(notes, "stopped")
    job.faults.before("sink.commit", 2, lambda: run._stop.ask(15))
    with pytest.raises(Stopped) as stopped:
        run.run()
    assert stopped.value.exit_code == 143
    assert [step.name for step in notes.steps].count("committed") == 2
    assert job.item["status"] == "STOPPED"
    assert job.attempt().exit_code == 0
    assert judge(job.evidence()).validity is Validity.VALID


class TestStateThatContradictsItself:
    def test_a_lost_checkpoint_is_made_anew_from_the_position(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.table.delete(JOB_ID)
        attempt = job.attempt()
        assert attempt.exit_code == 0
        assert steps(attempt, "resumed")[0]["row"] == 4
        assert [value for _, value in job.partition.committed()] == list(job.workload.values("json"))

    def test_a_death_while_a_lost_checkpoint_is_made_anew_leaves_a_rebuild_its_right_place(self) -> None:
        job = dead_in_its_third_batch(generate(5, rows=9, shape=Shape(columns=2, repeat_rate=1)))  # equal rows
        job.table.delete(JOB_ID)
        job.faults.strike_next("checkpoints.save", "crashes before")
        assert job.attempt().signal == 9
        job.partition.expire_group_offsets()
        assert job.finish().exit_code == 0
        assert judge(job.evidence()).validity is Validity.VALID

    def test_a_checkpoint_ahead_of_the_position_is_refused_with_6_and_nothing_sent(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        stored = job.table.get(JOB_ID)
        assert stored is not None
        job.table.put(JOB_ID, {**stored, "last_line": 7})
        job.partition.init_producer(GROUP)
        end = job.partition.bounds().end
        attempt = job.attempt()
        assert attempt.exit_code == 6
        assert "counts 7 rows" in error_of(attempt)
        assert job.partition.bounds().end == end

    def test_an_expired_position_is_rebuilt_from_the_partition(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.table.roll_back(JOB_ID, writes=1)
        job.partition.expire_group_offsets()
        attempt = job.attempt()
        assert attempt.exit_code == 0
        assert steps(attempt, "rebuilt")[0]["row"] == 4
        assert judge(job.evidence()).names <= {"CheckpointRegressed"}  # the roll-back was ours

    def test_an_expired_position_before_the_first_save_is_rebuilt_from_the_start(self, job: FakeJob) -> None:
        job.faults.strike_next("checkpoints.save", "crashes before")
        assert job.attempt().signal == 9
        job.partition.expire_group_offsets()
        attempt = job.attempt()
        assert attempt.exit_code == 0
        assert steps(attempt, "rebuilt")[0]["row"] == 2
        assert judge(job.evidence()).validity is Validity.VALID

    def test_a_strangers_record_in_a_rebuild_is_refused_with_6(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.partition.init_producer(GROUP)  # aborts what the dead run left open
        stranger = job.partition.init_producer(None)
        job.partition.append(stranger, [b"not a row"])
        job.partition.expire_group_offsets()
        attempt = job.attempt()
        assert attempt.exit_code == 6
        assert "is not row 4" in error_of(attempt)

    def test_a_strangers_open_transaction_makes_a_rebuild_wait_and_then_give_75(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        stranger = job.partition.init_producer("stranger", timeout_ms=3_600_000)
        job.partition.append(stranger, [b"not a row"])
        job.partition.expire_group_offsets()
        assert job.attempt().exit_code == 75
        job.partition.abort(stranger)
        assert job.attempt().exit_code == 0
        assert judge(job.evidence()).validity is Validity.VALID

    def test_an_operators_reset_of_the_group_offset_is_refused_with_6(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.partition.reset_group(GROUP, 1)
        attempt = job.attempt()
        assert attempt.exit_code == 6
        assert "no metadata" in error_of(attempt)

    def test_a_topic_made_anew_is_refused_with_6(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.partition.recreate()
        assert job.attempt().exit_code == 6

    def test_a_completed_job_whose_tail_was_lost_is_refused_with_6(self, job: FakeJob) -> None:
        job.finish()
        job.partition.truncate(job.partition.bounds().end - 3)
        attempt = job.attempt()
        assert attempt.exit_code == 6
        assert "ends at offset" in error_of(attempt)

    def test_a_completed_job_whose_rows_retention_removed_is_still_done(self, job: FakeJob) -> None:
        job.finish()
        job.partition.delete_before(job.partition.bounds().end)
        assert job.attempt().exit_code == 0


class TestAnObjectThatChanges:
    def test_a_replaced_object_is_refused_with_3_once_rows_are_committed(self, workload: Workload) -> None:
        job = dead_in_its_third_batch(workload)
        job.key.put(job.workload.csv + b"x,y\n")
        attempt = job.attempt()
        assert attempt.exit_code == 3
        job.key.put(job.workload.csv)
        assert job.attempt().exit_code == 0
        assert judge(job.evidence()).validity is Validity.VALID

    def test_a_replaced_object_is_pinned_anew_while_no_row_is_committed(self, workload: Workload) -> None:
        other = generate(6, rows=4, shape=Shape(columns=2))
        job = FakeJob(workload)
        job.faults.strike_next("sink.send", "crashes before")
        assert job.attempt().signal == 9
        job.key.put(other.csv)
        assert job.attempt().exit_code == 0
        assert [value for _, value in job.partition.committed()] == list(other.values("json"))
        assert json.loads(job.partition.group_offsets[GROUP].metadata)["row"] == 4


class TestAMistakenSecondRun:
    def test_another_format_is_refused_before_it_claims_and_the_healthy_run_goes_on(self, job: FakeJob) -> None:
        refused: list[Attempt] = []

        def mistaken() -> None:
            other = FakeJob(job.workload, delivery=Delivery.AT_LEAST_ONCE)
            other.key, other.partition, other.table = job.key, job.partition, job.table
            refused.append(other.attempt())

        job.faults.before("sink.send", 2, mistaken)
        healthy = job.attempt()
        assert [attempt.exit_code for attempt in refused] == [6]
        assert healthy.exit_code == 0
        assert len(steps(healthy, "fenced")) == 1
        assert judge(job.evidence()).validity is Validity.VALID


def dead_in_its_third_batch(workload: Workload) -> FakeJob:
    """Two batches committed and saved, the third one's first record written, the run dead."""
    job = FakeJob(workload, faults=["sink.send:3 crashes at 1"])
    assert job.attempt().signal == 9
    assert [value for _, value in job.partition.committed()] == list(job.workload.values("json")[:4])
    return job


class TestKafkaLosesACommitThatItHasAnswered:
    """The coordinator calls a commit done and writes no marker for it, or none for its position."""

    @pytest.mark.parametrize("alike", [False, True], ids=["rows differ", "rows alike"])
    @pytest.mark.parametrize("then", ["crashes before", "crashes at 1", "fails at 1", "fails before"])
    @pytest.mark.parametrize("saved", [True, False], ids=["saved", "unsaved"])
    @pytest.mark.parametrize("visible", [False, True], ids=["rows and position", "position"])
    @pytest.mark.parametrize("commit", [1, 3])
    def test_every_row_is_there_once_in_the_end(
        self, commit: int, visible: bool, saved: bool, then: str, alike: bool
    ) -> None:
        workload = generate(5, rows=9, shape=Shape(columns=2, blank_line_rate=0, repeat_rate=float(alike)))
        job = FakeJob(workload, markers_lag=True, faults=[f"sink.send:{commit + 1} {then}"])
        if not saved:
            job.faults.strike_next("checkpoints.save", "fails before", nth=commit)
        job.faults.before("sink.send", commit + 1, lambda: job.partition.lose_commits(visible=visible))
        assert job.finish().exit_code == 0, [error_of(attempt) for attempt in job.attempts]
        assert [value for _, value in job.partition.committed()] == list(workload.values("json"))
        verdict = judge(job.evidence())
        assert verdict.validity is Validity.VALID, verdict.summary

    def test_a_run_that_goes_on_by_itself_ends_both_transactions_with_the_next_commit(self, workload: Workload) -> None:
        job = FakeJob(workload, markers_lag=True)
        job.faults.before("sink.send", 3, job.partition.lose_commits)
        assert job.attempt().exit_code == 0
        assert judge(job.evidence()).validity is Validity.VALID

    def test_nothing_below_the_checkpoint_is_saved_while_the_rows_are_sent_again(self, workload: Workload) -> None:
        job = FakeJob(workload, markers_lag=True, interval_rows=4, faults=["sink.send:2 crashes at 1"])
        job.faults.before("sink.send", 2, job.partition.lose_commits)
        job.attempt()
        job.limits = replace(job.limits, interval_rows=1)
        assert job.attempt().exit_code == 0
        assert [step["row"] for step in steps(job.attempts[-1], "committed")] == list(range(1, 10))
        assert [step["row"] for step in steps(job.attempts[-1], "saved")] == list(range(4, 10))

    @pytest.mark.parametrize("commit", [1, 3])
    def test_without_the_brokers_word_for_it_the_judge_calls_the_checkpoint_ahead(
        self, workload: Workload, commit: int
    ) -> None:
        job = FakeJob(workload, markers_lag=True, faults=[f"sink.send:{commit + 1} crashes at 1"])
        job.faults.before("sink.send", commit + 1, job.partition.lose_commits)
        job.finish()
        assert judge(job.evidence()).validity is Validity.VALID
        assert judge(replace(job.evidence(), lost_commits=False)).names == {"CheckpointAhead"}

    def test_rows_that_retention_took_before_they_could_be_looked_at_are_refused_with_6(
        self, workload: Workload
    ) -> None:
        job = FakeJob(workload, markers_lag=True, faults=["sink.send:4 crashes at 1"])
        job.faults.before("sink.send", 4, job.partition.lose_commits)
        job.attempt()
        job.partition.init_producer(GROUP)
        job.partition.delete_before(job.partition.bounds().end)
        attempt = job.attempt()
        assert attempt.exit_code == 6
        assert "counts 6 rows" in error_of(attempt)

    def test_a_strangers_transaction_is_left_alone_and_costs_one_aborted_record(self, workload: Workload) -> None:
        job = FakeJob(workload)
        job.partition.append(job.partition.init_producer("stranger", timeout_ms=10**9), [b"a stranger's"])
        attempt = job.attempt()
        assert attempt.exit_code == 75
        assert "it is not ours" in error_of(attempt)
        assert [value for _, value in job.partition.uncommitted()] == [b"a stranger's", b""]
