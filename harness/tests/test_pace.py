"""A rate limit holds on average, and nothing waits without one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.pace import Pace
from processor.settings import load


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace()
    assert [pace.wait_s(now, rows=10**9, size_bytes=10**12) for now in (0.0, 0.0, 1.0)] == [0.0, 0.0, 0.0]


def test_the_slower_of_two_limits_holds_and_the_first_batch_goes_at_once() -> None:
    pace = Pace(rows_per_s=100, bytes_per_s=1000)
    assert pace.wait_s(5.0, rows=100, size_bytes=10) == 0.0
    assert pace.wait_s(5.5, rows=1, size_bytes=3000) == pytest.approx(0.5)
    assert pace.wait_s(6.0, rows=1, size_bytes=1) == pytest.approx(3.0)
    assert pace.wait_s(60.0, rows=1, size_bytes=1) == 0.0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 500)), min_size=1, max_size=50))
def test_no_more_rows_have_gone_than_the_rate_allows_beside_one_batch(batches: list[tuple[float, int]]) -> None:
    pace, now, gone = Pace(rows_per_s=100), 0.0, 0
    for late_s, rows in batches:
        now += late_s
        now += pace.wait_s(now, rows=rows, size_bytes=1)
        assert gone <= 100 * now + 1e-6
        gone += rows


REQUIRED = {
    "CSV_SOURCE": "s3://bucket/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "a:1",
    "CHECKPOINT_TABLE": "table",
}


def test_with_a_rate_a_batch_holds_a_second_of_it_at_most() -> None:
    limits = load({}, {**REQUIRED, "MAX_ROWS_PER_S": "500", "MAX_BYTES_PER_S": "5000000"}).limits
    assert (limits.interval_rows, limits.batch_bytes) == (500, 5_000_000)
    limits = load({}, {**REQUIRED, "MAX_ROWS_PER_S": "50000"}).limits
    assert (limits.interval_rows, limits.batch_bytes) == (10_000, 16 * 2**20)
