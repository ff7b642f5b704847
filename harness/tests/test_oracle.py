"""Two witnesses agree: the oracle reads from every workload what its generator put there; and odd CSV is decided."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.oracle import MalformedCsv, expected_values, read_header, scan_rows
from harness.workload import Shape, generate

BAD = {
    "text_after_a_closing_quote": b'a,b\n1,2\n"x"y,2\n',
    "space_after_a_closing_quote": b'a,b\n1,2\n"x" ,2\n',
    "lone_carriage_return": b"a,b\n1,2\nx\ry,2\n",
    "carriage_return_at_the_end": b"a,b\n1,2\n3,4\r",
    "quote_that_never_closes": b'a,b\n1,2\n3,"4\n',
    "too_few_cells": b"a,b\n1,2\n3\n",
    "too_many_cells": b"a,b\n1,2\n3,4,5\n",
    "bytes_that_are_no_utf8": b"a,b\n1,2\n3,\xff\n",
}


@pytest.mark.parametrize("chunk_bytes", [1, 300, 8 << 20])
def test_oracle_reads_what_the_generator_wrote(chunk_bytes: int) -> None:
    for seed in range(400):
        workload = generate(seed, rows=seed % 40)
        for value_format in ("json", "raw"):
            values = tuple(expected_values(workload.csv, value_format, chunk_bytes=chunk_bytes))
            assert values == workload.values(value_format), workload.name
        assert read_header(workload.csv) == workload.header
        found = [(row.start, row.end, row.line_end) for row in scan_rows(workload.csv)]
        assert found[1:] == [(row.start, row.end, row.line_end) for row in workload.ranges], workload.name


def test_generator_writes_what_the_strict_csv_module_reads() -> None:
    csv.field_size_limit(1 << 30)
    for seed in range(400):
        workload = generate(seed, rows=seed % 40)
        text = io.StringIO(workload.csv.decode("utf-8-sig"), newline="")
        assert [tuple(row) for row in csv.reader(text, strict=True) if row] == [workload.header, *workload.rows]


@given(st.text(alphabet='a ",\n\r\0é\ufeff', max_size=30))
def test_oracle_agrees_with_the_strict_csv_module_or_refuses(text: str) -> None:
    """Any bytes at all: what the oracle reads the csv module reads too; what that refuses the oracle refuses."""
    body = f"h,i\n{text}".encode()
    try:
        oracle = list(expected_values(body, "json"))
    except MalformedCsv:
        return
    rows = [row for row in csv.reader(io.StringIO(body.decode(), newline=""), strict=True) if row]
    assert len(oracle) == len(rows) - 1
    assert all(len(row) == 2 for row in rows)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b' 1 , "x" \n', [b'{"a":" 1 ","b":" \\"x\\" "}']),
        (b"NULL,true\n", [b'{"a":"NULL","b":"true"}']),
        (b'"",\n', [b'{"a":"","b":""}']),
        (b'x"y,"l\r\nm"', [b'{"a":"x\\"y","b":"l\\r\\nm"}']),
        (b"\r\n\n1,2\n\n", [b'{"a":"1","b":"2"}']),
        ("é,\u2028\n".encode(), ['{"a":"é","b":"\u2028"}'.encode()]),
        ("\ufeff1,2\n".encode(), ['{"a":"\ufeff1","b":"2"}'.encode()]),
        (b"", []),
    ],
)
def test_cells_are_strings_exactly_as_written(body: bytes, values: list[bytes]) -> None:
    assert list(expected_values(b"\xef\xbb\xbfa,b\n" + body, "json")) == values


@pytest.mark.parametrize("empty", [b"", b"\xef\xbb\xbf", b"\n\r\n", b"a,b", b"a,b\r\n"])
def test_file_without_rows_has_no_values(empty: bytes) -> None:
    assert list(expected_values(empty, "json")) == list(expected_values(empty, "raw")) == []


def test_blank_line_in_a_file_of_one_column_is_no_row_and_an_empty_cell_is() -> None:
    assert list(expected_values(b'a\n""\n\n  \n', "json")) == [b'{"a":""}', b'{"a":"  "}']
    assert list(expected_values(b'a\n""\n\n  \n', "raw")) == [b'""', b"  "]


@pytest.mark.parametrize("value_format", ["json", "raw"])
@pytest.mark.parametrize("name", BAD)
def test_bad_row_is_refused(name: str, value_format: str) -> None:
    with pytest.raises(MalformedCsv):
        list(expected_values(BAD[name], value_format))


@pytest.mark.parametrize("header", [b"a,a\n", b"a,\n", b'"",a\n'])
def test_header_with_a_name_missing_or_there_twice_is_refused(header: bytes) -> None:
    with pytest.raises(MalformedCsv):
        read_header(header + b"1,2\n")


def test_huge_row_is_read_whole() -> None:
    workload = generate(3, rows=5, shape=Shape(huge_rows=2, huge_row_bytes=16 << 20))
    assert tuple(expected_values(workload.csv, "json")) == workload.values("json")
