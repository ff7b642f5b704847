"""S3 that refuses, cuts, replaces and deletes: the run goes on at the byte it reached, or ends as the table says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_PAUSES
from chaos.nemesis.storage import (
    FOR_EVER,
    ONE_CALL,
    BodyCut,
    BodyShort,
    ObjectDeleted,
    ObjectReplaced,
    Refused,
    StorageNemesis,
    make_versioned,
)
from chaos.schedule import KillAtStep
from chaos.tests.courses import CLIENTS, count
from harness.cloud_requests import Request
from harness.workload import Shape, generate
from harness.world import World

pytestmark = pytest.mark.broker
FIRST_PART_BYTES = 64 * 1024
CHUNK_BYTES = 2**20
IN_MID_OBJECT = 5  # HEAD apart: the header, then parts of 64, 128, 256 and 512 KiB come before this GET


@pytest.fixture(scope="module")
def job() -> Job:
    """Rows in several parts of the object, so that S3 is asked often, and in many commits."""
    workload = generate(41, rows=900, shape=Shape(columns=3, huge_rows=60, huge_row_bytes=65_536))
    return Job(workload.csv, workload.values("json"), "confluent", settings={"CHECKPOINT_INTERVAL": "30"})


@pytest.fixture
def course(world: World, job: Job) -> Iterator[Course]:
    with Course(world, job) as opened:
        yield opened


@pytest.fixture(params=CLIENTS)
def either(request: pytest.FixtureRequest, world: World, job: Job) -> Iterator[Course]:
    """A course with each client: what S3 does reaches into an open transaction."""
    with Course(world, replace(job, client=request.param)) as opened:
        yield opened


def bytes_asked(requests: list[Request]) -> int:
    """The sum of all ranges that were asked for."""
    found = [re.fullmatch(r"bytes=(\d+)-(\d+)", r.range_header or "") for r in requests if r.operation == "GetObject"]
    return sum(int(match[2]) - int(match[1]) + 1 for match in found if match)


def is_a_prefix(course: Course) -> int:
    """Assert that what is visible is a prefix of the truth; return its rows."""
    rows = course.rows()
    assert rows == list(course.job.expected[: len(rows)])
    return len(rows)


ONCE: dict[str, Callable[[], StorageNemesis]] = {
    "500 to one GET": lambda: Refused("GetObject", 500, "InternalError", skip=IN_MID_OBJECT),
    "503 until botocore gives up once": lambda: Refused(
        "GetObject", 503, "SlowDown", skip=IN_MID_OBJECT, times=ONE_CALL
    ),
    "503 to HEAD": lambda: Refused("HeadObject", 503, "SlowDown"),
    "closed before a byte": lambda: BodyCut(0, skip=IN_MID_OBJECT),
    "closed in mid-body": lambda: BodyCut(300_000, skip=IN_MID_OBJECT),
    "reset in mid-body": lambda: BodyCut(300_000, skip=IN_MID_OBJECT, reset=True),
    "closed in the header": lambda: BodyCut(10),
    "a short body": lambda: BodyShort(300_000, skip=IN_MID_OBJECT),
    "an empty body": lambda: BodyShort(0, skip=IN_MID_OBJECT),
}


@pytest.mark.parametrize("fault", ONCE.values(), ids=ONCE.keys())
def test_a_fault_of_s3_that_passes_is_got_over_without_reading_the_object_again(
    course: Course, fault: Callable[[], StorageNemesis]
) -> None:
    nemesis = fault()
    nemesis.strike(course.world.cloud)
    course.assert_finishes(nemesis)
    struck_and_header = nemesis.times * CHUNK_BYTES + FIRST_PART_BYTES
    assert bytes_asked(course.world.cloud.requests) <= len(course.job.csv) + struck_and_header
    assert not count(course.attempts[-1], "retrying"), "S3 is no Kafka failure"


def test_a_cut_stream_is_taken_up_again_at_the_byte_that_was_reached(course: Course) -> None:
    """In a part of more than one chunk, what came before the cut is not asked for again, but for part of a chunk."""
    nemesis = BodyCut(CHUNK_BYTES + 200_000, skip=IN_MID_OBJECT + 1)
    nemesis.strike(course.world.cloud)
    course.assert_finishes(nemesis)
    cut, again = nemesis.hits[0], next(r for r in nemesis.requests_after if r.operation == "GetObject")
    assert first_byte(cut) + CHUNK_BYTES <= first_byte(again) <= first_byte(cut) + CHUNK_BYTES + 200_000


def first_byte(request: Request) -> int:
    found = re.match(r"bytes=(\d+)-", request.range_header or "")
    assert found, request
    return int(found[1])


FOREVER: dict[str, Callable[[], StorageNemesis]] = {
    "503 to HEAD": lambda: Refused("HeadObject", 503, "SlowDown", times=FOR_EVER),
    "500 to GET": lambda: Refused("GetObject", 500, "InternalError", skip=IN_MID_OBJECT, times=FOR_EVER),
    "reset in mid-body": lambda: BodyCut(1000, skip=IN_MID_OBJECT, times=FOR_EVER, reset=True),
    "an empty body": lambda: BodyShort(0, skip=IN_MID_OBJECT, times=FOR_EVER),
}


@pytest.mark.parametrize("fault", FOREVER.values(), ids=FOREVER.keys())
def test_a_fault_of_s3_that_lasts_ends_with_75_and_the_next_run_finishes(
    course: Course, fault: Callable[[], StorageNemesis]
) -> None:
    nemesis = fault()
    nemesis.strike(course.world.cloud)
    assert course.run(**SHORT_PAUSES) == 75, course.stderr
    assert course.stderr.count("\n") == 1
    assert "start the same command again" in course.stderr
    is_a_prefix(course)
    nemesis.lift()
    course.assert_finishes(nemesis)


def test_an_object_replaced_in_mid_run_ends_with_3_until_it_is_put_back(either: Course) -> None:
    run = either.asleep_at("committed")
    nemesis = ObjectReplaced(either.key, either.job.csv[:-200] + b"x" * 200)
    nemesis.strike(either.world.cloud)
    assert either.woken(run).exit_code == 3, run.stderr
    assert "changed while it was read" in either.stderr
    assert 412 in {request.status for request in nemesis.requests_after}
    visible = is_a_prefix(either)
    assert 0 < visible < len(either.job.expected)
    assert either.run() == 3, either.stderr
    assert "the job started on" in either.stderr
    assert len(either.rows()) == visible
    either.world.upload(either.key, either.job.csv)
    either.assert_finishes(nemesis)


def test_an_object_deleted_in_mid_run_ends_with_3_until_it_is_put_back(either: Course) -> None:
    run = either.asleep_at("committed")
    nemesis = ObjectDeleted(either.key)
    nemesis.strike(either.world.cloud)
    assert either.woken(run).exit_code == 3, run.stderr
    visible = is_a_prefix(either)
    assert 0 < visible < len(either.job.expected)
    assert either.run() == 3, either.stderr
    assert "is not there" in either.stderr
    assert len(either.rows()) == visible
    either.world.upload(either.key, either.job.csv)
    either.assert_finishes(nemesis)


@pytest.mark.parametrize("deleted", [False, True], ids=["replaced", "deleted"])
def test_a_pinned_version_is_read_on_by_the_run_and_by_the_next_one(world: World, job: Job, deleted: bool) -> None:
    make_versioned(world.cloud)
    with Course(world, job) as course:
        run = course.asleep_at("committed")
        nemesis = ObjectDeleted(course.key) if deleted else ObjectReplaced(course.key, b"a,b,c\n1,2,3\n")
        nemesis.strike(world.cloud)
        course.kill_now(run)
        course.kill(KillAtStep("committed", 3))
        assert course.run() == 0, course.stderr
        assert {r.version_id for r in nemesis.requests_after if r.operation == "GetObject"} != {None}
        course.assert_valid(nemesis)


@pytest.mark.parametrize("deleted", [False, True], ids=["replaced", "deleted"])
def test_a_run_does_not_notice_what_happens_to_later_versions(world: World, job: Job, deleted: bool) -> None:
    make_versioned(world.cloud)
    with Course(world, job) as course:
        run = course.asleep_at("committed")
        nemesis = ObjectDeleted(course.key) if deleted else ObjectReplaced(course.key, b"a,b,c\n1,2,3\n")
        nemesis.strike(world.cloud)
        assert course.woken(run).exit_code == 0, course.stderr
        course.assert_valid(nemesis)
