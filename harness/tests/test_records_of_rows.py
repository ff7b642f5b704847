"""Keys, headers and timestamps of each row are the oracle's, wherever a run goes on; without a timestamp it is bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest

from harness.fakes import FakeKey, FakeObject
from harness.record_rule import RecordRule
from harness.workload import WRITINGS, Shape, Workload, generate
from processor.csv_source import BatchLimits, CsvSource
from processor.dialect import RFC4180, Dialect
from processor.encoders import Encode, MakeEncode, Unencodable
from processor.errors import BadRow, BadSetting
from processor.model import Batch, Position, ValueFormat
from processor.native_rows import native_rows
from processor.record_parts import RecordParts

WORKLOADS = [generate(seed, rows=1 + seed % 30) for seed in range(120)]
TIMES = b"id,at\n" + b"".join(b"%d,2024-01-%02d\n" % (row, row + 1) for row in range(9))


def source_of(
    body: bytes,
    parts: RecordParts,
    *,
    value_format: ValueFormat | MakeEncode = ValueFormat.JSON,
    interval_rows: int = 7,
    chunk_bytes: int = 100,
    dialect: Dialect = RFC4180,
) -> CsvSource:
    return CsvSource(
        FakeObject(FakeKey(body), chunk_bytes=chunk_bytes),
        url="s3://b/k",
        value_format=value_format,
        limits=BatchLimits(interval_rows=interval_rows),
        dialect=dialect,
        parts=parts,
        native=native_rows,
    )


def batches_of(source: CsvSource) -> list[Batch]:
    return list(source.batches(Position(0, source.describe(None).first_row_byte)))


def collected(source: CsvSource) -> tuple[list[Batch], BadRow | None]:
    """Return the batches up to a bad row, and the bad row."""
    seen: list[Batch] = []
    try:
        for batch in source.batches(Position(0, source.describe(None).first_row_byte)):
            seen.append(batch)  # noqa: PERF402  # what came before the error is kept
    except BadRow as error:
        return seen, error
    return seen, None


def told(rule: RecordRule, batches: Sequence[Batch]) -> tuple[bytes, ...]:
    """Say of a processor's records what the oracle says of them."""
    return tuple(
        rule.told(
            value,
            key=batch.keys[i] if batch.keys else None,
            headers=batch.headers[i] if batch.headers else (),
            at_ms=batch.timestamps_ms[i] if batch.timestamps_ms else 0,
        )
        for batch in batches
        for i, value in enumerate(batch.values)
    )


def rule_for(workload: Workload, random: Random) -> RecordRule:
    columns = random.sample(workload.header, random.randint(0, min(3, len(workload.header))))
    return RecordRule(tuple(columns), position=random.choice((True, False)))


def parts_of(rule: RecordRule) -> RecordParts:
    return RecordParts(rule.key, rule.position, rule.timestamp)


@pytest.mark.parametrize("chunk_bytes", [7, 65_536])
@pytest.mark.parametrize("value_format", ValueFormat)
def test_keys_and_headers_are_the_oracles_byte_for_byte(value_format: ValueFormat, chunk_bytes: int) -> None:
    random, keys, headers = Random(1), 0, 0
    for workload in WORKLOADS:
        rule = rule_for(workload, random)
        source = source_of(workload.csv, parts_of(rule), value_format=value_format, chunk_bytes=chunk_bytes)
        batches = batches_of(source)
        assert told(rule, batches) == rule.expected(workload, value_format), workload.name
        assert all((b.keys is None, b.headers is None) == (not rule.key, not rule.position) for b in batches)
        keys, headers = keys + bool(rule.key), headers + rule.position
    assert min(keys, headers) > 30


@pytest.mark.parametrize("number", range(len(WRITINGS)))
def test_keys_and_headers_of_every_dialect_are_the_oracles(number: int) -> None:
    writing = WRITINGS[number]
    random = Random(number)
    for seed in range(30):
        workload = generate(seed, rows=20, shape=Shape(columns=3, writing=writing, bom=writing.encoding == "utf-8"))
        rule = rule_for(workload, random)
        dialect = Dialect(
            writing.delimiter,
            writing.quote or None,
            writing.escape or None,
            writing.comment or None,
            writing.encoding,
            None if writing.header else workload.header,
        )
        batches = batches_of(source_of(workload.csv, parts_of(rule), dialect=dialect))
        assert told(rule, batches) == rule.expected(workload, "json"), (writing, seed)


@pytest.mark.parametrize("key", [0, 1])
def test_beside_the_native_parser_headers_are_the_oracles_and_a_key_does_without_it(key: int) -> None:
    calm = Shape(columns=5, multibyte=False, special_rate=0.0, nul_rate=0.0, inner_quote_rate=0.0, blank_line_rate=0.0)
    workload = generate(8, rows=60_000, shape=calm)
    rule, asked = RecordRule(workload.header[:key], position=True), []

    def native(value_format: ValueFormat, names: tuple[str, ...]) -> Callable[[bytes], list[bytes] | None] | None:
        parse = native_rows(value_format, names)
        assert parse is not None

        def counted(lines: bytes) -> list[bytes] | None:
            values = parse(lines)
            asked.append(values is not None)
            return values

        return counted

    stored = FakeObject(FakeKey(workload.csv), chunk_bytes=2**20)
    source = CsvSource(
        stored,
        url="s3://b/k",
        value_format=ValueFormat.JSON,
        limits=BatchLimits(),
        parts=parts_of(rule),
        native=native,
    )
    assert told(rule, batches_of(source)) == rule.expected(workload, "json")
    assert any(asked) != bool(key)


def test_a_run_that_goes_on_anywhere_makes_the_same_records() -> None:
    for workload in WORKLOADS[:25]:
        rule = RecordRule(workload.header[:2], position=True)
        source = source_of(workload.csv, parts_of(rule), interval_rows=3)
        whole = batches_of(source)
        expected = told(rule, whole)
        for batch in whole:
            for i, end in enumerate(batch.byte_ends, start=1):
                rest = list(source.batches(Position(batch.start.row + i, end)))
                assert told(rule, rest) == expected[batch.start.row + i :], workload.name


def test_the_key_of_one_column_is_its_cell_and_that_of_several_a_json_array() -> None:
    body = 'id,name,x\n7,"Zürich ""1""\n",\n'.encode()
    for key, expected in {
        ("name",): 'Zürich "1"\n'.encode(),
        ("x",): b"",
        ("name", "id"): '["Zürich \\"1\\"\\n","7"]'.encode(),
        ("x", "id"): b'["","7"]',
    }.items():
        (batch,) = batches_of(source_of(body, RecordParts(key)))
        assert batch.keys == [expected]


@pytest.mark.parametrize(
    ("parts", "flag"), [(RecordParts(("id", "b")), "--key"), (RecordParts(timestamp="b"), "--timestamp")]
)
def test_an_unknown_column_is_refused_before_anything_with_the_columns_there_are(parts: RecordParts, flag: str) -> None:
    with pytest.raises(BadSetting) as refused:
        source_of(TIMES, parts).describe(None)
    assert str(refused.value) == f"{flag}: there is no column 'b' (there are id, at)"


def test_an_object_without_a_header_has_no_column_to_be_missed() -> None:
    source = source_of(b"", RecordParts(("id",), position=True, timestamp="at"))
    assert batches_of(source) == []


class TestTimestamps:
    def test_are_those_of_the_column_in_the_order_of_the_rows(self) -> None:
        batches = batches_of(source_of(TIMES, RecordParts(timestamp="at"), interval_rows=4))
        day_ms, first_ms = 86_400_000, 1_704_067_200_000
        assert [list(batch.timestamps_ms or ()) for batch in batches] == [
            [first_ms + day * day_ms for day in range(first, min(first + 4, 9))] for first in (0, 4, 8)
        ]

    @pytest.mark.parametrize("chunk_bytes", [1, 20, 65_536])
    @pytest.mark.parametrize("bad", range(9))
    def test_a_cell_that_says_none_is_a_bad_row_behind_every_row_before_it(self, bad: int, chunk_bytes: int) -> None:
        lines = TIMES.splitlines(keepends=True)
        lines[1 + bad] = b"x,yesterday\r\n"
        start = len(b"".join(lines[: 1 + bad]))
        source = source_of(b"".join(lines), RecordParts(("id",), timestamp="at"), chunk_bytes=chunk_bytes)
        seen, error = collected(source)
        assert [key for batch in seen for key in batch.keys or ()] == [b"%d" % row for row in range(bad)]
        assert error is not None
        assert "the cell in column 'at' is no timestamp: neither ISO 8601 nor milliseconds since 1970" in error.what
        assert "yesterday" not in str(error)
        assert (error.row, error.byte_start, error.byte_end) == (bad, start, start + len(lines[1 + bad]))


def lengths(names: tuple[str, ...]) -> Encode:
    """An encoder that has none for a row whose first cell is empty."""

    def encode(rows: Sequence[Sequence[str]]) -> list[bytes]:
        for i, row in enumerate(rows):
            if not row[0]:
                raise Unencodable(i, "the first cell is empty")
        return [",".join(f"{name}{len(cell)}" for name, cell in zip(names, row, strict=True)).encode() for row in rows]

    return encode


class TestEncoder:
    def test_makes_the_values_of_all_rows(self) -> None:
        for workload in WORKLOADS[:40]:
            values = [
                ",".join(f"{name}{len(cell)}" for name, cell in zip(workload.header, row, strict=True)).encode()
                for row in workload.rows
            ]
            keep = next((i for i, row in enumerate(workload.rows) if not row[0]), len(values))
            seen, error = collected(source_of(workload.csv, RecordParts(), value_format=lengths))
            assert [value for batch in seen for value in batch.values] == values[:keep], workload.name
            if keep < len(values):
                assert error is not None
                assert (error.row, error.byte_start) == (keep, workload.ranges[keep].start)
                assert "the first cell is empty" in error.what
            else:
                assert error is None

    def test_that_fails_before_a_cell_without_timestamp_wins_and_behind_it_loses(self) -> None:
        for column in ("id", "at"):
            lines = TIMES.splitlines(keepends=True)
            lines[1 + 2] = lines[1 + 2].replace(b"2,", b",") if column == "id" else b"2,never\n"
            lines[1 + 6] = b"6,never\n" if column == "id" else b",2024-01-01\n"
            source = source_of(b"".join(lines), RecordParts(("at",), timestamp="at"), value_format=lengths)
            seen, error = collected(source)
            assert error is not None
            assert ("empty" in error.what) == (column == "id")
            assert (error.row, sum(len(batch.values) for batch in seen)) == (2, 2)


LINES = {"good": b"%d,2024-01-02\n", "ragged": b"%d\n", "no time": b"%d,never\n", "no encoding": b",2024-01-02\n"}


@pytest.mark.parametrize("chunk_bytes", [1, 13, 65_536])
@pytest.mark.parametrize("interval_rows", [1, 4, 100])
def test_rows_without_timestamp_or_encoding_are_skipped_beside_those_that_are_no_csv(
    interval_rows: int, chunk_bytes: int
) -> None:
    parts = RecordParts(("id",), position=True, timestamp="at")
    for seed in range(60):
        kinds = Random(seed).choices(tuple(LINES), weights=(2, 1, 1, 1), k=1 + seed % 20)
        lines = [LINES[kind].replace(b"%d", b"%d" % row) for row, kind in enumerate(kinds)]
        starts = [len(b"id,at\n") + len(b"".join(lines[:row])) for row in range(len(lines) + 1)]
        good = [row for row, kind in enumerate(kinds) if kind == "good"]
        source = source_of(
            b"id,at\n" + b"".join(lines),
            parts,
            value_format=lengths,
            interval_rows=interval_rows,
            chunk_bytes=chunk_bytes,
        )
        source.describe(None)
        for first in range(len(lines) + 1):  # wherever a run goes on
            skipped = sum(row < first for row in range(len(lines)) if row not in good)
            batches = list(source.batches(Position(first, starts[first], skipped), skip_bad_rows=True))
            left = [row for row in good if row >= first]
            assert [key for batch in batches for key in batch.keys or ()] == [b"%d" % row for row in left]
            headers = [dict(said) for batch in batches for said in batch.headers or ()]
            assert headers == [{"row": b"%d" % row, "byte_offset": b"%d" % starts[row]} for row in left]
            assert sum(len(batch.timestamps_ms or ()) for batch in batches) == len(left)
            faults = [fault for batch in batches for fault in batch.faults]
            assert [fault.row for fault in faults] == [row for row in range(first, len(lines)) if row not in good]
            assert all((f.byte_start, f.byte_end) == (starts[f.row], starts[f.row + 1]) for f in faults)
            assert [row for batch in batches for row in batch.good_rows] == left
            if batches:
                assert batches[-1].end == Position(len(lines), starts[-1], len(lines) - len(good))
