"""One measured run: a process that says `resumed` before its first row and `committed` after each batch.

The time runs from `resumed` to the last `committed`: start-up is not counted, everything else is. A run that did not
bring every row to the partition has no time at all: it raises.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.made_csv import MadeCsv
from benchmarks.stage import Stage
from harness.history import Attempt, Step
from harness.partition import offsets, read
from harness.target import Target

PROCESSOR = (sys.executable, "-m", "benchmarks.measured_run", "run")
VERIFY = (*PROCESSOR[:-1], "verify")
WITHIN_S = 3600.0
LOOKED_AT_OFFSETS = 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took. `send_ms` and `commit_ms` are sums over the commits, as the processor saw them."""

    seconds: float
    rows: int
    object_bytes: int
    value_bytes: int = 0
    commits: int = 0
    send_ms: float = 0.0
    commit_ms: float = 0.0
    cpu_s: float | None = None
    peak_memory_bytes: int | None = None
    mark: str = ""  # what a reader found wrong; a run of our own raises instead

    def __str__(self) -> str:
        return f"{self.rows / self.seconds:,.0f} rows/s ({self.rows:,} in {self.seconds:.2f} s) {self.mark}".rstrip()


def run_processor(stage: Stage, made: MadeCsv, settings: dict[str, str]) -> Run:
    """Run the processor from the first row to the last, on a topic of its own; see that the last record is right."""
    with stage.topic() as topic:
        return fill(stage, made, settings, topic=topic)


def fill(stage: Stage, made: MadeCsv, settings: dict[str, str], *, topic: str) -> Run:
    """Do the same on this empty topic."""
    run = measure(PROCESSOR, stage.environment(made, topic, settings), made)
    require_last_record(stage, topic, made.value(made.rows - 1), commits=run.commits, rows=made.rows)
    return run


def verify(stage: Stage, made: MadeCsv, settings: dict[str, str], *, topic: str) -> Run:
    """Run `verify` on a job that is done, the start of the process included. Raises RuntimeError unless it is valid."""
    began = time.monotonic()
    environment = os.environ | stage.environment(made, topic, settings)
    ended = subprocess.run(VERIFY, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN_S)
    seconds = time.monotonic() - began
    if ended.returncode != 0 or f"valid: {made.rows:,} rows" not in ended.stdout:
        raise RuntimeError(f"{' '.join(VERIFY)} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    measures = json.loads(ended.stdout.splitlines()[-1])
    peak = measures["peak_memory_bytes"]
    return Run(seconds, made.rows, made.size_bytes, cpu_s=measures["cpu_s"], peak_memory_bytes=peak)


def measure(command: Sequence[str], environment: dict[str, str], made: MadeCsv) -> Run:
    """Run a command that tells the steps of the processor, and read off what it took."""
    target = Target(command, environment)
    end = target.wait(within_s=WITHIN_S)
    committed = [step for step in end.steps if step.name == "committed"]
    if end.exit_code != 0 or sum(step.rows or 0 for step in committed) != made.rows:
        raise RuntimeError(f"{' '.join(command)} ended with {end.ended}: {target.stderr}")
    measures = first(end, "measured").fields
    return Run(
        seconds=moment(committed[-1]) - moment(first(end, "resumed")),
        rows=made.rows,
        object_bytes=made.size_bytes,
        value_bytes=_sum(committed, "bytes"),
        commits=len(committed),
        send_ms=_sum(committed, "send_ms"),
        commit_ms=_sum(committed, "commit_ms"),
        cpu_s=measures.get("cpu_s"),
        peak_memory_bytes=measures.get("peak_memory_bytes"),
    )


def require_last_record(stage: Stage, topic: str, value: bytes, *, commits: int, rows: int) -> None:
    """Raise RuntimeError unless the partition has room for the rows and ends with the value of the last one.

    That nothing else is in it is the judge's business elsewhere; here a run must not look fast by doing less.
    """
    servers = stage.world.broker.bootstrap_servers
    end = offsets(servers, topic).end
    if not rows <= end <= rows + commits + 1:
        raise RuntimeError(f"{topic} ends at offset {end} after {rows} rows in {commits} commits")
    start = max(end - LOOKED_AT_OFFSETS, 0)
    found = read(servers, topic, isolation="read_committed", start_offset=start)
    if not found or found[-1].value != value:
        raise RuntimeError(f"the last record of {topic} is not the last row")


def first(end: Attempt, name: str) -> Step:
    """Return the first step of this name. Raises LookupError where the run told none."""
    for step in end.steps:
        if step.name == name:
            return step
    raise LookupError(f"no step {name!r} among {[step.name for step in end.steps]}")


def moment(step: Step) -> float:
    """Return when a step was told, on the wall clock. Raises ValueError where it does not say."""
    if step.at_s is None:
        raise ValueError(f"a step without a time: {step.fields}")
    return step.at_s


def _sum(steps: Sequence[Step], name: str) -> int:
    return sum(step.fields.get(name, 0) for step in steps)
