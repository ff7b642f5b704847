"""The batches and positions that the sink's contract tests send and commit."""

from __future__ import annotations

from processor.model import Batch, CommittedPosition, Pins, Position

ETAG = '"5d41402abc4b2a76b9719d911017c592"'
ROWS = [b"one", b"", '{"city":"Zürich","mood":"🙂"}'.encode(), b"nul \x00 and\nnewline", b"five"]
MORE = [b"six", b"seven"]


def batch_of(values: list[bytes], *, first_row: int = 0) -> Batch:
    """Return the values as rows of ten bytes each."""
    start, end = Position(first_row, 10 * first_row), Position(first_row + len(values), 10 * (first_row + len(values)))
    return Batch(start, end, values, [10 * (first_row + n + 1) for n in range(len(values))])


def committed_after(batch: Batch) -> CommittedPosition:
    """Return the position that belongs to the batch's commit."""
    return CommittedPosition(batch.end, Pins(ETAG), "shape-1", batch.end.row - 1)
