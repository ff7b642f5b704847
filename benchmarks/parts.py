"""Parts of the way alone, so that it shows what holds the whole up: `python -m benchmarks.parts read|send|bare`.

- `read`: object server → batches of values, and no Kafka;
- `send`: the processor's sink with batches that are ready in memory, transactions included;
- `bare`: librdkafka with values ready in memory, and nothing of ours: what this machine and this broker can take from
  Python. It stays the same whatever happens to the processor, so runs on two days can be set against each other.

Each takes the processor's variables and tells its steps; a clock that starts at `resumed` times what is meant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from confluent_kafka import Producer

from benchmarks.made_csv import Cursor, MadeCsv
from benchmarks.measured_run import tell_measures
from processor.assembly import build_sink, build_source
from processor.model import UNKNOWN_OFFSET, Batch, CommittedPosition, Position
from processor.ports import Step
from processor.settings import Settings, load
from processor.source_url import parse_url
from processor.step_lines import StepLines

BARE_BATCH_ROWS = 10_000


def read(settings: Settings, lines: StepLines) -> None:
    """Read every batch, and drop it."""
    source = build_source(settings)
    start = Position(0, source.describe(None).first_row_byte)
    lines.step(Step.RESUMED)
    for batch in source.batches(start):
        _tell(lines, batch)


def send(settings: Settings, lines: StepLines) -> None:
    """Read everything into memory; then send and commit, and nothing else."""
    source = build_source(settings)
    described = source.describe(None)
    batches = list(source.batches(Position(0, described.first_row_byte)))
    sink = build_sink(settings.client, settings.sink)
    sink.describe()
    sink.fence()
    lines.step(Step.RESUMED)
    for batch in batches:
        sink.send(batch)
        sink.commit(CommittedPosition(batch.end, described.pins, settings.shape, UNKNOWN_OFFSET))
        _tell(lines, batch)
    sink.discard()


def bare(settings: Settings, lines: StepLines) -> None:
    """Hand ready values to librdkafka, as many at a time as it likes best."""
    made = MadeCsv.of_key(parse_url(settings.source)[1])
    batches = list(_lines_of(made))
    producer = Producer({
        "bootstrap.servers": settings.sink.bootstrap_servers,
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": settings.sink.compression,
        "batch.size": 1_000_000,
        "linger.ms": 50,
        "queue.buffering.max.messages": 2**31 - 1,
        "queue.buffering.max.kbytes": 2**31 - 1,
    })  # fmt: skip
    producer.list_topics(settings.sink.topic, timeout=10)
    lines.step(Step.RESUMED)
    sent = 0
    for values in batches:
        sent += producer.produce_batch(settings.sink.topic, [{"value": value} for value in values], partition=0)
    if producer.flush(60) or sent != made.rows:
        raise RuntimeError(f"sent {sent} of {made.rows} rows")
    lines.step(Step.COMMITTED, rows=sent, bytes=made.size_bytes - len(made.header) - made.rows)


PARTS = {"read": read, "send": send, "bare": bare}


def _lines_of(made: MadeCsv) -> Iterable[list[bytes]]:
    """Yield the rows without their line ends; only for profiles without a line feed in a cell."""
    step = BARE_BATCH_ROWS * made.width
    for start in range(len(made.header), made.size_bytes, step):
        whole = b"".join(map(bytes, Cursor(made).spans(start, min(start + step, made.size_bytes))))
        yield whole.splitlines()


def _tell(lines: StepLines, batch: Batch) -> None:
    lines.step(Step.COMMITTED, rows=len(batch.values), bytes=batch.size_bytes)


def main() -> None:
    """Time the part that is named."""
    settings = load({}, os.environ)
    PARTS[sys.argv[1]](settings, StepLines(settings.job_id, sys.stdout))
    tell_measures()


if __name__ == "__main__":
    main()
