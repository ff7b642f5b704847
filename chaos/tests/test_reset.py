"""`reset` on fakes, struck at every call: afterwards the job is as before, or wholly moved, and never in between."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace

import pytest

from chaos.on_fakes import GROUP, JOB_ID, FakeClock, FakeJob, every_fault
from chaos.tests.since_reset import since_reset
from harness.checker import Validity, Verdict, judge
from harness.fakes import Crash, FakeCheckpoints, FakeObject, FakeSink
from harness.fakes.faults import Fault
from harness.history import Attempt
from harness.workload import Shape, Workload, generate
from processor.csv_source import CsvSource
from processor.errors import (
    BadSetting,
    Contradiction,
    NeedsPerson,
    PlaceMissing,
    ProcessorError,
    SourceChanged,
    Superseded,
)
from processor.model import Delivery, SinkSettings, ValueFormat
from processor.opening import JobRules
from processor.ops.reset import Reset
from processor.ops.verify import Verify

ROWS = 9


@pytest.fixture(scope="module")
def workload() -> Workload:
    return generate(3, rows=ROWS, shape=Shape(columns=2, repeat_rate=0.3))


def parts(job: FakeJob, owner: str) -> tuple[CsvSource, FakeSink, FakeCheckpoints]:
    settings = SinkSettings("fake:9092", "rows", 0, GROUP, job.delivery)
    return (
        CsvSource(
            FakeObject(job.key, chunk_bytes=64, faults=job.faults),
            url=job.key.url,
            value_format=ValueFormat.JSON,
            limits=job.limits,
            clock=lambda: 0.0,
        ),
        FakeSink(job.partition, settings, faults=job.faults),
        FakeCheckpoints(job.table, job_id=JOB_ID, owner=owner, faults=job.faults),
    )


def reset(job: FakeJob, to_row: int, *, owner: str = "reset", confirmed: bool = True) -> None:
    """Reset once. Raises what it raises; Crash is its death."""
    source, sink, checkpoints = parts(job, owner)
    Reset(
        source,
        sink,
        checkpoints,
        rules=JobRules(job.delivery, f"shape-{job.delivery}"),
        clock=FakeClock(job._pass_time),
        confirm=lambda _: confirmed,
        out=io.StringIO(),
    ).run(to_row)


def reset_until_done(job: FakeJob, to_row: int) -> None:
    """Reset, and again after a death or a failure that passes."""
    for number in range(5):
        try:
            return reset(job, to_row, owner=f"reset-{number}")
        except Crash:
            continue
        except ProcessorError as error:
            assert error.exit_code == 75, error
    raise AssertionError("the reset did not come to its end")


def judged_since_the_reset(job: FakeJob, attempts: Iterable[Attempt]) -> Verdict:
    return judge(since_reset(job.evidence(), job.item, attempts))


def prepared(workload: Workload, *, state: str, delivery: Delivery = Delivery.EXACTLY_ONCE) -> FakeJob:
    """Make a job in one of the states in which a person may find it."""
    job = FakeJob(workload, delivery=delivery)
    if state == "completed":
        assert job.finish().exit_code == 0
    elif state == "killed with an open transaction":
        job.faults.strike_next("sink.commit", "crashes before", nth=3)
        assert job.attempt().signal == 9
    elif state == "killed, the checkpoint behind":
        job.faults.strike_next("checkpoints.save", "crashes before", nth=2)
        assert job.attempt().signal == 9
    elif state == "expired position":
        job.faults.strike_next("checkpoints.save", "crashes before", nth=2)
        assert job.attempt().signal == 9
        job.partition.expire_group_offsets()
    elif state == "lost checkpoint":
        job.faults.strike_next("checkpoints.save", "crashes before", nth=2)
        assert job.attempt().signal == 9
        job.table.delete(JOB_ID)
    elif state == "tail lost":
        assert job.finish().exit_code == 0
        job.partition.truncate(6)  # behind a marker
        assert job.attempt().exit_code == 6
    elif state == "topic made anew":
        assert job.finish().exit_code == 0
        job.partition.recreate()
        assert job.attempt().exit_code == 6
    elif state == "group offset set by hand":
        job.faults.strike_next("sink.commit", "crashes before", nth=3)
        assert job.attempt().signal == 9
        job.partition.reset_group(GROUP, 3)
        assert job.attempt().exit_code == 6
    job.faults.forget()
    return job


STATES = (
    "completed",
    "killed with an open transaction",
    "killed, the checkpoint behind",
    "expired position",
    "lost checkpoint",
    "tail lost",
    "topic made anew",
    "group offset set by hand",
)


@pytest.mark.parametrize("to_row", [0, 3, 4, ROWS])
@pytest.mark.parametrize("state", STATES)
def test_after_a_reset_the_job_brings_every_row_from_there_on_once(workload: Workload, state: str, to_row: int) -> None:
    job = prepared(workload, state=state)
    reset(job, to_row)
    assert (job.item["status"], job.item["start_row"], job.item["last_line"]) == ("STOPPED", to_row, to_row)
    before = len(job.attempts)
    assert job.finish().exit_code == 0
    verdict = judged_since_the_reset(job, job.attempts[before:])
    assert verdict.validity is Validity.VALID, verdict.summary
    rows = {0: f"{ROWS} rows", ROWS: "no row is left"}.get(to_row, f"rows {to_row} to {ROWS - 1}")
    assert verified(job) == f"valid: {rows}"


def verified(job: FakeJob) -> str:
    source, sink, checkpoints = parts(job, "verify")
    out = io.StringIO()
    rules = JobRules(job.delivery, f"shape-{job.delivery}")
    Verify(source, sink, checkpoints, rules=rules, name=JOB_ID, out=out).run()
    return out.getvalue().splitlines()[-1].split(";")[0]


def plan(job: FakeJob, fault: Fault) -> None:
    how = str(fault).split(" ", 1)[1]
    job.faults.strike_next(fault.call, how, nth=fault.nth - job.faults.count(fault.call))


def calls_of_a_reset(workload: Workload, state: str, delivery: Delivery) -> list[Fault]:
    job = prepared(workload, state=state, delivery=delivery)
    before = len(job.faults.calls)
    reset(job, 3)
    return list(every_fault(job.faults.calls[before:]))


@pytest.mark.parametrize("delivery", list(Delivery))
@pytest.mark.parametrize("state", STATES[:4])
def test_a_reset_that_was_struck_at_any_call_is_done_again_with_the_same_outcome(
    workload: Workload, state: str, delivery: Delivery
) -> None:
    if delivery is Delivery.AT_LEAST_ONCE and state == "expired position":
        state = "completed"  # at-least-once has none
    struck = 0
    for fault in calls_of_a_reset(workload, state, delivery):
        job = prepared(workload, state=state, delivery=delivery)
        plan(job, fault)
        reset_until_done(job, 3)
        struck += fault in job.faults.struck
        assert (job.item["status"], job.item["start_row"], job.item["last_line"]) == ("STOPPED", 3, 3), fault
        before = len(job.attempts)
        assert job.finish().exit_code == 0, fault
        verdict = judged_since_the_reset(job, job.attempts[before:]) if delivery is Delivery.EXACTLY_ONCE else None
        assert verdict is None or verdict.validity is Validity.VALID, f"{fault}: {verdict.summary}"
        assert verified(job) == f"valid: rows 3 to {ROWS - 1}", fault
    assert struck >= 30


@pytest.mark.parametrize("to_row", [0, 3, 6])
@pytest.mark.parametrize("state", STATES[:5])
def test_a_run_after_a_reset_that_was_struck_at_any_call_goes_on_as_before_it_or_as_after_it(
    workload: Workload, state: str, to_row: int
) -> None:
    outcomes = set()
    for fault in calls_of_a_reset(workload, state, Delivery.EXACTLY_ONCE):
        job = prepared(workload, state=state)
        resets = int(job.item.get("resets", 0))
        plan(job, fault)
        try:
            reset(job, to_row)
        except Crash:
            pass
        except ProcessorError as error:
            assert error.exit_code == 75, error
        before = len(job.attempts)
        assert job.finish().exit_code == 0, fault
        moved_job = job.item.get("resets", 0) != resets
        outcomes.add(moved_job)
        if moved_job:
            verdict = judged_since_the_reset(job, job.attempts[before:])
        elif state == "lost checkpoint":
            assert [v for _, v in job.partition.committed()] == list(job.expected), fault
            continue
        else:
            verdict = judge(replace(job.evidence(), strikes=()))
        assert verdict.validity is Validity.VALID, f"{fault}: {verdict.summary}"
    assert outcomes == {False, True}


def test_a_live_run_ends_with_4_and_brings_no_row_after_the_new_start(workload: Workload) -> None:
    """The reset comes at each call of a run in turn."""
    undisturbed = FakeJob(workload)
    undisturbed.finish()
    ended = set()
    for call, nth in undisturbed.faults.calls:
        job = FakeJob(workload)
        done = []

        def strike(job: FakeJob = job, done: list[bool] = done) -> None:
            try:
                reset(job, 2)
                done.append(True)
            except PlaceMissing:
                done.append(False)  # nothing has started yet

        job.faults.before(call, nth, strike)
        live = job.attempt()
        ended.add(live.exit_code)
        if done != [True]:
            continue
        if live.exit_code == 0:  # it was past its last call that could have told it
            assert call in ("sink.discard", "checkpoints.finish", "table.update_item"), (call, nth)
        else:
            assert live.exit_code == 4, (call, nth)
        before = len(job.attempts)
        assert job.finish().exit_code == 0
        verdict = judged_since_the_reset(job, job.attempts[before:])
        assert verdict.validity is Validity.VALID, f"{call}:{nth}: {verdict.summary}"
    assert 4 in ended


def test_a_run_that_claims_in_the_middle_of_a_reset_owns_the_job(workload: Workload) -> None:
    job = prepared(workload, state="killed, the checkpoint behind")
    job.faults.before("checkpoints.restart", 1, job.attempt)
    with pytest.raises(Superseded):
        reset(job, 0)
    assert job.attempts[-1].exit_code == 0
    assert judge(replace(job.evidence(), strikes=())).validity is Validity.VALID


def test_a_transaction_that_lost_its_end_keeps_the_job_from_being_reset_and_says_so(workload: Workload) -> None:
    job = prepared(workload, state="completed")
    job.partition.truncate(5)  # in the middle of one
    with pytest.raises(Contradiction, match="the partition ends at offset 5"):
        reset(job, 0)
    assert job.item["status"] == "FAILED"
    assert "reset: the partition ends at offset 5" in str(job.item["error"])


def test_without_the_count_of_resets_a_run_after_the_deciding_write_would_go_on_at_the_old_row(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepared(workload, state="killed, the checkpoint behind")
    job.faults.strike_next("checkpoints.restart", "crashes after")
    with pytest.raises(Crash):
        reset(job, 1)
    monkeypatch.setattr("processor.opening.current", lambda position, _: position)
    before = len(job.attempts)
    assert job.finish().exit_code == 0
    assert judged_since_the_reset(job, job.attempts[before:]).names >= {"Lost", "SilentSuccess"}


def test_a_reset_can_be_reset(workload: Workload) -> None:
    job = prepared(workload, state="completed")
    for to_row in (5, 2, 7, 0):
        reset(job, to_row)
    before = len(job.attempts)
    assert job.finish().exit_code == 0
    assert job.item["resets"] == 4
    assert judged_since_the_reset(job, job.attempts[before:]).validity is Validity.VALID


def test_a_job_whose_table_was_restored_from_before_its_reset_is_refused(workload: Workload) -> None:
    job = prepared(workload, state="killed, the checkpoint behind")
    before = dict(job.item)
    reset(job, 1)
    assert job.finish().exit_code == 0
    job.table.put(JOB_ID, {**before, "epoch": int(job.item["epoch"])})  # type: ignore[dict-item]
    assert job.attempt().exit_code == 6


def test_a_checkpoint_lost_after_a_reset_leaves_the_row_that_the_position_holds(workload: Workload) -> None:
    job = prepared(workload, state="completed")
    reset(job, 4)
    first = int(job.item["start_offset"])
    job.table.delete(JOB_ID)
    assert job.finish().exit_code == 0
    assert [value for _, value in job.partition.committed(first)] == list(job.expected[4:])


def test_to_the_start_the_object_may_be_another_and_to_a_row_it_may_not(workload: Workload) -> None:
    job = prepared(workload, state="completed")
    other = generate(4, rows=5, shape=Shape(columns=2))
    job.key.put(other.csv)
    with pytest.raises(SourceChanged):
        reset(job, 3)
    assert job.item["status"] == "COMPLETED"
    reset(job, 0)
    job.expected = other.values("json")
    before = len(job.attempts)
    assert job.finish().exit_code == 0
    assert judged_since_the_reset(job, job.attempts[before:]).validity is Validity.VALID


def test_what_is_refused_changes_nothing(workload: Workload) -> None:
    job = prepared(workload, state="killed, the checkpoint behind")
    before = (job.item, dict(job.partition.group_offsets), job.partition.bounds())
    with pytest.raises(NeedsPerson, match="not confirmed"):
        reset(job, 0, confirmed=False)
    with pytest.raises(BadSetting, match="the object has 9 rows"):
        reset(job, ROWS + 1)
    job.key.url = "s3://bucket/other.csv"
    with pytest.raises(Contradiction):
        reset(job, 0)
    assert (job.item, dict(job.partition.group_offsets), job.partition.bounds()) == before
    with pytest.raises(PlaceMissing, match="nothing to reset"):
        reset(FakeJob(workload), 0)


def test_the_byte_of_a_row_is_the_one_at_which_it_starts(workload: Workload) -> None:
    for row in range(ROWS + 1):
        job = prepared(workload, state="completed")
        reset(job, row)
        assert job.item["last_line"] == row
        assert job.item["byte_offset"] == (workload.ranges[row].start if row < ROWS else len(workload.csv))
