"""Batches in pieces, as no processor makes them: strikes in mid-batch and mutants need them."""

from __future__ import annotations

from dataclasses import replace

from processor.model import Batch


def cut(batch: Batch, rows: int) -> tuple[Batch, Batch]:
    """Cut a batch behind its first `rows` good rows, with the bad ones before the last of these."""
    end = batch.position_after(batch.good_rows[rows - 1]) if rows else batch.start
    before = [fault for fault in batch.faults if fault.row < end.row]
    behind = [fault for fault in batch.faults if fault.row >= end.row]
    first = replace(batch, end=end, faults=before, **batch.columns(0, rows))
    return first, replace(batch, start=end, faults=behind, **batch.columns(rows, None))
