"""`reset` on a real broker: killed at each of its writes and run again, and against a run that is at work."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

import pytest

from chaos.job import Job, Staged, gather, stage
from chaos.tests.since_reset import since_reset
from harness.checker import Validity, judge
from harness.history import Attempt
from harness.partition import Client, LiveReader
from harness.target import Target
from harness.workload import generate
from harness.world import World

pytestmark = pytest.mark.broker

ROWS, TO_ROW = 60, 25
CLIENTS: tuple[Client, ...] = ("kafka-python", "confluent")
WRITES = ("before:restart", "after:restart", "before:commit", "after:commit")


def job_of(client: Client, rows: int = ROWS) -> Job:
    workload = generate(11, rows=rows)
    return Job(workload.csv, workload.values("json"), client, settings={"CHECKPOINT_INTERVAL": "10"})


def command(staged: Staged, *arguments: str, module: str = "processor") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **staged.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run(staged: Staged, number: int) -> Attempt:
    return Target([sys.executable, "-m", "processor", "run"], staged.environment, number=number).wait(within_s=120)


@pytest.mark.strike
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("write", WRITES)
def test_a_reset_killed_at_a_write_is_done_again_and_the_rows_from_there_on_come_once(
    world: World, client: Client, write: str
) -> None:
    job = job_of(client)
    staged = stage(world, job)
    assert run(staged, 1).exit_code == 0
    died = command(staged, write, "--to-row", str(TO_ROW), "--yes", module="chaos.tests.reset_victim")
    assert died.returncode == -signal.SIGKILL, died.stderr
    again = command(staged, "reset", "--to-row", str(TO_ROW), "--yes")
    assert again.returncode == 0, again.stderr
    assert f"reset: the job goes on at row {TO_ROW} (byte " in again.stdout
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        after = run(staged, 2)
        evidence = gather(world, job, staged.topic, attempts=[after], strikes=(), live=live)
    assert after.exit_code == 0
    item = world.cloud.checkpoint_versions(staged.topic)[-1]
    verdict = judge(since_reset(evidence, item, [after]))
    assert verdict.validity is Validity.VALID, verdict.summary
    assert (verdict.rows, verdict.records) == (ROWS - TO_ROW, ROWS - TO_ROW)
    checked = command(staged, "verify")
    assert (checked.returncode, f"valid: rows {TO_ROW} to {ROWS - 1}" in checked.stdout) == (0, True), checked


@pytest.mark.strike
@pytest.mark.parametrize("write", ["after:restart", "after:commit"])
def test_a_run_after_a_reset_that_was_killed_goes_on_from_the_new_row(world: World, write: str) -> None:
    job = job_of("kafka-python")
    staged = stage(world, job)
    assert run(staged, 1).exit_code == 0
    died = command(staged, write, "--to-row", str(TO_ROW), "--yes", module="chaos.tests.reset_victim")
    assert died.returncode == -signal.SIGKILL, died.stderr
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        after = run(staged, 2)
        evidence = gather(world, job, staged.topic, attempts=[after], strikes=(), live=live)
    assert after.exit_code == 0
    verdict = judge(since_reset(evidence, world.cloud.checkpoint_versions(staged.topic)[-1], [after]))
    assert verdict.validity is Validity.VALID, verdict.summary
    assert verdict.records == ROWS - TO_ROW


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_at_work_ends_with_4_and_the_next_one_starts_at_the_beginning(world: World, client: Client) -> None:
    job = job_of(client, rows=20_000)
    staged = stage(world, job)
    live_run = Target([sys.executable, "-m", "processor", "run"], staged.environment)
    live_run.await_step(
        lambda step: step.name == "saved" and (step.next_row or 0) >= 100, within_s=60, what="some rows saved"
    )
    done = command(staged, "reset", "--yes")
    assert done.returncode == 0, done.stderr
    assert live_run.wait(within_s=60).exit_code == 4
    staged.environment["CHECKPOINT_INTERVAL"] = "5000"  # type: ignore[index]
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        after = run(staged, 2)
        evidence = gather(world, job, staged.topic, attempts=[after], strikes=(), live=live)
    assert after.exit_code == 0
    verdict = judge(since_reset(evidence, world.cloud.checkpoint_versions(staged.topic)[-1], [after]))
    assert verdict.validity is Validity.VALID, verdict.summary
    assert verdict.records == 20_000


def test_nobody_to_ask_and_no_row_of_that_number_end_with_2_and_change_nothing(world: World) -> None:
    staged = stage(world, job_of("kafka-python"))
    assert run(staged, 1).exit_code == 0
    before = world.cloud.checkpoint_versions(staged.topic)
    for flags, said in (
        ((), "give --yes"),
        (("--yes", "--to-row", "61"), "the object has 60 rows"),
        (
            ("--yes", "--to-row", "-1"),
            "rows count from 0",
        ),
    ):
        refused = command(staged, "reset", *flags)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), refused
        assert said in refused.stderr
    assert world.cloud.checkpoint_versions(staged.topic) == before


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 2), (b"\n", 2), (b"\x04", 2), (b"y\n", 0)])
def test_at_a_terminal_it_asks_and_changes_nothing_without_a_yes(world: World, answer: bytes, code: int) -> None:
    staged = stage(world, job_of("kafka-python"))
    assert run(staged, 1).exit_code == 0
    before = world.cloud.checkpoint_versions(staged.topic)
    person, terminal = pty.openpty()
    os.write(person, answer)
    asked = subprocess.run(
        [sys.executable, "-m", "processor", "reset"],
        env={**os.environ, **staged.environment},
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(person)
    os.close(terminal)
    assert asked.returncode == code, asked
    assert "The job is COMPLETED, at row 60; a run that is at work will end with 4." in asked.stdout
    assert (world.cloud.checkpoint_versions(staged.topic) == before) == (code == 2)
