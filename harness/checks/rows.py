"""The checks that compare rows with records, in both directions: every row is visible, every record is a row. Pure."""

from collections.abc import Iterator

from harness.anomaly import Altered, Duplicate, Lost, Phantom, Reordered, Truncated
from harness.checks.case import Case


def find_lost(case: Case) -> Iterator[Lost]:
    """Rows missing before a row that is visible."""
    for missing in case.differences.missing:
        if missing == case.tail:
            continue
        offset_before = case.records.offsets[missing.index - 1] if missing.index else None
        expected = case.evidence.expected[missing.row]
        yield Lost(missing.row, missing.rows, expected, offset_before, case.senders(missing.row))


def find_truncated(case: Case) -> Iterator[Truncated]:
    """Rows missing at the end that are due. What a run that has not ended never reported is not due."""
    tail = case.tail
    if tail is None or tail.row >= case.due_rows:
        return
    last_offset = case.records.offsets[tail.index - 1] if tail.index else None
    rows = min(case.due_rows, tail.row + tail.rows) - tail.row
    yield Truncated(tail.row, rows, case.evidence.expected[tail.row], last_offset, case.senders(tail.row))


def find_duplicates(case: Case) -> Iterator[Duplicate]:
    """Records that are a row once more. In at-least-once too: whether that was to be expected is the caller's."""
    offsets, values = case.records.offsets, case.records.values
    for copied in case.differences.repeated:
        first, last = offsets[copied.index], offsets[copied.index + copied.rows - 1]
        yield Duplicate(copied.row, copied.rows, first, last, values[copied.index], case.senders(copied.row))


def find_reordered(case: Case) -> Iterator[Reordered]:
    """Records that are a row visible nowhere else, at a place where it does not belong."""
    offsets, values = case.records.offsets, case.records.values
    for copied in case.differences.moved:
        first, last = offsets[copied.index], offsets[copied.index + copied.rows - 1]
        yield Reordered(copied.row, copied.rows, first, last, values[copied.index], case.senders(copied.row))


def find_altered(case: Case) -> Iterator[Altered]:
    """Records that stand in the place of a row and differ from every row."""
    for replaced in case.differences.replaced:
        offset, seen = case.records.offsets[replaced.index], case.records.values[replaced.index]
        expected = case.evidence.expected[replaced.row]
        yield Altered(replaced.row, offset, expected, seen, case.senders(replaced.row))


def find_phantoms(case: Case) -> Iterator[Phantom]:
    """Records that differ from every row and stand in no row's place."""
    offsets, values = case.records.offsets, case.records.values
    for strange in case.differences.strange:
        first, last = offsets[strange.index], offsets[strange.index + strange.records - 1]
        yield Phantom(first, last, strange.records, values[strange.index])
