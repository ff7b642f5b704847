"""Batches in pieces, as no processor makes them: strikes in mid-batch and mutants need them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from processor.model import Batch, Position

COLUMNS = ("values", "byte_ends", "keys", "headers", "timestamps_ms")


def cut(batch: Batch, rows: int) -> tuple[Batch, Batch]:
    """Cut a batch that skipped nothing behind its first `rows` rows."""
    end = Position(batch.start.row + rows, batch.byte_ends[rows - 1], batch.start.skipped) if rows else batch.start
    return replace(batch, end=end, **_columns(batch, 0, rows)), replace(batch, start=end, **_columns(batch, rows, None))


def _columns(batch: Batch, first: int, end: int | None) -> dict[str, Any]:
    columns = {name: getattr(batch, name) for name in COLUMNS}
    return {name: column and column[first:end] for name, column in columns.items()}
