"""`status` says what is known, and `unknown` where it would have to guess."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from harness.cloud import Cloud
from processor.__main__ import main
from processor.aws import aws_client
from processor.checkpoint_dynamodb import CheckpointManager
from processor.model import (
    Checkpoint,
    CommittedPosition,
    Destination,
    ForeignPosition,
    JobStart,
    Lease,
    Pins,
    Position,
    Status,
)
from processor.ops.status import Job, Looked, Report, page, report, table

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PINS = Pins('"etag"')
START = JobStart("s3://bucket/rows.csv", PINS, "shape", Destination("cluster", "topic-id", 0), 7)
CHECKPOINT = Checkpoint(Lease(3, "me"), Status.RUNNING, Position(1_200, 30_000), START, 1_207)
JOB = Job("rows", CHECKPOINT, NOW - timedelta(seconds=2), NOW - timedelta(seconds=12), claimed_row=200)
LOOKED = Looked(size_bytes=120_000)


def told(job: Job = JOB, looked: Looked = LOOKED) -> Report:
    return report(job, looked, NOW)


def changed(**fields: object) -> Job:
    return replace(JOB, checkpoint=replace(CHECKPOINT, **fields))  # type: ignore[arg-type]


def at(row: int) -> CommittedPosition:
    return CommittedPosition(Position(row, 25 * row), PINS, "shape", 7 + row)


def test_a_job_at_work_has_share_rate_age_and_end() -> None:
    found = told()
    assert (found.status, found.epoch, found.rows_done, found.percent) == ("RUNNING", 3, 1_200, 25.0)
    assert found.rows_per_s == 100.0  # 1,000 rows between claim and last save, ten seconds
    assert (found.saved_s_ago, found.stale) == (2.0, False)
    assert found.eta_s == 36.0  # 3,600 rows to go by the bytes that a row has taken so far


def test_without_the_objects_size_share_and_end_are_unknown_and_the_rest_is_not() -> None:
    found = told(looked=Looked())
    assert (found.percent, found.eta_s, found.bytes_total) == (None, None, None)
    assert (found.rows_done, found.rows_per_s) == (1_200, 100.0)
    said = "\n".join(page(found, Looked()))
    assert "bytes     30,000 of unknown, unknown" in said
    assert "eta       unknown" in said
    assert "position  unknown: Kafka was not asked" in said


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, claimed_at=None),
        replace(JOB, claimed_row=None),
        replace(JOB, claimed_row=1_200),
        replace(JOB, saved_at=JOB.claimed_at),
    ],
    ids=["claimed_before_this_version", "without_its_row", "no_row_since_the_claim", "no_time_since_the_claim"],
)
def test_a_rate_that_the_checkpoints_times_do_not_give_is_unknown(job: Job) -> None:
    found = told(job)
    assert (found.rows_per_s, found.eta_s) == (None, None)
    assert "rate      unknown" in page(found, LOOKED)


def test_a_job_that_is_running_and_has_not_saved_for_long_has_no_end_and_a_note() -> None:
    found = told(replace(JOB, saved_at=NOW - timedelta(seconds=61), claimed_at=NOW - timedelta(seconds=71)))
    assert (found.stale, found.eta_s, found.rows_per_s) == (True, None, 100.0)
    assert any("if no run is alive, start the same command again" in line for line in page(found, LOOKED))
    assert "RUNNING?" in table([found], [LOOKED])[1]


@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED])
def test_a_job_at_which_no_run_works_has_no_end(status: Status) -> None:
    found = told(changed(status=status, error="broker away\nfor long"))
    assert (found.eta_s, found.stale) == (None, False)
    assert "eta       no run is at work" in page(found, LOOKED)
    assert "error     broker away for long" in page(found, LOOKED)


def test_a_completed_job_is_done_whatever_blank_lines_follow_its_last_row() -> None:
    found = told(changed(status=Status.COMPLETED, rows=1_200))
    assert (found.percent, found.rows_total, found.eta_s) == (100.0, 1_200, None)


def test_a_job_that_has_only_claimed_says_so_little() -> None:
    found = told(replace(JOB, checkpoint=Checkpoint(Lease(1, "me"), Status.RUNNING, Position(0, 0))), Looked())
    assert (found.rows_done, found.source, found.percent, found.rows_per_s) == (0, None, None, None)
    assert page(found, Looked())


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (at(1_400), "row 1,400, 200 rows ahead of the checkpoint"),
        (at(1_200), "row 1,200, where the checkpoint is"),
        (at(1_000), "row 1,000, 200 rows BEHIND the checkpoint"),
        (None, "none in Kafka: no row committed, expired, or at-least-once"),
        (ForeignPosition(3, "it has no metadata"), "not ours: it has no metadata"),
    ],
    ids=["ahead", "level", "behind", "none", "foreign"],
)
def test_kafkas_position_is_compared_with_the_checkpoint(
    position: CommittedPosition | ForeignPosition | None, said: str
) -> None:
    looked = Looked(120_000, position, position_asked=True)
    assert f"position  {said}" in page(told(looked=looked), looked)


def test_an_item_of_somebody_else_is_named_among_the_jobs() -> None:
    found = told(Job("theirs", None, why="not a checkpoint of ours: KeyError('epoch')"), Looked())
    assert "not a checkpoint of ours" in table([told(), found], [LOOKED, Looked()])[2]
    assert "not a checkpoint of ours" in page(found, Looked())[1]


def test_the_columns_of_the_table_stand_under_their_names() -> None:
    found = [told(), told(replace(JOB, job_id="a-much-longer-name"), Looked())]
    lines = table(found, [LOOKED, Looked()])
    for word in ("STATUS", "ROWS", "DONE", "AHEAD", "SAVED"):
        place = lines[0].index(word)
        assert all(line[place - 1] == " " and line[place] != " " for line in lines[1:])


# on the real table, by the command itself


def status(*arguments: str, environment: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with mock.patch.dict(os.environ, environment):
        code = main(["status", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def begun(cloud: Cloud, job_id: str, *, row: int) -> str:
    """Make a job that has saved, and its object; return the object's ETag."""
    url = cloud.upload(f"{job_id}.csv", b"x" * 1_000)
    etag = cloud.s3.head_object(Bucket=cloud.bucket, Key=f"{job_id}.csv")["ETag"]
    with mock.patch.dict(os.environ, cloud.environment()):
        checkpoints = CheckpointManager(aws_client("dynamodb"), table=cloud.table, job_id=job_id, owner="me")
    checkpoints.claim()
    checkpoints.begin(replace(START, source_url=url, pins=Pins(etag)), Position(0, 0))
    checkpoints.save(Position(row, 500), next_offset=7 + row)
    return str(etag)


def test_every_job_of_the_table_is_told_though_a_page_holds_few(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"job-{number:02}" for number in range(7)]
    for name in names:
        begun(cloud, name, row=10)
    cloud.dynamodb.put_item(TableName=cloud.table, Item={"job_id": {"S": "theirs"}, "pad": {"S": "x" * 390_000}})
    cloud.dynamodb.put_item(TableName=cloud.table, Item={"job_id": {"S": "theirs2"}, "pad": {"S": "x" * 390_000}})
    cloud.dynamodb.put_item(TableName=cloud.table, Item={"job_id": {"S": "theirs3"}, "pad": {"S": "x" * 390_000}})
    code, out, _ = status("--all", environment=cloud.environment(), capsys=capsys)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["JOB", *names, "theirs", "theirs2", "theirs3"]
    assert "50.0 %" in out
    assert sum(request.operation == "Scan" for request in cloud.requests) > 1


def test_the_json_of_a_job_has_the_documented_fields(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    begun(cloud, "job-1", row=10)
    code, out, _ = status("--job-id", "job-1", "--json", environment=cloud.environment(), capsys=capsys)
    said = json.loads(out)
    assert code == 0
    assert list(said) == list(Report.__dataclass_fields__)
    assert (said["rows_done"], said["percent"], said["position_row"]) == (10, 50.0, None)
    assert 0 <= said["saved_s_ago"] < 60


def test_an_object_that_is_gone_or_changed_leaves_the_share_unknown(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(cloud, "job-1", row=10)
    cloud.upload("job-1.csv", b"y" * 1_000)
    _, out, _ = status("--job-id", "job-1", environment=cloud.environment(), capsys=capsys)
    assert "note      the object has changed since the job started" in out
    cloud.s3.delete_object(Bucket=cloud.bucket, Key="job-1.csv")
    code, out, _ = status("--job-id", "job-1", environment=cloud.environment(), capsys=capsys)
    assert "bytes     500 of unknown, unknown" in out
    assert "note      the object's size is not known" in out
    assert code == 0


def test_a_job_or_table_that_is_not_there_ends_with_2_and_one_line(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = cloud.environment()
    assert status("--job-id", "nobody", environment=environment, capsys=capsys)[0] == 2
    assert status("--job-id", "nobody", "--checkpoint-table", "none", environment=environment, capsys=capsys)[0] == 2
    code, out, err = status(environment=environment, capsys=capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "give --all, or --job-id" in err


def test_a_broker_that_does_not_answer_is_a_note(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    begun(cloud, "job-1", row=10)
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "KAFKA_TOPIC": "rows"}
    code, out, _ = status("--job-id", "job-1", environment=cloud.environment() | kafka, capsys=capsys)
    assert code == 0
    assert "note      the position is not known" in out
    assert "rows      10" in out
