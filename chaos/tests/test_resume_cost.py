"""What a resume asks of S3, counted in bytes."""

from __future__ import annotations

import re

import pytest

from chaos.job import Job, run_job
from chaos.schedule import KillAtRow
from chaos.tests.conftest import PROCESSOR
from harness.cloud_requests import Request
from harness.target import Target
from harness.workload import Shape, generate
from harness.world import World

pytestmark = pytest.mark.broker
HEADER_PART_BYTES = 64 * 1024


def bytes_asked(requests: list[Request]) -> int:
    """The sum of all ranges; a request without a range would have asked for everything."""
    asked = 0
    for request in requests:
        if request.operation == "GetObject":
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range_header or "")
            assert found, request
            asked += int(found[2]) - int(found[1]) + 1
    return asked


def test_a_resume_reads_the_header_and_the_rows_that_are_left(world: World) -> None:
    workload = generate(3, rows=20_000, shape=Shape(columns=8, repeat_rate=0))
    job = Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": "1000"})
    requests_before: list[int] = []
    outcome = run_job(
        world, job, [KillAtRow(18_500)], on_attempt=lambda *_: requests_before.append(len(world.cloud.requests))
    )
    assert outcome.evidence.attempts[-1].exit_code == 0
    resume = world.cloud.requests[requests_before[0] :]
    left = len(workload.csv) - workload.ranges[18_000].start
    assert left <= bytes_asked(resume) <= left + HEADER_PART_BYTES
    assert bytes_asked(resume) < len(workload.csv) / 5


def test_a_completed_job_reads_no_more_than_the_header(world: World) -> None:
    workload = generate(3, rows=20_000, shape=Shape(columns=8, repeat_rate=0))
    job = Job(workload.csv, workload.values("json"))
    outcome = run_job(world, job, [])
    before = len(world.cloud.requests)
    assert Target(PROCESSOR, outcome.environment).wait(within_s=60).exit_code == 0
    assert bytes_asked(world.cloud.requests[before:]) <= HEADER_PART_BYTES
