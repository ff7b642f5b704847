"""Where a bad row ends and the next row begins, whatever the chunks and wherever a reading goes on.

The witness is the slow reading of `test_csv_rows_properties`, byte by byte, with the rule for bad rows put on top.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.fakes import FakeKey, FakeObject
from harness.tests.test_csv_rows import BAD, HEAD, PLENTY, cut, every_chunk_size
from harness.tests.test_csv_rows_properties import LONGER, NASTY, VALID, read_one_slowly
from harness.tests.test_dialects import dialect_of
from harness.workload import WRITINGS, Shape, Workload, Writing, generate
from processor.csv_rows import read_header, read_rows
from processor.csv_source import BatchLimits, CsvSource
from processor.dialect import RFC4180, Dialect
from processor.errors import BadRow
from processor.model import UNKNOWN_OFFSET, Position, ValueFormat
from processor.resume import match_committed


class Row(NamedTuple):
    """A row, good or bad: its number, its bytes, its cells, None for a bad one."""

    row: int
    start: int
    end: int
    cells: tuple[str, ...] | None


def read(
    chunks: Iterator[bytes],
    *,
    at: int = 0,
    row: int = 0,
    width: int = 2,
    most: int = PLENTY,
    dialect: Dialect = RFC4180,
) -> tuple[list[Row], list[str]]:
    """Read on from byte `at` with row `row`; return all rows, and the reasons of the bad ones."""
    rows: list[Row] = []
    reasons = []
    for slab in read_rows(chunks, byte_offset=at, row=row, width=width, max_row_bytes=most, dialect=dialect, skip=True):
        good = [
            (start, end, tuple(cells)) for start, end, cells in zip(slab.starts, slab.ends, slab.rows(), strict=True)
        ]
        bad = [(fault.byte_start, fault.byte_end, None) for fault in slab.faults]
        reasons += [fault.reason for fault in slab.faults]
        both = sorted((*good, *bad), key=lambda place: place[:2])
        numbered = [Row(row + n, *place) for n, place in enumerate(both)]
        assert [one.row for one in numbered if one.cells is None] == [fault.row for fault in slab.faults]
        rows += numbered
        row += len(numbered)
    return rows, reasons


def read_slowly(body: bytes, *, width: int, most: int) -> list[Row]:
    """Read byte by byte; what breaks the grammar or is too long ends with its first line."""
    rows: list[Row] = []
    at = 0
    while at < len(body):
        cells, end = read_one_slowly(body, at)
        if cells is None or end - at > most:
            end = body.find(b"\n", at) + 1 or len(body)
            rows.append(Row(len(rows), at, end, None))
        elif cells:
            try:
                decoded = tuple(cell.decode() for cell in cells)
            except UnicodeDecodeError:
                decoded = ()
            rows.append(Row(len(rows), at, end, decoded if len(decoded) == width else None))
        at = end
    return rows


def agree(body: bytes, random: Random) -> None:
    """Every cut and a resume behind any row give one outcome: the slow reading's."""
    width, most = random.choice((1, 2)), random.choice((3, 6, PLENTY))
    rows, reasons = read(iter((body,)), width=width, most=most)
    assert rows == read_slowly(body, width=width, most=most), (body, width, most)
    for chunk_bytes in {1, random.randint(1, 7)}:
        assert read(cut(body, chunk_bytes), width=width, most=most) == (rows, reasons), (body, width, most, chunk_bytes)
    if rows:
        done = random.choice(rows)
        rest, _ = read(iter((body[done.end :],)), at=done.end, row=done.row + 1, width=width, most=most)
        assert rest == rows[done.row + 1 :], (body, width, most, done)


def test_every_short_string_of_nasty_bytes_is_read_as_the_slow_reading_does() -> None:
    random = Random(1)
    for length in range(5):
        for pieces in product((*NASTY, b"1,2\n"), repeat=length):
            agree(b"".join(pieces), random)


@pytest.mark.parametrize("alphabet", [LONGER, VALID], ids=["nasty", "mostly_valid"])
def test_longer_strings_are_read_as_the_slow_reading_does(alphabet: tuple[bytes, ...]) -> None:
    random = Random(2)
    for _ in range(3_000):
        agree(b"".join(random.choices((*alphabet, b"\n"), k=random.randint(3, 40))), random)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_a_million_strings_are_read_as_the_slow_reading_does(seed: int) -> None:
    random = Random(seed)
    for _ in range(250_000):
        agree(b"".join(random.choices((*(LONGER, VALID)[seed % 2], b"\n"), k=random.randint(3, 40))), random)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from((*LONGER, b"\n")), max_size=60), random=st.randoms(use_true_random=False))
def test_any_nasty_bytes_are_read_as_the_slow_reading_does(pieces: list[bytes], random: Random) -> None:
    agree(b"".join(pieces), random)


@pytest.mark.parametrize("name", BAD)
def test_bad_row_is_passed_over_by_just_its_bytes_and_the_good_one_before_it_stays(name: str) -> None:
    bad, rest, reason = BAD[name]
    before = HEAD + b"1,2\n\n"
    body = before + bad + rest
    whole, reasons = read(iter((body[4:],)), at=4)
    assert whole[:2] == [Row(0, 4, 8, ("1", "2")), Row(1, len(before), len(before + bad), None)]
    assert reason in reasons[0]
    assert whole[2:] == read(iter((rest,)), at=len(before + bad), row=2)[0]
    for chunk_bytes in every_chunk_size(body):
        assert read(cut(body[4:], chunk_bytes), at=4) == (whole, reasons)
    for done in whole:
        for chunk_bytes in (1, 3, len(body)):
            resumed, _ = read(cut(body[done.end :], chunk_bytes), at=done.end, row=done.row + 1)
            assert resumed == whole[done.row + 1 :]


@pytest.mark.parametrize("kept_bytes", [0, 3, 60, PLENTY])
def test_kept_bytes_are_the_first_of_each_bad_row_however_it_is_cut(kept_bytes: int) -> None:
    body = b"".join((b'1,"2\n', b"1,2\n", b"x" * 100, b"\n", b'"3\n",4,5\r\n', b"6,\xff\n", b"y" * 50))
    for chunk_bytes in every_chunk_size(body):
        slabs = read_rows(
            cut(body, chunk_bytes), byte_offset=7, row=0, width=2, max_row_bytes=20, skip=True, kept_bytes=kept_bytes
        )
        faults = [fault for slab in slabs for fault in slab.faults]
        assert len(faults) == 5
        for fault in faults:
            whole = body[fault.byte_start - 7 : fault.byte_end - 7]
            assert (fault.raw, len(whole) > 0) == (whole[:kept_bytes], True), (chunk_bytes, fault)


def test_batch_ends_at_the_byte_limit_of_what_is_kept_of_bad_rows_too() -> None:
    source, start = source_of(planted(b"a,b\n" + b"bad\n" * 10), interval_rows=100)
    source._limits = BatchLimits(batch_bytes=9)
    kept = list(source.batches(start, skip_bad_rows=True, kept_bytes=3))
    assert [len(batch.faults) for batch in kept] == [3, 3, 3, 1]
    assert [len(batch.faults) for batch in source.batches(start, skip_bad_rows=True)] == [10]


def test_stray_quote_costs_one_line_and_not_the_lines_up_to_the_next_quote() -> None:
    body = b'1,"2\n3,4\n5,"6"\n7,8\n'
    rows, _ = read(iter((body,)))
    assert [row.cells for row in rows] == [None, ("3", "4"), ("5", "6"), ("7", "8")]


def test_further_lines_of_a_row_that_breaks_the_grammar_are_read_as_rows() -> None:
    rows, _ = read(iter((b'1,"x\ny" z\n3,"x\ny,z" z\n',)))
    assert [row.cells for row in rows] == [None, None, None, ("y", 'z" z')]


@pytest.mark.parametrize("chunk_bytes", [1, 3, 1000])
def test_quote_that_never_closes_is_found_within_max_row_bytes_and_nothing_else_is_lost(chunk_bytes: int) -> None:
    body = b'1,"2\n' + b"3,4\n" * 100
    rows, _ = read(cut(body, chunk_bytes), most=50)
    assert [row.cells for row in rows] == [None, *[("3", "4")] * 100]


@pytest.mark.parametrize("filler", [b"x", b'"', b"\r"], ids=["text", "quotes", "carriage_returns"])
def test_row_without_any_end_is_passed_over_in_bounded_memory(filler: bytes) -> None:
    most, chunk_bytes = 100_000, 10_000

    def huge(times: int) -> Iterator[bytes]:
        yield b"1,2\n3,"
        for _ in range(times):
            yield filler * chunk_bytes
        yield b"\n5,6\n"

    def peak(times: int) -> int:
        tracemalloc.start()
        rows, _ = read(huge(times), most=most)
        _, held = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [(row.row, row.cells) for row in rows] == [(0, ("1", "2")), (1, None), (2, ("5", "6"))]
        assert rows[1].end - rows[1].start == len(b"3,\n") + times * chunk_bytes
        return held

    assert peak(1_000) < 1.1 * peak(100)


def test_row_that_reaches_over_the_limit_by_one_byte_is_bad_and_one_of_just_the_limit_is_good() -> None:
    body = b"1," + b"x" * 17 + b"\n" + b"1," + b"x" * 18 + b"\n" + b"5,6"
    for chunk_bytes in every_chunk_size(body):
        rows, _ = read(cut(body, chunk_bytes), most=20)
        assert [row.cells and row.cells[0] for row in rows] == ["1", None, "5"]


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000])
def test_comment_longer_than_any_row_is_no_row_and_no_part_of_one(chunk_bytes: int, *, skip: bool) -> None:
    body = b"1,2\n#" + b"x" * 100 + b'\n#\n3,"4\n"\n#' + b"y" * 100
    slabs = read_rows(
        cut(body, chunk_bytes), byte_offset=0, row=0, width=2, max_row_bytes=20, dialect=Dialect(comment="#"), skip=skip
    )
    assert [cells for slab in slabs for cells in slab.rows()] == [["1", "2"], ["3", "4\n"]]


def test_comments_before_a_row_of_several_lines_are_no_part_of_its_length() -> None:
    body = b"#" * 9 + b"\n" + b"#" * 9 + b'\n1,"2\n3\n4\n5"\n6,7\n'
    for chunk_bytes in every_chunk_size(body):
        rows, _ = read(cut(body, chunk_bytes), most=14, dialect=Dialect(comment="#"))
        assert [row.cells for row in rows] == [("1", "2\n3\n4\n5"), ("6", "7")], chunk_bytes


DIALECTS = {
    "escape": (Dialect(escape="\\"), b'1,x\\\r\n3,4\n"5\\\n', [None, ("3", "4"), None]),
    "escaped_line_end": (Dialect(quote=None, escape="\\"), b"1,x\\\ny,z\n3,4\n", [None, ("3", "4")]),
    "cp1252": (Dialect(encoding="cp1252"), b"1,\x81\n3,\x80\n", [None, ("3", "\u20ac")]),
    "no_quote": (Dialect(quote=None), b'1,"x,y"\n"3,4"\n', [None, ('"3', '4"')]),
    "comment": (Dialect(comment="#"), b'#1\n1\n#"\n1,"2\n#3,4\n5,6\n', [None, None, ("5", "6")]),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_bad_rows_of_another_dialect_end_alike_however_they_are_cut(name: str) -> None:
    dialect, body, cells = DIALECTS[name]
    whole, reasons = read(iter((body,)), dialect=dialect)
    assert [row.cells for row in whole] == cells
    for chunk_bytes in every_chunk_size(body):
        assert read(cut(body, chunk_bytes), dialect=dialect) == (whole, reasons)
    for done in whole:
        rest, _ = read(iter((body[done.end :],)), at=done.end, row=done.row + 1, dialect=dialect)
        assert rest == whole[done.row + 1 :]


def test_bad_header_is_refused_whatever_becomes_of_bad_rows() -> None:
    with pytest.raises(BadRow, match="header"):
        read_header(iter((b'a,"b\n1,2\n',)), max_row_bytes=PLENTY)


def made(seed: int, writing: Writing = WRITINGS[0], *, rows: int = 12) -> Workload:
    """A workload with bad rows of every kind that can be written so."""
    line_ends = (("\n",), ("\r\n",), ("\n", "\r\n"))[seed % 3]
    bom = seed % 5 == 0 and writing.encoding == "utf-8"
    calm = Shape(columns=1 + seed % 4, line_ends=line_ends, last_newline=seed % 3 > 0, bom=bom, nul_rate=0.0)
    shape = replace(calm, writing=writing, bad_rate=0.5, max_row_bytes=4_000)
    return generate(seed, rows=rows, shape=shape)


def truth(workload: Workload) -> list[Row]:
    good = [(at.start, at.line_end, cells) for cells, at in zip(workload.rows, workload.ranges, strict=True)]
    bad = [(at.start, at.line_end, None) for at in workload.bad]
    return [Row(row, *place) for row, place in enumerate(sorted((*good, *bad), key=lambda place: place[:2]))]


@pytest.mark.parametrize("writing", WRITINGS, ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_workloads_bad_rows_are_those_that_were_made_however_they_are_cut_and_from_every_row_on(
    seed: int, writing: Writing
) -> None:
    workload = made(seed, writing)
    dialect, body, expected = dialect_of(workload), workload.csv, truth(workload)
    header = read_header(iter((body,)), max_row_bytes=4_000, dialect=dialect)
    assert header is not None
    places = [header.end_byte, *(row.end for row in expected)]
    how = {"width": len(header.names), "most": 4_000, "dialect": dialect}
    for chunk_bytes in (7, 64, 1_000, len(body)):
        assert read(cut(body[places[0] :], chunk_bytes), at=places[0], **how)[0] == expected
    for row, at in enumerate(places):
        assert read(cut(body[at:], 997), at=at, row=row, **how)[0] == expected[row:]


def test_workloads_have_bad_rows_of_every_kind() -> None:
    reasons = Counter[str]()
    for seed in range(20):
        workload = made(seed, rows=40)
        assert workload.bad
        header = read_header(iter((workload.csv,)), max_row_bytes=4_000)
        assert header is not None
        at, width = header.end_byte, len(header.names)
        reasons.update(read(iter((workload.csv[at:],)), at=at, width=width, most=4_000)[1])
    for word in ("cells where", "is not UTF-8", "carriage return", "expected after", "longer than", "never closed,"):
        assert any(word in reason for reason in reasons), (word, reasons)


# batches


def source_of(workload: Workload, *, interval_rows: int, chunk_bytes: int = 997) -> tuple[CsvSource, Position]:
    source = CsvSource(
        FakeObject(FakeKey(workload.csv), chunk_bytes=chunk_bytes),
        url="s3://bucket/rows.csv",
        value_format=ValueFormat.JSON,
        limits=BatchLimits(interval_rows=interval_rows, max_row_bytes=4_000),
        clock=lambda: 0.0,
    )
    return source, Position(0, source.describe(None).first_row_byte)


@pytest.mark.parametrize("interval_rows", [1, 2, 5, 1000])
def test_batches_count_every_row_and_hold_the_good_ones_and_name_the_bad_ones(interval_rows: int) -> None:
    for seed in range(12):
        workload = made(seed, rows=30)
        source, start = source_of(workload, interval_rows=interval_rows)
        batches = list(source.batches(start, skip_bad_rows=True))
        rows = truth(workload)
        assert all(one.end == two.start for one, two in pairwise(batches))
        assert [batch.end.row - batch.start.row for batch in batches[:-1]] == [interval_rows] * (len(batches) - 1)
        assert (batches[0].start, batches[-1].end) == (start, Position(len(rows), rows[-1].end, len(workload.bad)))
        assert [value for batch in batches for value in batch.values] == list(workload.values("json"))
        assert [row for batch in batches for row in batch.good_rows] == [one.row for one in rows if one.cells]
        faults = [(one.row, one.byte_start, one.byte_end) for batch in batches for one in batch.faults]
        assert faults == [row[:3] for row in rows if row.cells is None]


def test_position_behind_any_row_of_a_batch_is_where_the_rest_begins() -> None:
    for seed in range(6):
        workload = made(seed, rows=20)
        rows = truth(workload)
        source, start = source_of(workload, interval_rows=7)
        values = list(workload.values("json"))
        for batch in list(source.batches(start, skip_bad_rows=True)):
            for row in range(batch.start.row, batch.end.row):
                position = batch.position_after(row)
                skipped = sum(1 for one in rows[: row + 1] if one.cells is None)
                assert position == Position(row + 1, rows[row].end, skipped)
                rest = source.batches(position, skip_bad_rows=True)
                assert [value for batch in rest for value in batch.values] == values[row + 1 - skipped :]


def test_good_rows_make_the_same_batches_whether_bad_ones_are_skipped_or_not() -> None:
    for seed in range(20):
        workload = generate(seed, rows=40)
        source, start = source_of(workload, interval_rows=7)
        source._limits = BatchLimits(interval_rows=7)
        assert list(source.batches(start, skip_bad_rows=True)) == list(source.batches(start))


def test_batch_of_skipped_rows_alone_ends_at_the_row_limit_and_at_the_time_limit() -> None:
    source, start = source_of(planted(b"a,b\n" + b"1\n" * 25), interval_rows=10)
    batches = list(source.batches(start, skip_bad_rows=True))
    assert [(len(batch.values), len(batch.faults)) for batch in batches] == [(0, 10), (0, 10), (0, 5)]
    assert batches[-1].end == Position(25, 54, 25)
    source, start = source_of(planted(b"a,b\n" + b"1\n" * 4), interval_rows=10, chunk_bytes=2)
    source._clock = iter(range(0, 10**6, 3)).__next__
    assert max(len(batch.faults) for batch in source.batches(start, skip_bad_rows=True)) < 4


def test_records_are_matched_with_good_rows_alone() -> None:
    body = b"a,b\n1\n1,2\n2\n3,4\n5\n"
    for done, position in enumerate((Position(0, 4), Position(2, 10, 1), Position(4, 16, 2))):
        source, start = source_of(planted(body), interval_rows=2)
        records = [(100 + n, b'{"a":"%d","b":"%d"}' % (2 * n + 1, 2 * n + 2)) for n in range(done)]
        offset = 100 + done - 1 if done else UNKNOWN_OFFSET
        assert match_committed(records, source.batches(start, skip_bad_rows=True), start) == (position, offset)


def planted(csv: bytes) -> Workload:
    return Workload("planted", 0, Shape(columns=2), csv, ("a", "b"), (), ())
