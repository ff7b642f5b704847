"""The public cases of csv-spectrum are read as its authors say, wherever the object is cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.fakes import FakeKey, FakeObject
from harness.tests.test_csv_source import URL
from processor.csv_source import BatchLimits, CsvSource
from processor.model import Position, ValueFormat

CASES = sorted((Path(__file__).parent / "csv_spectrum").glob("*.csv"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_case_is_read_as_its_authors_say(case: Path) -> None:
    body = case.read_bytes()
    expected = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))
    if case.stem == "location_coordinates":  # its JSON is one object, with another telephone number than its CSV
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    for chunk_bytes in range(1, len(body) + 1):
        stored = FakeObject(FakeKey(body, url=URL), chunk_bytes=chunk_bytes)
        source = CsvSource(stored, url=URL, value_format=ValueFormat.JSON, limits=BatchLimits())
        start = Position(0, source.describe(None).first_row_byte)
        assert [json.loads(value) for batch in source.batches(start) for value in batch.values] == expected


def test_there_are_twelve_cases() -> None:
    assert len(CASES) == 12
