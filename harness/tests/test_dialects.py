"""Rows of other dialects are what they were made of, wherever the object is cut and the job goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow.csv as arrow
import pytest

from harness.tests.test_csv_rows import cut
from harness.workload import WRITINGS, Shape, Workload, Writing, generate
from processor.csv_rows import read_header, read_rows
from processor.dialect import Dialect
from processor.errors import BadRow, BadSetting

PLENTY = 2**20
SEEDS = range(8)


def dialect_of(workload: Workload) -> Dialect:
    written = workload.shape.writing
    columns = None if written.header else workload.header
    signs = (written.delimiter, written.quote or None, written.escape or None, written.comment or None)
    return Dialect(*signs, written.encoding, columns)


def rows_of(
    body: bytes, dialect: Dialect, *, chunk_bytes: int, at: int = 0, row: int = 0, width: int
) -> Iterator[tuple[tuple[str, ...], int, int, bytes]]:
    for slab in read_rows(
        cut(body[at:], chunk_bytes), byte_offset=at, row=row, width=width, max_row_bytes=PLENTY, dialect=dialect
    ):
        yield from zip(map(tuple, slab.rows()), slab.starts, slab.ends, slab.raw(), strict=True)


def small(seed: int, writing: Writing, rows: int = 12) -> Workload:
    line_ends = (("\n",), ("\r\n",), ("\n", "\r\n"))[seed % 3]
    shape = Shape(columns=1 + seed % 4, line_ends=line_ends, last_newline=seed % 2 == 0, writing=writing, nul_rate=0.0)
    return generate(seed, rows=rows, shape=shape)


@pytest.mark.parametrize("writing", WRITINGS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_rows_and_their_bytes_are_those_that_were_written_from_every_row_on(seed: int, writing: Writing) -> None:
    workload = small(seed, writing)
    dialect, body = dialect_of(workload), workload.csv
    expected = [
        (cells, place.start, place.line_end, body[place.start : place.end])
        for cells, place in zip(workload.rows, workload.ranges, strict=True)
    ]
    for chunk_bytes in (1, 2, 7, 64, len(body)):
        header = read_header(cut(body, chunk_bytes), max_row_bytes=PLENTY, dialect=dialect)
        assert header is not None
        assert header.names == workload.header
        starts = [header.end_byte, *(place.line_end for place in workload.ranges)]
        for row, at in enumerate(starts):
            found = rows_of(body, dialect, chunk_bytes=chunk_bytes, at=at, row=row, width=len(header.names))
            assert list(found) == expected[row:]


@pytest.mark.parametrize("writing", [w for w in WRITINGS if not w.comment], ids=str)
def test_another_parser_reads_the_same_cells(writing: Writing) -> None:
    workload = generate(5, rows=400, shape=Shape(columns=4, writing=writing, nul_rate=0.0, blank_line_rate=0.0))
    options = arrow.ParseOptions(
        delimiter=writing.delimiter,
        quote_char=writing.quote or False,
        escape_char=writing.escape or False,
        newlines_in_values=True,
        ignore_empty_lines=False,
    )
    reading = arrow.ReadOptions(column_names=list(workload.header), skip_rows=0, encoding=writing.encoding)
    if writing.header:
        reading = arrow.ReadOptions(encoding=writing.encoding)
    texts = arrow.ConvertOptions(column_types=dict.fromkeys(workload.header, "string"), strings_can_be_null=False)
    table = arrow.read_csv(io.BytesIO(workload.csv), reading, options, texts)
    told = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    header = read_header([workload.csv], max_row_bytes=PLENTY, dialect=dialect_of(workload))
    assert header is not None
    ours = rows_of(workload.csv, dialect_of(workload), chunk_bytes=1000, at=header.end_byte, width=len(header.names))
    assert [cells for cells, *_ in ours] == told


def test_columns_are_numbered_where_nobody_names_them() -> None:
    header = read_header([b"\xef\xbb\xbfa,b\nc,d\n"], max_row_bytes=PLENTY, dialect=Dialect(columns=()))
    assert header is not None
    assert (header.names, header.end_byte) == (("1", "2"), 3)
    assert read_header([b"\n\n"], max_row_bytes=PLENTY, dialect=Dialect(columns=())) is None


def test_a_comment_is_no_part_of_the_row_behind_it_and_none_inside_quotes() -> None:
    body = b'#one\n#two\n1,2\n#three\n"x\n#y",4\n#last'
    found = list(rows_of(body, Dialect(comment="#"), chunk_bytes=3, width=2))
    assert found == [(("1", "2"), 10, 14, b"1,2"), (("x\n#y", "4"), 21, 30, b'"x\n#y",4')]


@pytest.mark.parametrize("chunk_bytes", [1, 3, 100])
def test_any_number_of_comments_is_no_row_that_is_too_long(chunk_bytes: int) -> None:
    body = b"# a comment\n" * 50 + b"1,2\n"
    slabs = read_rows(
        cut(body, chunk_bytes), byte_offset=0, row=0, width=2, max_row_bytes=20, dialect=Dialect(comment="#")
    )
    assert [cells for slab in slabs for cells in slab.rows()] == [["1", "2"]]


@pytest.mark.parametrize(
    ("dialect", "body", "says"),
    [
        (Dialect(encoding="cp1252"), b"1,\x81\n", "not CP1252"),
        (Dialect(escape="\\"), b"1,x\\\r\n", "carriage return"),
        (Dialect(escape="\\"), b"1,x\\", "nothing is escaped"),
        (Dialect(quote=None), b'1,"x,y"\n', "3 cells where the header has 2"),
        (Dialect(delimiter=";"), b"1,2\n", "1 cells where the header has 2"),
    ],
)
def test_what_a_dialect_cannot_mean_is_a_bad_row(dialect: Dialect, body: bytes, says: str) -> None:
    for chunk_bytes in range(1, len(body) + 1):
        with pytest.raises(BadRow, match=says) as bad:
            list(rows_of(body, dialect, chunk_bytes=chunk_bytes, width=2))
        assert (bad.value.byte_start, bad.value.byte_end) == (0, len(body))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_a_hint(encoding: str) -> None:
    body = "\ufeffa,b\n1,2\n".encode(encoding)
    for dialect in (Dialect(), Dialect(encoding="latin-1"), Dialect(columns=("a", "b"))):
        with pytest.raises(BadSetting, match="UTF-16"):
            read_header([body], max_row_bytes=PLENTY, dialect=dialect)
