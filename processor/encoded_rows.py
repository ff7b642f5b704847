"""Rows to records: values, and beside them what the job gives its records; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import orjson

from processor.csv_rows import Slab
from processor.encoders import Unencodable
from processor.errors import BadRow, BadSetting
from processor.record_parts import Headers, RecordParts, position_headers, timestamp_ms

EncodeSlab = Callable[[Slab], tuple[list[bytes], list[int]]]  # values, and the byte after each row


@dataclass(frozen=True, slots=True)
class Encoded:
    """The records of some consecutive rows, column by column; a part that the job does not give is None."""

    values: list[bytes]
    ends: list[int]
    keys: list[bytes] | None = None
    headers: list[Headers] | None = None
    timestamps_ms: list[int] | None = None


def require_columns(parts: RecordParts, names: Sequence[str]) -> None:
    """Raise BadSetting for a column that is not there, with those that are."""
    for setting, columns in (("--key", parts.key), ("--timestamp", (parts.timestamp,) if parts.timestamp else ())):
        for column in columns:
            if column not in names:
                raise BadSetting(f"{setting}: there is no column {column!r}", hint=f"there are {', '.join(names)}")


def encoded_rows(
    slabs: Iterable[Slab], encode: EncodeSlab, parts: RecordParts, names: Sequence[str], *, row: int
) -> Iterator[Encoded]:
    """Yield the records of `slabs`, which begin at row number `row`. Raises BadRow, after every row before it."""
    time_column = names.index(parts.timestamp) if parts.timestamp else None
    key_columns = [names.index(column) for column in parts.key]
    for whole in slabs:
        slab, times_ms, fault = whole, None, None
        if time_column is not None:
            times_ms, fault = _timestamps(_column(slab, time_column, len(names)), parts.timestamp)
            slab = _first(slab, len(times_ms))
        try:
            values, ends = encode(slab)
        except Unencodable as unencodable:
            slab, fault = _first(slab, unencodable.index), unencodable.why
            times_ms = times_ms and times_ms[: unencodable.index]
            values, ends = encode(slab)
        if values:
            keys = _keys([_column(slab, column, len(names)) for column in key_columns]) if key_columns else None
            headers = list(map(position_headers, count(row), slab.starts)) if parts.position else None
            yield Encoded(values, ends, keys, headers, times_ms)
        row += len(values)
        if fault is not None:
            at = len(values)
            raise BadRow(fault, row=row, byte_start=whole.starts[at], byte_end=whole.ends[at])


def _column(slab: Slab, number: int, width: int) -> list[str]:
    return slab.cells[number::width]


def _keys(columns: list[list[str]]) -> list[bytes]:
    """Return the cells of one column as they are, those of several as a JSON array each."""
    if len(columns) == 1:
        return [cell.encode() for cell in columns[0]]
    return list(map(orjson.dumps, map(list, zip(*columns, strict=True))))


def _timestamps(cells: list[str], column: str) -> tuple[list[int], str | None]:
    """Return those of the rows up to the first that has none, and what is wrong with that one."""
    found: list[int] = []
    for cell in cells:
        try:
            found.append(timestamp_ms(cell))
        except ValueError as error:
            return found, f"the cell in column {column!r} is no timestamp: {error}"  # what it holds is no log's matter
    return found, None


def _first(slab: Slab, rows: int) -> Slab:
    """Return the first rows of a slab of cells."""
    if rows == len(slab.ends):
        return slab
    width = len(slab.cells) // len(slab.ends)
    return replace(slab, cells=slab.cells[: rows * width], starts=slab.starts[:rows], ends=slab.ends[:rows])
