"""One batch sent, and one commit by the size of what it commits, on a real broker that other benchmarks have warmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from typing import Any

import pytest

from benchmarks.contestants import CLIENTS
from benchmarks.made_csv import MadeCsv
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import Stage
from processor.assembly import build_sink
from processor.model import Batch, CommittedPosition, Delivery, Pins, Position, SinkSettings
from processor.ports import Sink

pytestmark = pytest.mark.broker
WIDTH = 100
BATCH_ROWS = 10_000
ROUNDS_FOR_ONE = 4  # a batch or a commit takes milliseconds: more of them than of whole runs
COMMIT_ROWS = [1, 1_000, 10_000, *([100_000] if chosen_scale().whole_choice else [])]
OpenSink = Callable[[str, Delivery], Sink]


@pytest.fixture
def fenced_sink(stage: Stage) -> Iterator[OpenSink]:
    """Return what opens a sink that is ready to send, on a topic of the benchmark's own; closed in the end."""
    opened: list[Sink] = []
    with stage.topic() as topic:

        def open_sink(client: str, delivery: Delivery) -> Sink:
            servers = stage.world.broker.bootstrap_servers
            sink = build_sink(client, SinkSettings(servers, topic, 0, f"csv-to-kafka.{topic}", delivery))
            opened.append(sink)
            sink.describe()
            sink.fence()
            return sink

        yield open_sink
        for sink in opened:
            sink.discard()


def batch_of(rows: int) -> Batch:
    """Return rows as one batch; after the first 10,000 their values come again."""
    made = MadeCsv("rows", WIDTH, rows)
    values = list(islice(cycle(made.value(row) for row in range(min(rows, BATCH_ROWS))), rows))
    ends = [made.place(row)[1] for row in range(rows)]
    return Batch(Position(0, len(made.header)), Position(rows, ends[-1]), values, ends)


def commit(sink: Sink, batch: Batch) -> None:
    """Commit the batch's position with whatever was sent."""
    sink.commit(CommittedPosition(batch.end, Pins('"etag"'), "shape"))


@pytest.mark.benchmark(group="sink: one batch")
@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("client", CLIENTS)
def test_send_one_batch(client: str, delivery: Delivery, fenced_sink: OpenSink, scale: Scale, benchmark: Any) -> None:
    sink, batch = fenced_sink(client, delivery), batch_of(BATCH_ROWS)
    settings = {"client": client, "delivery": delivery, "compression": "gzip", "width": WIDTH}
    figure, name = "one batch", f"one batch: {client} {delivery}"
    benchmark.extra_info.update(figure=figure, name=name, settings=settings, rows=BATCH_ROWS)
    benchmark.extra_info["object_bytes"] = BATCH_ROWS * WIDTH
    benchmark.pedantic(
        lambda: sink.send(batch),
        setup=lambda: commit(sink, batch),  # of the round before it: each batch is a transaction of its own
        rounds=ROUNDS_FOR_ONE * scale.rounds,
        warmup_rounds=ROUNDS_FOR_ONE * scale.warm_up_rounds,
    )
    commit(sink, batch)


@pytest.mark.benchmark(group="sink: one commit")
@pytest.mark.parametrize("rows", COMMIT_ROWS)
@pytest.mark.parametrize("client", CLIENTS)
def test_commit_one_batch(client: str, rows: int, fenced_sink: OpenSink, scale: Scale, benchmark: Any) -> None:
    sink, batch = fenced_sink(client, Delivery.EXACTLY_ONCE), batch_of(rows)

    def send() -> None:
        sink.send(batch)

    settings = {"client": client, "interval_rows": rows, "compression": "gzip", "width": WIDTH}
    figure, name = "one commit", f"one commit: {client} of {rows:,} rows"
    benchmark.extra_info.update(figure=figure, name=name, settings=settings, rows=1, object_bytes=rows * WIDTH)
    benchmark.pedantic(
        partial(commit, sink, batch),
        setup=send,
        rounds=ROUNDS_FOR_ONE * scale.rounds,
        warmup_rounds=ROUNDS_FOR_ONE * scale.warm_up_rounds,
    )
