"""Whatever the records are, there is a difference exactly where they are not the rows; and memory stays flat."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.ops import differences
from processor.ops.differences import Comparison, Kind

few = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=30)


def compared(rows: list[bytes], records: list[bytes]) -> tuple[list[differences.Difference], Comparison]:
    comparison = Comparison(enumerate(rows), enumerate(records, 100), row=0)
    return list(comparison), comparison


@given(few, few)
def test_there_is_a_difference_exactly_where_the_records_are_no_beginning_of_the_rows(
    rows: list[bytes], records: list[bytes]
) -> None:
    found, comparison = compared(rows, records)
    assert bool(found) == (rows[: len(records)] != records)
    assert comparison.compared == len(records)
    if not found:
        assert comparison.row == len(records)
        assert comparison.next_value == next(iter(rows[len(records) :]), None)


@given(few, few)
def test_differences_account_for_every_row_and_record_that_did_not_agree(
    rows: list[bytes], records: list[bytes]
) -> None:
    found, comparison = compared(rows, records)
    agreed_rows = comparison.row - sum(difference.rows for difference in found)
    agreed_records = comparison.compared - sum(
        difference.records for difference in found if difference.kind is not Kind.LOST
    )
    assert agreed_rows == agreed_records


@given(few, st.integers(1, 4), few)
def test_a_small_window_finds_the_same_or_says_that_it_went_no_further(
    rows: list[bytes], window: int, records: list[bytes]
) -> None:
    before, differences.WINDOW = differences.WINDOW, window
    chunk, differences.CHUNK = differences.CHUNK, 1
    try:
        found, comparison = compared(rows, records)
    finally:
        differences.WINDOW, differences.CHUNK = before, chunk
    assert bool(found) == (rows[: len(records)] != records)
    assert comparison.compared == len(records) or found[-1].kind is Kind.DIVERGED


def test_where_nothing_agrees_any_more_the_comparison_ends() -> None:
    rows = (b"row %d" % i for i in range(400_000))
    records = (b"record %d" % i for i in range(400_000))
    found = list(Comparison(enumerate(rows), enumerate(records), row=0))
    assert [difference.kind for difference in found] == [Kind.DIVERGED]


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "WINDOW", 10_000)

    def values(count: int) -> Iterator[tuple[int, bytes]]:
        for i in range(count):
            yield i, b"%100d" % i

    def peak(count: int) -> int:
        tracemalloc.start()
        assert list(Comparison(values(count), values(count), row=0)) == []
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few_rows = 2 * differences.WINDOW  # what is remembered of the last rows is full
    assert peak(3 * few_rows) < 1.1 * peak(few_rows)
