"""Bytes become rows, rows become values: the reading path in memory, without S3 and without Kafka."""

from __future__ import annotations

import csv
import io
from collections import deque
from typing import Any

import pytest

from benchmarks.made_csv import Cursor, MadeCsv
from harness.fakes import FakeKey, FakeObject
from processor.csv_rows import read_rows
from processor.csv_source import BatchLimits, CsvSource
from processor.model import Position, ValueFormat

CHUNK_BYTES = 2**20  # as from S3
BODY_BYTES = 4 * 10**6
KINDS = ["plain 100", "rows 100", "rows 1000", "rows 10000", "quotes 100", "multibyte 100"]
URL = "s3://made/rows.csv"


def body_of(kind: str) -> tuple[MadeCsv, bytes]:
    """Return a made object of some megabytes, and all its bytes."""
    profile, width = kind.split()
    made = MadeCsv(profile, int(width), BODY_BYTES // int(width))
    return made, b"".join(map(bytes, Cursor(made).spans(0, made.size_bytes)))


def facts_of(kind: str, made: MadeCsv, figure: str) -> dict[str, object]:
    """Return what the results keep of a made object."""
    settings = {"profile": made.profile, "width": made.width}
    name = f"{figure}: {kind} B"
    return {"figure": figure, "name": name, "settings": settings, "rows": made.rows, "object_bytes": made.size_bytes}


@pytest.mark.benchmark(group="rows from bytes")
@pytest.mark.parametrize("kind", KINDS)
def test_rows_from_bytes(kind: str, benchmark: Any) -> None:
    made, body = body_of(kind)
    first = len(made.header)
    chunks = [body[start : start + CHUNK_BYTES] for start in range(first, len(body), CHUNK_BYTES)]
    width = made.header.count(b",") + 1

    def read() -> None:
        slabs = read_rows(chunks, byte_offset=first, row=0, width=width, max_row_bytes=BatchLimits().max_row_bytes)
        deque(slabs, maxlen=0)

    benchmark.extra_info.update(facts_of(kind, made, "rows from bytes"))
    benchmark(read)


@pytest.mark.benchmark(group="values from bytes")
@pytest.mark.parametrize("value_format", ValueFormat)
@pytest.mark.parametrize("kind", KINDS)
def test_values_from_bytes(kind: str, value_format: ValueFormat, benchmark: Any) -> None:
    made, body = body_of(kind)
    stored = FakeObject(FakeKey(body, url=URL), chunk_bytes=CHUNK_BYTES)
    source = CsvSource(stored, url=URL, value_format=value_format, limits=BatchLimits())
    start = Position(0, source.describe(None).first_row_byte)
    benchmark.extra_info.update(facts_of(f"{value_format} of {kind}", made, "values from bytes"))
    rows = benchmark(lambda: sum(len(batch.values) for batch in source.batches(start)))
    assert rows == made.rows


@pytest.mark.benchmark(group="yardstick")
def test_yardstick_of_one_core(benchmark: Any) -> None:
    """Python's csv reader alone: none of our code, so that runs on two days can be set against each other."""
    made, body = body_of("rows 100")
    benchmark.extra_info.update(facts_of("rows 100", made, "yardstick"))
    rows = benchmark(lambda: len(list(csv.reader(io.StringIO(body.decode(), newline="\n"), strict=True))))
    assert rows == made.rows + 1
