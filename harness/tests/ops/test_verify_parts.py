"""`verify` compares key, headers and timestamp where the job gives them, on the fake and on both clients."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tests.ops.planted import Planted, byte_after
from processor.record_parts import RecordParts, position_headers

FIRST_MS = 1_700_000_000_000


def columns_of(rows: int) -> dict[str, list[Any]]:
    return {
        "keys": [f'["text of row {row}","{row}"]'.encode() for row in range(rows)],
        "headers": [position_headers(row, byte_after(row)) for row in range(rows)],
    }


def as_they_should_be(planted: Planted) -> dict[str, list[Any]]:
    planted.parts = RecordParts(("text", "id"), position=True)
    return columns_of(planted.rows)


def test_records_with_the_right_parts_are_valid(planted: Planted) -> None:
    planted.complete(planted.values, **as_they_should_be(planted))
    code, said = planted.verify()
    assert (code, "valid: 50 rows; 50 records compared" in said) == (0, True), said


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("keys", b'["text of row 30"]'),
        ("keys", b""),
        ("headers", ()),
        ("headers", position_headers(31, 0)),
        ("headers", (("byte_offset", b"1"), ("row", b"30"))),
    ],
)
def test_a_record_with_the_right_value_and_another_part_is_altered(planted: Planted, column: str, wrong: Any) -> None:
    columns = as_they_should_be(planted)
    columns[column][30] = wrong
    planted.complete(planted.values, **columns)
    code, said = planted.verify()
    assert code == 1
    assert "difference 1: altered: row 30 with other bytes, at offset 31" in said
    assert said.count("difference ") == 1


def test_a_record_with_the_neighbours_key_is_named(planted: Planted) -> None:
    columns = as_they_should_be(planted)
    columns["keys"][30:32] = columns["keys"][31:29:-1]
    planted.complete(planted.values, **columns)
    code, said = planted.verify()
    assert (code, "altered: rows 30 to 31" in said) == (1, True), said


def test_a_timestamp_that_is_another_moment_is_altered(planted: Planted) -> None:
    planted.key.put(b"id,text\n" + b"".join(b"%d,x\n" % (FIRST_MS + row) for row in range(planted.rows)))
    planted.parts = RecordParts(timestamp="id")
    values = [b'{"id":"%d","text":"x"}' % (FIRST_MS + row) for row in range(planted.rows)]
    times_ms = [FIRST_MS + row for row in range(planted.rows)]
    planted.complete(values, timestamps_ms=[*times_ms[:30], FIRST_MS, *times_ms[31:]])
    code, said = planted.verify()
    assert (code, said.count("difference "), "altered: row 30" in said) == (1, 1, True), said
    assert f"timestamp_ms={FIRST_MS}" in said


def test_what_the_job_does_not_give_is_not_looked_at(planted: Planted) -> None:
    planted.complete(planted.values, **columns_of(planted.rows))
    assert planted.verify()[0] == 0
