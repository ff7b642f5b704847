"""Cells become timestamps in one way only; an imprint tells apart whatever differs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.record_parts import LAST_MS, RecordParts, position_headers, timestamp_ms

A_YEAR_MS = 366 * 86_400_000
NOON_MS = 1_709_208_000_000  # 2024-02-29T12:00:00Z

MOMENTS = {
    "1709208000000": NOON_MS,
    "1": 1,
    "20240229": 20_240_229,  # digits alone are never a date
    str(LAST_MS): LAST_MS,
    "2024-02-29": NOON_MS - 12 * 3_600_000,
    "2024-02-29T12:00": NOON_MS,
    "2024-02-29 12:00:00": NOON_MS,
    "2024-02-29T12:00:00Z": NOON_MS,
    "2024-02-29T12:00:00+00:00": NOON_MS,
    "2024-02-29T13:30:00+01:30": NOON_MS,
    "2024-02-29T13:30:00+0130": NOON_MS,
    "2024-02-29T04:00:00-08": NOON_MS,
    "2024-02-29T12:00:00.5": NOON_MS + 500,
    "2024-02-29T12:00:00.123": NOON_MS + 123,
    "2024-02-29T12:00:00.1239999Z": NOON_MS + 123,
    "2024-02-29T12:00:00.999999999Z": NOON_MS + 999,
    "1970-01-01T00:00:00.001": 1,
    "1970-01-01T01:00:00+00:59": 60_000,
    "9999-12-31T23:59:59.999": LAST_MS,
}
NO_MOMENTS = [
    *("", " ", "now", "0", "-1", "1.5", "1e9", "+5", " 1", "1 ", "1_000", "\u0661", str(LAST_MS + 1), "9" * 30),
    *("2023-02-29", "2024-13-01", "2024-2-9", "2024-02", "2024-W09-4", "20240229T120000", "24-02-29", "29.02.2024"),
    *(
        "2024-02-29T",
        "2024-02-29T24:00",
        "2024-02-29T12",
        "2024-02-29T12:60",
        "2024-02-29T12:00:60",
        "2024-02-29t12:00",
    ),
    *(
        "2024-02-29T12:00:00,5",
        "2024-02-29T12:00:00.",
        "2024-02-29T12:00z",
        "2024-02-29T12:00 Z",
        "2024-02-29Z",
        "2024-02-29t12:00",
    ),
    *("2024-02-29T12:00+25:00", "2024-02-29T12:00+1", "2024-02-29T12:00:00.1234567891", "2024-02-29T12:00\n"),
    *("1969-12-31T23:59:59", "1970-01-01", "1970-01-01T00:30+01:00", "0001-01-01T00:00+01:00", "2024-02-29X12:00"),
]


@pytest.mark.parametrize(("cell", "moment_ms"), MOMENTS.items())
def test_a_cell_that_says_a_moment_is_that_moment(cell: str, moment_ms: int) -> None:
    assert timestamp_ms(cell) == moment_ms


@pytest.mark.parametrize("cell", NO_MOMENTS)
def test_a_cell_that_says_no_moment_that_a_client_can_send_is_refused(cell: str) -> None:
    with pytest.raises(ValueError):
        timestamp_ms(cell)


def test_a_moment_without_an_offset_is_utc_wherever_the_processor_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert timestamp_ms("2024-02-29T12:00") == NOON_MS
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.integers(A_YEAR_MS, LAST_MS - A_YEAR_MS), st.integers(-23 * 60, 23 * 60))
def test_any_moment_is_itself_in_digits_and_with_any_offset(moment_ms: int, offset_minutes: int) -> None:
    assert timestamp_ms(str(moment_ms)) == moment_ms
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)
    written = moment.astimezone(timezone(timedelta(minutes=offset_minutes))).isoformat(timespec="milliseconds")
    assert timestamp_ms(written) == moment_ms


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    try:
        assert 0 < timestamp_ms(text) <= LAST_MS
    except ValueError:
        return


TEXTS = st.binary(max_size=6) | st.sampled_from([b"", b"' ", b'"', b"\\", b"key=b'' ", b"headers=() "])
HEADERS = st.lists(st.tuples(st.sampled_from(["row", "byte_offset", "', b'"]), TEXTS), max_size=3).map(tuple)
RECORDS = st.tuples(TEXTS, TEXTS | st.none(), HEADERS, st.integers(0, 9))
ALL_PARTS = [
    RecordParts(key, position, timestamp)
    for key in ((), ("id",))
    for position in (False, True)
    for timestamp in ("", "at")
]


@given(st.sampled_from(ALL_PARTS), RECORDS, RECORDS)
def test_two_records_have_one_imprint_only_if_they_are_the_same_in_all_that_the_job_gives(
    parts: RecordParts, one: tuple[bytes, bytes | None, tuple[tuple[str, bytes], ...], int], two: tuple[object, ...]
) -> None:
    def imprint(record: tuple[object, ...]) -> bytes:
        value, key, headers, time_ms = record
        return parts.imprint(value, key=key, headers=headers, timestamp_ms=time_ms)  # type: ignore[arg-type]

    def given_by_the_job(record: tuple[object, ...]) -> list[object]:
        kept = (True, bool(parts.key), parts.position, bool(parts.timestamp))
        return [part for part, keep in zip(record, kept, strict=True) if keep]

    assert (imprint(one) == imprint(two)) == (given_by_the_job(one) == given_by_the_job(two))


def test_the_imprint_of_a_job_that_gives_nothing_but_values_is_the_value() -> None:
    assert RecordParts().imprint(b"v", key=b"k", headers=position_headers(1, 2), timestamp_ms=3) == b"v"
    assert not RecordParts().given
    assert all(parts.given for parts in ALL_PARTS[1:])
