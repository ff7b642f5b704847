"""A job that skips bad rows: on fakes struck at every call, and on a real broker killed again and again."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import pytest

from chaos.job import Job, run_job
from chaos.mutants.trials import spoiled
from chaos.on_fakes import GROUP, FakeClock, FakeJob, every_fault
from chaos.schedule import KillAtStep, KillInBatch, Plan
from harness.checker import Validity, judge
from harness.dead_letters import dead_letters
from harness.fakes import FakeCheckpoints, FakeObject, FakeSink
from harness.fakes.faults import Fault
from harness.history import Step
from harness.partition import Client, offsets
from harness.workload import Shape, Workload, generate
from harness.world import World
from processor.csv_source import CsvSource
from processor.errors import Different
from processor.group_offset import decode
from processor.model import BadRows, CommittedPosition, Delivery, Position, SinkSettings, ValueFormat
from processor.opening import JobRules
from processor.ops.reset import Reset
from processor.ops.verify import Verify
from processor.processor import NAMED_FAULTS

ROWS = 19  # of `spoiled`, 10 of them bad


def job_of(workload: Workload | None = None, *faults: Fault | str, **settings: object) -> FakeJob:
    return FakeJob(workload or spoiled(), faults=faults, bad_rows=BadRows.SKIP, **settings)  # type: ignore[arg-type]


def position_of(job: FakeJob) -> CommittedPosition:
    found = decode(*job.partition.group_offsets[GROUP])
    assert isinstance(found, CommittedPosition)
    return found


def require_valid(job: FakeJob, told: object = "") -> None:
    verdict = judge(job.evidence())
    assert verdict.validity is Validity.VALID, f"{told}: {verdict.summary}"
    assert job.attempts[-1].exit_code == 0, told


def calls_of(**settings: object) -> list[tuple[str, int]]:
    job = job_of(**settings)
    assert job.finish().exit_code == 0
    return job.faults.calls


# on fakes


@pytest.mark.parametrize(("interval_rows", "markers_lag"), [(1, True), (2, False), (3, True), (50, False)])
def test_exactly_once_holds_whatever_happens_at_any_one_call(interval_rows: int, markers_lag: bool) -> None:
    for fault in every_fault(calls_of(interval_rows=interval_rows)):
        job = job_of(None, fault, interval_rows=interval_rows, markers_lag=markers_lag)
        job.finish()
        assert job.faults.struck, f"{fault} missed"
        require_valid(job, fault)


def test_exactly_once_holds_after_two_faults() -> None:
    rng = random.Random(20261123)
    faults = list(every_fault(calls_of()))
    for _ in range(300):
        first, second = rng.choice(faults), rng.choice(faults)
        if (first.call, first.nth) == (second.call, second.nth):
            continue
        job = job_of(None, first, second, markers_lag=True)
        job.finish()
        require_valid(job, (first, second))


def test_at_least_once_repeats_rows_and_does_nothing_worse() -> None:
    found = set()
    for fault in every_fault(calls_of(delivery=Delivery.AT_LEAST_ONCE)):
        job = job_of(None, fault, delivery=Delivery.AT_LEAST_ONCE)
        assert job.finish().exit_code == 0
        found |= judge(job.evidence()).names
    assert found == {"Duplicate"}


@pytest.mark.parametrize("markers_lag", [False, True])
def test_expired_position_is_rebuilt_past_skipped_rows_wherever_the_run_died(*, markers_lag: bool) -> None:
    for fault in every_fault(calls_of()):
        job = job_of(None, fault, markers_lag=markers_lag)
        if job.attempt().exit_code is None:
            job.partition.expire_group_offsets()
        job.finish()
        require_valid(job, fault)


@pytest.mark.parametrize("deaths", ["one", "one at each commit"])
def test_last_record_is_looked_for_behind_batches_of_skipped_rows_too(deaths: str) -> None:
    for commits in range(1, 11):
        job = job_of(
            None, *(f"sink.commit:{n} crashes after" for n in range(1 if deaths != "one" else commits, commits + 1))
        )
        while not job.faults.struck or job.faults.missed:
            job.attempt()
        last = max(offset for offset, _ in job.partition.committed())
        assert position_of(job).last_offset == last
        markers = [entry.offset for entry in job.partition.entries() if entry.marker and entry.offset < last]
        job.partition.truncate(max(markers, default=-1) + 1)  # the last transaction with records, wholly
        assert job.finish().exit_code == 6, commits


def test_all_bad_object_completes_with_a_position_and_without_a_record() -> None:
    workload = replace(spoiled(), csv=b"id,word\n" + b"short\n" * 5, rows=(), bad=spoiled().bad[:5], ranges=())
    for fault in (None, *every_fault(calls_of())):
        job = job_of(workload, *([fault] if fault else []))
        job.finish()
        assert (job.attempts[-1].exit_code, list(job.partition.uncommitted())) == (0, []), fault
        assert position_of(job).position == Position(5, 38, 5)
        assert (job.item["status"], job.item["rows"], job.item["skipped"]) == ("COMPLETED", 5, 5)
        assert judge(job.evidence()).validity is Validity.VALID
        assert job.attempt().exit_code == 0


def test_job_that_failed_at_a_bad_row_goes_on_there_when_it_may_skip() -> None:
    job = job_of()
    job.bad_rows = BadRows.FAIL
    assert job.attempt().exit_code == 5
    assert GROUP not in job.partition.group_offsets
    job.bad_rows = BadRows.SKIP
    job.finish()
    require_valid(job)


def test_job_that_skipped_and_may_no_longer_ends_at_the_next_bad_row_and_goes_on_when_it_may_again() -> None:
    job = job_of(None, "sink.commit:2 crashes after")
    job.attempt()
    assert position_of(job).position.row == 4
    job.bad_rows = BadRows.FAIL
    assert job.attempt().exit_code == 5
    assert (position_of(job).position.row, job.item["skipped"]) == (4, 1)
    job.partition.expire_group_offsets()  # what is there now is looked for past the skipped row
    assert job.attempt().exit_code == 5
    job.bad_rows = BadRows.SKIP
    job.finish()
    assert replace(judge(job.evidence()), doubts=()).names == frozenset()
    assert position_of(job).position == Position(ROWS, len(spoiled().csv), 10)


def test_each_batch_tells_its_skipped_rows_in_one_line_that_names_a_few() -> None:
    lines = skipped_lines(job_of(interval_rows=2))
    assert sum(line.rows or 0 for line in lines) == 10
    assert lines[0].fields["first"] == [
        {"row": 0, "byte_start": 8, "byte_end": 14, "reason": "1 cells where the header has 2"}
    ]
    many = replace(spoiled(), csv=b"id,word\n" + b"short\n" * 1_000, rows=(), bad=(), ranges=())
    lines = skipped_lines(job_of(many, interval_rows=400))
    assert [line.rows for line in lines] == [400, 400, 200]
    assert all(len(line.fields["first"]) == NAMED_FAULTS for line in lines)


def skipped_lines(job: FakeJob) -> list[Step]:
    job.finish()
    return [step for step in job.attempts[0].steps if step.name == "skipped"]


def test_lines_of_a_run_that_skipped_nothing_have_no_word_of_it() -> None:
    job = FakeJob(generate(3, rows=5), bad_rows=BadRows.SKIP)
    job.finish()
    assert not [step for step in job.attempts[0].steps if step.name == "skipped" or "skipped" in step.fields]


# bad rows to a topic of their own


def dead_letters_of(job: FakeJob) -> list[bytes]:
    return [letter.value for letter in job.partition.dead_letters]


def raw_of(workload: Workload) -> list[bytes]:
    return [workload.csv[place.start : place.line_end] for place in workload.bad]


@pytest.mark.parametrize(("interval_rows", "markers_lag"), [(2, True), (3, False), (50, True)])
def test_each_bad_row_is_in_its_topic_once_and_in_order_whatever_happens_at_any_one_call(
    interval_rows: int, markers_lag: bool
) -> None:
    for fault in every_fault(calls_of(interval_rows=interval_rows)):
        job = job_of(None, fault, interval_rows=interval_rows, markers_lag=markers_lag)
        job.bad_rows = BadRows.DEAD_LETTER
        job.finish()
        require_valid(job, fault)
        assert dead_letters_of(job) == raw_of(spoiled()), fault


def test_after_a_rebuild_bad_rows_behind_the_last_record_come_again_and_no_others() -> None:
    for commits in range(1, 11):
        job = job_of(None, f"sink.commit:{commits} crashes after")
        job.bad_rows = BadRows.DEAD_LETTER
        job.attempt()
        done, raw = position_of(job).position.skipped, raw_of(spoiled())
        saved = int(job.item["skipped"])
        job.partition.expire_group_offsets()
        job.finish()
        require_valid(job, commits)
        first = len(raw) - (len(dead_letters_of(job)) - done)
        assert dead_letters_of(job) == raw[:done] + raw[first:], commits
        assert saved <= first <= done


def test_at_least_once_repeats_bad_rows_at_worst() -> None:
    repeated = 0
    for fault in every_fault(calls_of(delivery=Delivery.AT_LEAST_ONCE)):
        job = job_of(None, fault, delivery=Delivery.AT_LEAST_ONCE)
        job.bad_rows = BadRows.DEAD_LETTER
        assert job.finish().exit_code == 0
        assert set(dead_letters_of(job)) == set(raw_of(spoiled())), fault
        repeated += len(dead_letters_of(job)) > 10
    assert repeated


# operators' commands


def parts(job: FakeJob) -> tuple[CsvSource, FakeSink, FakeCheckpoints, JobRules]:
    stored = FakeObject(job.key, chunk_bytes=64)
    source = CsvSource(stored, url=job.key.url, value_format=ValueFormat.JSON, limits=job.limits, clock=lambda: 0.0)
    sink = FakeSink(job.partition, SinkSettings("fake:9092", "rows", 0, GROUP))
    checkpoints = FakeCheckpoints(job.table, job_id="job", owner="operator")
    return source, sink, checkpoints, JobRules(job.delivery, f"shape-{job.delivery}", BadRows.FAIL)


def verified(job: FakeJob) -> str:
    out = io.StringIO()
    *ports, rules = parts(job)
    Verify(*ports, rules=rules, name="job", out=out).run()
    return out.getvalue()


def test_verify_knows_which_rows_were_skipped_at_every_commit() -> None:
    for commits in range(1, 11):
        job = job_of(None, f"sink.commit:{commits} crashes after")
        job.attempt()
        position = position_of(job).position
        told = f", {position.skipped} bad ones skipped; the job is RUNNING" if position.skipped else "; the job"
        assert f"valid so far up to row {position.row}{told}" in verified(job), commits
        job.finish()
        assert f"valid: {ROWS} rows, 10 bad ones skipped; 9 records compared" in verified(job)


def test_verify_names_the_bad_row_at_which_a_job_stands() -> None:
    job = job_of(None, "sink.commit:2 crashes after")
    job.attempt()
    job.bad_rows = BadRows.FAIL
    assert job.attempt().exit_code == 5
    assert "the next one is bad: row 4, bytes 41 to 47 of the object: 3 cells where" in verified(job)


def test_verify_finds_what_is_wrong_between_skipped_rows_by_its_row() -> None:
    job = job_of()
    job.finish()
    job.key.put(job.workload.csv.replace(b"6,word-6", b"6,WORD-6"))
    rewrite_pins(job)
    with pytest.raises(Different, match="1 differences, the first at row 13"):
        verified(job)


def test_verify_finds_a_job_that_skipped_good_rows() -> None:
    job = job_of()
    job.finish()
    job.key.put(job.workload.csv.replace(b"short\n", b"1,two\n", 1))
    rewrite_pins(job)
    with pytest.raises(Different, match="the first at row 0"):
        verified(job)
    job.key.put(job.workload.csv.replace(b"short\n", b"\n\n\n\n\n\n", 1))
    rewrite_pins(job)
    with pytest.raises(Different, match="counts 10 skipped rows before row 19, the object has 9 bad ones there"):
        verified(job)


def rewrite_pins(job: FakeJob) -> None:
    """Have checkpoint and position say that the job was about the object as it is now."""
    pins = FakeObject(job.key).describe(None)[0]
    offset = job.partition.group_offsets[GROUP]
    old = position_of(job).pins
    was, now = (pin.etag.replace('"', '\\"') for pin in (old, pins))
    job.partition.group_offsets[GROUP] = offset._replace(metadata=offset.metadata.replace(was, now))
    job.table.put("job", {**job.item, "etag": pins.etag, "version_id": pins.version_id or ""})


def test_reset_to_any_row_goes_on_there_and_skips_the_bad_ones_behind_it() -> None:
    values = spoiled().values("json")
    for to_row in range(ROWS):
        job = job_of()
        job.finish()
        *ports, rules = parts(job)
        clock = FakeClock(lambda _: None)
        Reset(*ports, rules=rules, clock=clock, confirm=lambda _: True, out=io.StringIO()).run(to_row)
        assert (job.item["last_line"], job.item["skipped"]) == (to_row, 0)
        job.finish()
        rest = [value for _, value in job.partition.committed(int(job.item["start_offset"]))]
        assert rest == list(values[len(values) - len(rest) :])
        bad = int(job.item["skipped"])
        assert len(rest) + bad == ROWS - to_row
        assert f"{bad} bad ones skipped" in verified(job) if bad else "skipped" not in verified(job)


# on a real broker


@pytest.fixture(scope="module")
def spoilt() -> tuple[Job, list[bytes]]:
    shape = Shape(columns=3, line_ends=("\n", "\r\n"), bom=True, bad_rate=0.2, max_row_bytes=20_000)
    workload = generate(17, rows=2_000, shape=shape)
    settings = {"CHECKPOINT_INTERVAL": "100", "ON_BAD_ROW": "skip", "MAX_ROW_BYTES": "20000"}
    job = Job(workload.csv, workload.values("json"), settings=settings, bad_rows=raw_of(workload))
    return job, raw_of(workload)


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_good_rows_are_there_once_after_kills_and_bad_ones_are_counted_once(
    world: World, spoilt: tuple[Job, list[bytes]], client: Client
) -> None:
    steps = [KillAtStep("committed", 1), KillAtStep("skipped", 2), KillAtStep("sent", 3)]
    plans: list[Plan] = [KillInBatch(2, 50), *steps, KillInBatch(1, 1)]
    evidence = run_job(world, replace(spoilt[0], client=client), plans).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_batches_of_skipped_rows_alone_are_committed_once_under_kills(world: World, client: Client) -> None:
    csv = b"a,b\n" + b"bad\n" * 50 + b"1,2\n" + b"bad\n" * 45 + b"3,4\n" + b"bad\n" * 23
    settings = {"CHECKPOINT_INTERVAL": "10", "ON_BAD_ROW": "skip"}
    job = Job(csv, (b'{"a":"1","b":"2"}', b'{"a":"3","b":"4"}'), client, settings=settings, bad_rows=[b"bad\n"] * 118)
    plans: list[Plan] = [KillAtStep(step, 2) for step in ("sent", "committed", "skipped", "saved")]
    evidence = run_job(world, job, plans).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.broker
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_object_of_bad_rows_alone_ends_with_0_and_a_line_that_counts_them(world: World, client: Client) -> None:
    job = Job(b"a,b\n" + b"bad\n" * 7, (), client, settings={"ON_BAD_ROW": "skip"}, bad_rows=[b"bad\n"] * 7)
    outcome = run_job(world, job, [])
    assert outcome.errors == ("csv-to-kafka: 7 of 7 rows were bad and are skipped\n",)
    verdict = judge(outcome.evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
    assert outcome.evidence.partition.end == 0


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_each_bad_row_is_in_its_topic_once_and_in_order_after_kills(
    world: World, spoilt: tuple[Job, list[bytes]], client: Client
) -> None:
    job, raw = spoilt
    bad = world.create_topic()
    settings = {**job.settings, "ON_BAD_ROW": "dead-letter", "DEAD_LETTER_TOPIC": bad}
    steps = [KillAtStep(step, 2) for step in ("sent", "committed", "skipped", "sent", "sent")]
    plans: list[Plan] = [KillInBatch(2, 50), *steps, KillInBatch(1, 1)]
    evidence = run_job(world, replace(job, client=client, settings=settings), plans).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
    letters = dead_letters(world.broker.bootstrap_servers, bad)
    assert [value for value, _ in letters] == raw
    rows = [int(headers["row"]) for _, headers in letters]
    assert rows == sorted(set(rows))
    assert offsets(world.broker.bootstrap_servers, bad).end > len(letters) + 5  # aborted ones and markers
