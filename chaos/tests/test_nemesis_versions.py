"""Upgrade and rollback in mid-job: what another version wrote is read rightly or refused with 6, and never guessed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.state import CheckpointEdited, PositionReset
from chaos.tests.courses import CLIENTS, INTERVAL_ROWS, LEVEL
from harness.partition import Client
from harness.plugin import not_run
from harness.target import Target
from harness.world import World

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[2]
DONE_ROWS = 3 * INTERVAL_ROWS
LATER_ATTRIBUTES = {"start_row", "resets", "claimed_at", "claimed_line"}  # that the first version did not write
# The last commit before `resets`, rates and the operators' commands; its metadata is today's without `resets`.
EARLIER = "428bf02"


@pytest.fixture
def stopped_at_300(course: Course) -> Course:
    course.kill(LEVEL)
    return course


def metadata_of(course: Course) -> dict[str, Any]:
    found = course.position()
    assert found is not None
    assert found[0] == DONE_ROWS
    said: dict[str, Any] = json.loads(found[1].rstrip("\0"))
    return said


def written(course: Course, fields: Mapping[str, object]) -> PositionReset:
    """Put the position there as another version would write it."""
    return PositionReset(course, offset=DONE_ROWS, metadata=json.dumps(fields, separators=(",", ":")))


def test_rolled_back_to_this_version_it_goes_on_though_the_newer_one_wrote_fields_of_its_own(
    stopped_at_300: Course,
) -> None:
    course = stopped_at_300
    position = written(course, {**metadata_of(course), "cluster": "a", "parts": [1, {"x": None}]})
    item = CheckpointEdited(course, compacted=True, cluster="a", last_partition=7)
    course.kill(replace(LEVEL, time=1))
    assert course.told("resumed", "row") == [DONE_ROWS]
    assert course.checkpoint()["cluster"] == "a", "what is not ours is left alone"
    course.assert_finishes(position, planted=item.planted)
    assert item.planted


def test_item_of_the_first_version_is_read(stopped_at_300: Course) -> None:
    course = stopped_at_300
    before = course.checkpoint()
    assert before.keys() >= LATER_ATTRIBUTES
    item = CheckpointEdited(course)
    item._put({name: value for name, value in before.items() if name not in LATER_ATTRIBUTES})
    course.assert_finishes(item, planted=item.planted)
    assert course.told("resumed", "row") == [DONE_ROWS]


def test_position_without_the_last_record_which_the_first_version_wrote_is_refused_until_a_person_says_the_row(
    stopped_at_300: Course,
) -> None:
    course = stopped_at_300
    position = written(course, {name: x for name, x in metadata_of(course).items() if name != "last_offset"})
    course.assert_refuses(6, "'last_offset'", position)
    assert "go on with the version that wrote it" in course.stderr
    reset = subprocess.run(
        [sys.executable, "-m", "processor", "reset", "--to-row", str(DONE_ROWS), "--yes"],
        env={**os.environ, **course.environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert reset.returncode == 0, reset.stderr
    assert course.run() == 0, course.stderr
    assert course.rows() == list(course.job.expected)


def test_position_of_a_version_that_says_it_must_not_be_read_is_refused(stopped_at_300: Course) -> None:
    course = stopped_at_300
    before = metadata_of(course)
    position = written(course, {**before, "v": 2})
    course.assert_refuses(6, "has version 2, this program knows 1", position)
    again = written(course, before)
    course.assert_finishes(position, again)
    assert course.told("resumed", "row") == [DONE_ROWS]


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the processor as it was at EARLIER."""
    folder = tmp_path_factory.mktemp("earlier")
    archive = subprocess.run(["git", "archive", EARLIER, "processor"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        not_run("history", what="a job between two versions", why=f"git does not have commit {EARLIER}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


@pytest.fixture(params=CLIENTS)
def slowly(request: pytest.FixtureRequest, world: World, rows_600: Job) -> Iterator[Course]:
    client: Client = request.param
    with Course(world, replace(rows_600, client=client, settings={"CHECKPOINT_INTERVAL": "5"})) as opened:
        yield opened


def test_job_goes_from_the_earlier_version_to_this_one_and_back_and_every_row_comes_once(
    slowly: Course, earlier: Path
) -> None:
    """The earlier program itself, of git's history. It ends by SIGKILL, this one by SIGTERM."""
    course, rows = slowly, 0
    for folder, sign in ((earlier, signal.SIGKILL), (ROOT, signal.SIGTERM), (earlier, signal.SIGKILL)):
        rows = part(course, folder, sign, beyond=rows + 20)
    assert 60 < rows < len(course.job.expected)
    last = Target([sys.executable, "-m", "processor", "run"], run_of(course, earlier), number=4)
    course._targets.append(last)
    assert course.end(last).exit_code == 0, course.stderr
    course.assert_valid()
    assert course.checkpoint()["status"] == "COMPLETED"
    assert course.run() == 0, course.stderr
    assert course.told("done", "rows") == [0]


def run_of(course: Course, folder: Path) -> dict[str, str]:
    return {**course.environment, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def part(course: Course, folder: Path, sign: signal.Signals, *, beyond: int) -> int:
    """Let the processor of this folder commit rows beyond the given one; return how many are visible then."""
    run = Target([sys.executable, "-m", "processor", "run"], run_of(course, folder), number=len(course._targets) + 1)
    course._targets.append(run)
    run.await_step(
        lambda step: step.name == "committed" and (step.next_row or 0) > beyond, within_s=30, what="rows of this part"
    )
    run.signal(sign)
    ended = course.end(run)
    assert ended.signal == sign or ended.exit_code == 128 + sign, course.stderr
    resumed = [step.fields for step in ended.steps if step.name == "resumed"]
    assert ("size_bytes" in resumed[0]) == (folder == ROOT), "another version ran than was meant to"
    return len(course.rows())
