"""Bytes become rows, rows become values: the reading path in memory, without S3 and without Kafka.

The kinds alternate with a yardstick; pytest-benchmark is given the durations (`benchmarks.playback`).
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task, timed
from benchmarks.compare import CORE_YARDSTICK
from benchmarks.made_csv import Cursor, MadeCsv
from benchmarks.playback import TIMER, play_back
from benchmarks.scale import SHORT_ROUNDS, Scale, chosen_scale
from harness.fakes import FakeKey, FakeObject
from processor.csv_rows import read_rows
from processor.csv_source import BatchLimits, CsvSource
from processor.model import Position, ValueFormat

CHUNK_BYTES = 2**20  # as from S3
BODY_BYTES = 2 * 10**6 if chosen_scale().rounds > 1 else 2 * 10**5
KINDS = [("plain", 100), ("rows", 100), ("rows", 1_000), ("rows", 10_000), ("quotes", 100), ("multibyte", 100)]
OBJECTS = {f"{profile} {width} B": MadeCsv(profile, width, BODY_BYTES // width) for profile, width in KINDS}
YARDSTICK_OBJECT = OBJECTS["rows 100 B"]
URL = "s3://made/rows.csv"


def body_of(made: MadeCsv) -> bytes:
    """Return all bytes of a made object."""
    return b"".join(map(bytes, Cursor(made).spans(0, made.size_bytes)))


def read(made: MadeCsv, body: bytes) -> None:
    """Parse the rows, and drop them."""
    first, width = len(made.header), made.header.count(b",") + 1
    chunks = [body[start : start + CHUNK_BYTES] for start in range(first, len(body), CHUNK_BYTES)]
    slabs = read_rows(chunks, byte_offset=first, row=0, width=width, max_row_bytes=BatchLimits().max_row_bytes)
    deque(slabs, maxlen=0)


def encode(made: MadeCsv, body: bytes, value_format: ValueFormat) -> None:
    """Parse the rows and make batches of values."""
    stored = FakeObject(FakeKey(body, url=URL), chunk_bytes=CHUNK_BYTES)
    source = CsvSource(stored, url=URL, value_format=value_format, limits=BatchLimits())
    start = Position(0, source.describe(None).first_row_byte)
    assert sum(len(batch.values) for batch in source.batches(start)) == made.rows


def read_with_csv(made: MadeCsv, body: bytes) -> None:
    """Do what no code of ours does: so that runs on two days can be set against each other."""
    assert len(list(csv.reader(io.StringIO(body.decode(), newline="\n"), strict=True))) == made.rows + 1


def works() -> Iterator[tuple[str, str, MadeCsv, Callable[[MadeCsv, bytes], None]]]:
    """Yield figure, name, object and work of every benchmark here."""
    yield "yardstick", CORE_YARDSTICK, YARDSTICK_OBJECT, read_with_csv
    for kind, made in OBJECTS.items():
        yield "rows from bytes", f"rows from bytes: {kind}", made, read
        for value_format in ValueFormat:
            work = partial(encode, value_format=value_format)
            yield "values from bytes", f"values from bytes: {value_format} of {kind}", made, work


WORKS = {name: (figure, made, work) for figure, name, made, work in works()}


@pytest.fixture(scope="module")
def in_memory(scale: Scale) -> Plan[float]:
    """All of them, a round of which takes some seconds."""
    bodies = {made: body_of(made) for made in OBJECTS.values()}
    tasks = {name: Task(partial(timed, partial(work, made, bodies[made]))) for name, (_, made, work) in WORKS.items()}
    return Plan(tasks, scale, times=SHORT_ROUNDS)


@pytest.mark.benchmark(group="in memory", timer=TIMER)
@pytest.mark.parametrize("name", WORKS)
def test_rows_and_values_from_bytes(name: str, in_memory: Plan[float], benchmark: Any) -> None:
    seconds = in_memory.rounds(name)
    figure, made, _ = WORKS[name]
    settings = {"profile": made.profile, "width": made.width}
    facts = {"figure": figure, "name": name, "settings": settings, "rows": made.rows, "object_bytes": made.size_bytes}
    play_back(benchmark, seconds, facts)
