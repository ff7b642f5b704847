"""What one batch costs: sending it, committing it by its size, and saving the checkpoint.

Sinks of both clients are open side by side and take turns; pytest-benchmark is given the durations
(`benchmarks.playback`). The checkpoint is moto's time for the most part, which plays DynamoDB in this very process.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count, cycle, islice
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task, timed
from benchmarks.contestants import CLIENTS
from benchmarks.made_csv import MadeCsv
from benchmarks.playback import TIMER, play_back
from benchmarks.scale import SHORT_ROUNDS, Scale, chosen_scale
from benchmarks.stage import BUCKET, Stage
from processor.assembly import build_checkpoints, build_sink
from processor.model import (
    UNKNOWN_OFFSET,
    Batch,
    CommittedPosition,
    Delivery,
    Destination,
    JobStart,
    Pins,
    Position,
    SinkSettings,
)
from processor.ports import Sink
from processor.settings import load

pytestmark = pytest.mark.broker
WIDTH = 100
BATCH_ROWS = 10_000
COMMIT_ROWS = [1, 1_000, 10_000, *([100_000] if chosen_scale().whole_choice else [])]
CHECKPOINT = "one checkpoint saved"
BATCHES = {f"one batch: {client} {delivery}": (client, delivery) for client in CLIENTS for delivery in Delivery}
COMMITS = {f"one commit: {client} of {rows:,} rows": (client, rows) for client in CLIENTS for rows in COMMIT_ROWS}


def batch_of(rows: int) -> Batch:
    """Return rows as one batch; after the first 10,000 their values come again."""
    made = MadeCsv("rows", WIDTH, rows)
    values = list(islice(cycle(made.value(row) for row in range(min(rows, BATCH_ROWS))), rows))
    ends = [made.place(row)[1] for row in range(rows)]
    return Batch(Position(0, len(made.header)), Position(rows, ends[-1]), values, ends)


def send(sink: Sink, batch: Batch) -> float:
    """Return the seconds that sending took, without the commit."""
    seconds = timed(lambda: sink.send(batch))
    commit(sink, batch)
    return seconds


def send_and_commit(sink: Sink, batch: Batch) -> float:
    """Return the seconds that the commit took, without sending."""
    sink.send(batch)
    return timed(partial(commit, sink, batch))


def commit(sink: Sink, batch: Batch) -> None:
    """Commit the batch's position with what was sent."""
    sink.commit(CommittedPosition(batch.end, Pins('"etag"'), "shape", UNKNOWN_OFFSET))


def saving(stage: Stage) -> Callable[[], None]:
    """Return what saves a checkpoint, one row further each time."""
    url = f"s3://{BUCKET}/rows.csv"
    checkpoints = build_checkpoints(
        load({}, stage.world.environment(topic="rows", source=url, job_id=f"checkpoint-{uuid.uuid4().hex}"))
    )
    checkpoints.claim()
    start = JobStart(url, Pins('"etag"'), "shape", Destination("cluster", "topic", 0), 0)
    checkpoints.begin(start, Position(0, 0))
    rows = count(1)

    def save() -> None:
        row = next(rows)
        checkpoints.save(Position(row, row), next_offset=row)

    return save


@pytest.fixture(scope="module")
def one_batch(stage: Stage, scale: Scale) -> Iterator[Plan[float]]:
    """All of them; every sink has a topic of its own."""
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patched:

        def sink_of(client: str, delivery: Delivery = Delivery.EXACTLY_ONCE) -> Sink:
            topic = opened.enter_context(stage.topic())
            servers = stage.world.broker.bootstrap_servers
            sink = build_sink(client, SinkSettings(servers, topic, 0, f"csv-to-kafka.{topic}", delivery))
            opened.callback(sink.discard)
            sink.describe()
            sink.fence()
            return sink

        for variable, setting in stage.world.environment().items():
            patched.setenv(variable, setting)
        sinks = {name: (sink_of(*which), BATCH_ROWS, send) for name, which in BATCHES.items()}
        sinks |= {name: (sink_of(client), rows, send_and_commit) for name, (client, rows) in COMMITS.items()}
        batches = {rows: batch_of(rows) for rows in {BATCH_ROWS, *COMMIT_ROWS}}
        tasks = {name: Task(partial(work, sink, batches[rows])) for name, (sink, rows, work) in sinks.items()}
        tasks[CHECKPOINT] = Task(partial(timed, saving(stage)))
        yield Plan(tasks, scale, times=SHORT_ROUNDS)


@pytest.mark.benchmark(group="one batch", timer=TIMER)
@pytest.mark.parametrize("name", BATCHES)
def test_send_one_batch(name: str, one_batch: Plan[float], benchmark: Any) -> None:
    client, delivery = BATCHES[name]
    settings = {"client": client, "delivery": delivery, "compression": "gzip", "width": WIDTH}
    facts = {"figure": "one batch", "name": name, "settings": settings, "rows": BATCH_ROWS}
    play_back(benchmark, one_batch.rounds(name), {**facts, "object_bytes": BATCH_ROWS * WIDTH})


@pytest.mark.benchmark(group="one commit", timer=TIMER)
@pytest.mark.parametrize("name", COMMITS)
def test_commit_one_batch(name: str, one_batch: Plan[float], benchmark: Any) -> None:
    client, rows = COMMITS[name]
    settings = {"client": client, "interval_rows": rows, "compression": "gzip", "width": WIDTH}
    facts = {"figure": "one commit", "name": name, "settings": settings, "rows": 1, "object_bytes": rows * WIDTH}
    play_back(benchmark, one_batch.rounds(name), facts)


@pytest.mark.benchmark(group="checkpoint", timer=TIMER)
def test_save_one_checkpoint(one_batch: Plan[float], benchmark: Any) -> None:
    facts = {"figure": "checkpoint", "name": CHECKPOINT, "settings": {}, "rows": 1, "object_bytes": 0}
    play_back(benchmark, one_batch.rounds(CHECKPOINT), facts)
