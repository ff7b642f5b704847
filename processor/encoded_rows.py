"""Rows to records: values, and beside them what the job gives its records; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from processor.careful_rows import Slab
from processor.encoders import Unencodable
from processor.errors import BadRow, BadSetting
from processor.model import Fault
from processor.record_parts import Headers, RecordParts, position_headers, timestamp_ms

EncodeSlab = Callable[[Slab], tuple[list[bytes], list[int]]]  # values, and the byte after each row


@dataclass(frozen=True, slots=True)
class Encoded:
    """The records of some consecutive rows, column by column; a part that the job does not give is None.

    `faults` are the bad rows among them, in their order, which have no record.
    """

    values: list[bytes]
    ends: list[int]
    faults: list[Fault]
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
    slabs: Iterable[Slab],
    encode: EncodeSlab,
    parts: RecordParts,
    names: Sequence[str],
    *,
    row: int,
    skip: bool = False,
    kept_bytes: int = 0,
) -> Iterator[Encoded]:
    """Yield the records of `slabs`, which begin at row number `row`.

    A row without a timestamp or an encoding is a bad row: BadRow is raised, after every row before it; with `skip` it
    is one of the faults, with `kept_bytes` of it at most.
    """
    time_column = names.index(parts.timestamp) if parts.timestamp else None
    key_columns = [names.index(column) for column in parts.key]
    for slab in slabs:
        sieve = _Sieve(slab, row, skip=skip, kept_bytes=kept_bytes)
        row += len(slab.ends) + len(slab.faults)
        if time_column is not None:
            sieve.take_times(_column(sieve.slab, time_column, len(names)), parts.timestamp)
        values, ends = sieve.encoded(encode)
        good = sieve.slab
        if values or sieve.faults:
            keys = _keys([_column(good, column, len(names)) for column in key_columns]) if key_columns else None
            headers = list(map(position_headers, sieve.numbers, good.starts)) if parts.position else None
            yield Encoded(values, ends, sieve.faults, keys, headers, sieve.times_ms)
        if sieve.stopped_by is not None:
            fault = sieve.stopped_by
            raise BadRow(fault.reason, row=fault.row, byte_start=fault.byte_start, byte_end=fault.byte_end)


class _Sieve:
    """A slab, out of which rows fall that have no timestamp or no encoding.

    With `skip` these become faults, and the others stay; without, the rows before the first of them stay.
    """

    def __init__(self, slab: Slab, row: int, *, skip: bool, kept_bytes: int) -> None:
        self.slab = slab
        self.faults = list(slab.faults)
        self.stopped_by: Fault | None = None
        self.times_ms: list[int] | None = None
        bad = {fault.row for fault in slab.faults}
        numbers = range(row, row + len(slab.ends) + len(bad))
        self.numbers: Sequence[int] = [number for number in numbers if number not in bad] if bad else numbers
        self._skip = skip
        self._kept_bytes = kept_bytes

    def take_times(self, cells: list[str], column: str) -> None:
        """Take each row's moment from its cell."""
        found: list[int] = []
        wrong: dict[int, str] = {}
        for index, cell in enumerate(cells):
            try:
                found.append(timestamp_ms(cell))
            except ValueError as error:
                # What the cell holds is no log's matter.
                wrong[index] = f"the cell in column {column!r} is no timestamp: {error}"
                if not self._skip:
                    break
        self._drop(wrong)
        self.times_ms = found

    def encoded(self, encode: EncodeSlab) -> tuple[list[bytes], list[int]]:
        """Return the values of the rows that stay, and the byte after each of them."""
        try:
            return encode(self.slab)
        except Unencodable:
            return self._encoded_around(encode)

    def _encoded_around(self, encode: EncodeSlab) -> tuple[list[bytes], list[int]]:
        """Encode stretch by stretch between the rows that have no encoding; without `skip` up to the first of them."""
        values, ends, wrong = list[bytes](), list[int](), dict[int, str]()
        first, rows = 0, len(self.slab.ends)
        while first < rows and (self._skip or not wrong):
            end = rows
            try:
                more, more_ends = encode(_part(self.slab, first, rows))
            except Unencodable as unencodable:
                end = first + unencodable.index
                wrong[end] = unencodable.why
                more, more_ends = encode(_part(self.slab, first, end))
            values += more
            ends += more_ends
            first = end + 1
        self._drop(wrong)
        return values, ends

    def _drop(self, wrong: Mapping[int, str]) -> None:
        """Drop these rows, and without `skip` all behind the first of them."""
        if not wrong:
            return
        slab, numbers, times_ms = self.slab, self.numbers, self.times_ms
        faults = [self._fault(i, why) for i, why in wrong.items()]
        if self._skip:
            self.faults = sorted([*self.faults, *faults], key=lambda fault: fault.row)
            stay = [i for i in range(len(slab.ends)) if i not in wrong]
        else:
            self.stopped_by = faults[0]
            stay = list(range(min(wrong)))
        self.slab = _only(slab, stay)
        self.numbers = [numbers[i] for i in stay]
        self.times_ms = None if times_ms is None else [times_ms[i] for i in stay]

    def _fault(self, i: int, why: str) -> Fault:
        start, end = self.slab.starts[i], self.slab.ends[i]
        first = start - self.slab.base
        raw = self.slab.lines[first : first + min(end - start, self._kept_bytes)]
        return Fault(self.numbers[i], start, end, why, raw)


def _column(slab: Slab, number: int, width: int) -> list[str]:
    return slab.cells[number::width]


def _keys(columns: list[list[str]]) -> list[bytes]:
    """Return the cells of one column as they are, those of several as a JSON array each."""
    if len(columns) == 1:
        return [cell.encode() for cell in columns[0]]
    return list(map(orjson.dumps, map(list, zip(*columns, strict=True))))


def _part(slab: Slab, first: int, end: int) -> Slab:
    """Return the rows [first, end) of a slab of cells, without faults."""
    width = len(slab.cells) // max(1, len(slab.ends))
    cells = slab.cells[first * width : end * width]
    return replace(slab, cells=cells, starts=slab.starts[first:end], ends=slab.ends[first:end], faults=[])


def _only(slab: Slab, rows: Sequence[int]) -> Slab:
    """Return these rows of a slab of cells, without faults."""
    width = len(slab.cells) // max(1, len(slab.ends))
    cells = [cell for i in rows for cell in slab.cells[i * width : (i + 1) * width]]
    starts, ends = [slab.starts[i] for i in rows], [slab.ends[i] for i in rows]
    return replace(slab, cells=cells, starts=starts, ends=ends, faults=[])
