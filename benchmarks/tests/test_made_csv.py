"""Made objects are what their truth says, in whole and in part."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.made_csv import PROFILES, Cursor, MadeCsv, NoSuchKey
from harness.oracle import expected_values

KEYS = [f"{profile}{width}-{rows}.csv" for profile in PROFILES for width, rows in ((100, 21_000), (1000, 2_500))]


def whole(made: MadeCsv) -> bytes:
    return b"".join(map(bytes, Cursor(made).spans(0, made.size_bytes)))


@pytest.mark.parametrize("key", KEYS)
def test_another_parser_finds_the_values_that_the_truth_promises(key: str) -> None:
    made = MadeCsv.of_key(key)
    assert list(expected_values(whole(made), "json")) == [made.value(row) for row in range(made.rows)]


@pytest.mark.parametrize("key", KEYS)
def test_any_range_is_a_slice_of_the_whole(key: str) -> None:
    made = MadeCsv.of_key(key)
    body, cursor, random = whole(made), Cursor(made), Random(1)
    assert len(body) == made.size_bytes
    for _ in range(200):  # one cursor for all, forward and back, as a connection has
        start, end = sorted(random.randrange(made.size_bytes + 1) for _ in range(2))
        assert b"".join(map(bytes, cursor.spans(start, end))) == body[start:end]


@pytest.mark.parametrize("key", KEYS)
def test_rows_have_one_width_and_no_two_are_equal(key: str) -> None:
    made = MadeCsv.of_key(key)
    lines = {made.line(row) for row in range(0, made.rows, 7)}
    assert len(lines) == len(range(0, made.rows, 7))
    assert {len(line) for line in lines} == {made.width}


def test_far_end_of_a_huge_object_costs_nothing_to_reach() -> None:
    made = MadeCsv.of_key("rows100-10GB.csv")
    assert 10 * 10**9 - 100 < made.size_bytes <= 10 * 10**9
    last = made.rows - 1
    assert made.line(last).startswith(b"%012d," % last)
    start, end = made.place(last)
    assert end == made.size_bytes
    assert b"".join(map(bytes, Cursor(made).spans(start - 250, end + 10**9)))[250:] == made.line(last)


def test_quotes_are_doubled_and_hide_line_feeds() -> None:
    made = MadeCsv.of_key("quotes1000-100.csv")
    body = whole(made)
    assert body.count(b"\n") > 10 * made.rows
    assert body.count(b'""') > 10 * made.rows


def test_other_bytes_have_another_etag() -> None:
    etags = {MadeCsv.of_key(key).etag for key in [*KEYS, "rows100-21001.csv"]}
    assert len(etags) == len(KEYS) + 1


@pytest.mark.parametrize(
    "key",
    [
        "",
        "rows100",
        "rows100-5",
        "ROWS100-5.csv",
        "nothing100-5.csv",
        "rows89-5.csv",
        "rows1000001-5.csv",
        "rows100-1TB.csv",
    ],
)
def test_other_keys_name_nothing(key: str) -> None:
    with pytest.raises(NoSuchKey):
        MadeCsv.of_key(key)


def test_object_without_rows_is_a_header() -> None:
    made = MadeCsv.of_key("rows100-0.csv")
    assert whole(made) == b"id,name,address,created,balance,state\n"
