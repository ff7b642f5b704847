"""Time from the start of a process to its first committed row, after a crash somewhere in a large object.

A job does not have to move half of an object to stand in the middle of it: its position is written to Kafka, as a
commit without rows, and a first run goes on from there and dies by SIGKILL in the middle of its second batch, half of
whose records have reached the broker. The run that comes after it is the one that is timed: it finds a dead run's
transaction, position and lease, as after any crash. The processor refuses a position that the partition is too short
for, so the partition is filled up once, with records of nothing, and all jobs use it one after the other.
"""

from __future__ import annotations

import signal
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Producer

from benchmarks.made_csv import MadeCsv
from benchmarks.runs import moment
from benchmarks.stage import Stage
from harness.history import Step
from harness.target import Target
from processor.assembly import build_sink
from processor.model import CommittedPosition, Pins, Position
from processor.settings import load

PERCENTS = (1, 50, 99)
COMMAND = (sys.executable, "-m", "processor", "run")
VICTIM = (sys.executable, "-m", "chaos.victim", "run")
MOST_INTERVAL_ROWS = 10_000  # the default
WITHIN_S = 120.0
FILLED_AT_ONCE = 100_000
STOPPED_CODES = (0, 128 + signal.SIGTERM)  # or it was done already
STEPS = ("claimed", "fenced", "resumed", "committed")


@dataclass(frozen=True, slots=True)
class Resume:
    """Seconds from the start of the process to each step; `row` is the one it went on from.

    A peer tells the last step only.
    """

    committed_s: float
    row: int | None = None
    claimed_s: float | None = None
    fenced_s: float | None = None
    resumed_s: float | None = None

    def __str__(self) -> str:
        return f"{self.committed_s:.2f} s to the first new committed row" + (
            f", from row {self.row:,}" if self.row else ""
        )


class Crashes:
    """Crashes in one object, each a job of its own, on one partition."""

    def __init__(self, stage: Stage, made: MadeCsv, topic: str) -> None:
        """Fill the topic up until it is as long as if the object had been moved."""
        self._stage, self._made, self._topic = stage, made, topic
        # Between the last place and the end lie two batches that are committed, and the one between them that is not.
        self.interval_rows = min(MOST_INTERVAL_ROWS, made.rows // 400)
        fill(stage.world.broker.bootstrap_servers, topic, made.rows)

    def run(self, client: str, percent: int) -> Resume:
        """Crash at this place of the object and come back. Raises where it came back elsewhere."""
        row = self._made.rows * percent // 100
        job = {
            "JOB_ID": f"{client}-{percent}-{uuid.uuid4().hex[:8]}",
            "KAFKA_CLIENT": client,
            "CHECKPOINT_INTERVAL": str(self.interval_rows),
        }
        environment = self._stage.environment(self._made, self._topic, job)
        plant_position(environment, self._made, row)
        crash(environment, self.interval_rows)
        began = time.time()
        target = Target(COMMAND, environment)
        try:
            target.await_step(is_named("committed"), within_s=WITHIN_S, what="a commit after the crash")
        finally:
            stop(target)
        firsts = {step.name: step for step in reversed(target.steps) if step.name in STEPS}
        rows = [firsts[name].next_row or 0 for name in ("resumed", "committed")]
        if not row < rows[0] < rows[1]:
            raise RuntimeError(f"crashed after row {row}, resumed at row {rows[0]}, committed up to row {rows[1]}")
        return Resume(row=rows[0], **{f"{name}_s": round(moment(firsts[name]) - began, 3) for name in STEPS})


def fill(bootstrap_servers: str, topic: str, records: int) -> None:
    """Write so many empty records."""
    producer = Producer({
        "bootstrap.servers": bootstrap_servers,
        "compression.type": "lz4",
        "linger.ms": 50,
        "batch.num.messages": FILLED_AT_ONCE,
        "queue.buffering.max.messages": FILLED_AT_ONCE,
    })  # fmt: skip
    for start in range(0, records, FILLED_AT_ONCE):
        empty = [{"value": b""} for _ in range(start, min(start + FILLED_AT_ONCE, records))]
        if producer.produce_batch(topic, empty, partition=0) < len(empty) or producer.flush(WITHIN_S):
            raise RuntimeError(f"{topic} could not be filled up")


def plant_position(environment: dict[str, str], made: MadeCsv, row: int) -> None:
    """Write to Kafka that the rows before `row` are done."""
    settings = load({}, environment)
    sink = build_sink(settings.client, settings.sink)
    try:
        sink.fence()
        position = Position(row, made.place(row)[0])
        sink.commit(CommittedPosition(position, Pins(made.etag), settings.shape, row - 1))
    finally:
        sink.discard()


def crash(environment: dict[str, str], interval_rows: int) -> None:
    """Run until the second batch is half sent, and die. Raises RuntimeError where the run ended otherwise."""
    target = Target(VICTIM, {**environment, "CHAOS_STRIKE": f"batch:2:{interval_rows // 2}"})
    end = target.wait(within_s=WITHIN_S)
    if end.signal != signal.SIGKILL:
        raise RuntimeError(f"the run was to be killed, but it ended with {end.ended}: {target.stderr}")


def stop(target: Target) -> None:
    """End the run so that it leaves no open transaction to the next job. Raises RuntimeError where it ends badly."""
    target.signal(signal.SIGTERM)
    end = target.wait(within_s=WITHIN_S)
    if end.exit_code not in STOPPED_CODES:
        raise RuntimeError(f"the run was to stop, but it ended with {end.ended}: {target.stderr}")


def is_named(name: str) -> Callable[[Step], bool]:
    """Return what is true for a step of this name."""
    return lambda step: step.name == name
