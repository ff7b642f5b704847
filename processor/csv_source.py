"""The source: the object's bytes become batches of encoded rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import TypeVar

from processor.careful_rows import Slab
from processor.compressed import LONGEST_MAGIC, Decompress, decompressor_of, skipped
from processor.csv_rows import Header, Native, head_of, read_header, read_rows
from processor.dialect import RFC4180, Dialect
from processor.encoded_rows import Encoded, EncodeSlab, encoded_rows, require_columns
from processor.encoders import MakeEncode
from processor.json_rows import JsonRows
from processor.model import Batch, Fault, Pins, Position, SourceObject, ValueFormat
from processor.ports import ObjectBytes
from processor.record_parts import Headers, RecordParts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch ends at the first of these: rows, bytes of encoded values, seconds since its first byte was asked for.

    Skipped rows count as rows, so that the position moves behind them as often, and what is kept of them as values. The
    row that reaches `batch_bytes` still belongs to the batch, so one batch holds less than `batch_bytes + ` one encoded
    row. Seconds are looked at once for each chunk that arrives.
    """

    interval_rows: int = 10_000
    batch_bytes: int = 16 * 2**20
    interval_s: float = 5.0
    max_row_bytes: int = 16 * 2**20

    def scaled(self, scale: float) -> BatchLimits:
        """Shrink rows and bytes, each to one at least."""
        return BatchLimits(
            max(1, int(self.interval_rows * scale)),
            max(1, int(self.batch_bytes * scale)),
            self.interval_s,
            self.max_row_bytes,
        )


class CsvSource:
    """`ports.Source` over any `ports.ObjectBytes`.

    `value_format` may be a plugged encoder's, see `encoders`. `parts` are what records carry beside their value.
    `native` makes a parser for what is plain; see `native_rows`.
    """

    def __init__(
        self,
        stored: ObjectBytes,
        *,
        url: str,
        value_format: ValueFormat | MakeEncode,
        limits: BatchLimits,
        dialect: Dialect = RFC4180,
        parts: RecordParts = RecordParts(),  # noqa: B008  # frozen
        native: Callable[[ValueFormat, tuple[str, ...]], Native | None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stored = stored
        self._url = url
        self._format = value_format
        self._limits = limits
        self._dialect = dialect
        self._parts = parts
        self._native = native
        self._clock = clock
        self._decompress: Decompress | None = None
        self._header: Header | None = None
        self._described = False

    def describe(self, pins: Pins | None) -> SourceObject:
        """Find the object and read its header; see `ports.Source`."""
        found, stored_bytes = self._stored.describe(pins)
        head, rest = head_of(self._stored.read(0), LONGEST_MAGIC)
        self._decompress = decompressor_of(head)
        body: Iterator[bytes] = chain([head], rest)
        if self._decompress is not None:
            body = self._decompress(body)
        self._header = read_header(body, max_row_bytes=self._limits.max_row_bytes, dialect=self._dialect)
        if self._header is not None:
            require_columns(self._parts, self._header.names)
        self._described = True
        size_bytes = stored_bytes if self._decompress is None else None
        first_row_byte = (size_bytes or 0) if self._header is None else self._header.end_byte
        return SourceObject(self._url, found, size_bytes, first_row_byte)

    def batches(
        self, start: Position, *, scale: float = 1.0, skip_bad_rows: bool = False, kept_bytes: int = 0
    ) -> Iterator[Batch]:
        """Yield the rows from `start` on as batches; see `ports.Source`."""
        if not self._described:
            raise RuntimeError("batches before describe")
        if self._header is None:
            return iter(())
        names = self._header.names
        slabs = read_rows(
            self._bytes_from(start.byte_offset),
            byte_offset=start.byte_offset,
            row=start.row,
            width=len(names),
            max_row_bytes=self._limits.max_row_bytes,
            dialect=self._dialect,
            native=self._native_rows(names),
            skip=skip_bad_rows,
            kept_bytes=kept_bytes,
        )
        encode = _encoder(self._format, names)
        encoded = encoded_rows(
            slabs, encode, self._parts, names, row=start.row, skip=skip_bad_rows, kept_bytes=kept_bytes
        )
        return _gather(_parted(encoded, start.row), start, self._limits.scaled(scale), self._clock)

    def _native_rows(self, names: tuple[str, ...]) -> Native | None:
        """Return the native parser, which leaves no cells, where nobody needs them."""
        if not self._dialect.is_rfc4180 or self._parts.columns or not isinstance(self._format, ValueFormat):
            return None
        return self._native(self._format, names)

    def _bytes_from(self, byte_offset: int) -> Iterator[bytes]:
        if self._decompress is None:
            return self._stored.read(byte_offset)
        return skipped(self._decompress(self._stored.read(0)), byte_offset)


@dataclass(slots=True)
class _Gathered:
    """Rows that wait for their batch to fill up: the good ones encoded, the bad ones named."""

    start: Position
    opened: float
    values: list[bytes] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    size_bytes: int = 0
    keys: list[bytes] | None = None
    headers: list[Headers] | None = None
    timestamps_ms: list[int] | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return len(self.values) + len(self.faults)

    def take(self, encoded: Encoded, first: int, end: int) -> None:
        """Add the records [first, end)."""
        self.values += encoded.values[first:end]
        self.ends += encoded.ends[first:end]
        self.keys = _with(self.keys, encoded.keys, first, end)
        self.headers = _with(self.headers, encoded.headers, first, end)
        self.timestamps_ms = _with(self.timestamps_ms, encoded.timestamps_ms, first, end)

    def batch(self) -> Batch:
        ends = [*self.ends[-1:], *(fault.byte_end for fault in self.faults[-1:])]
        end = Position(self.start.row + self.rows, max(ends), self.start.skipped + len(self.faults))
        return Batch(
            self.start,
            end,
            self.values,
            self.ends,
            keys=self.keys,
            headers=self.headers,
            timestamps_ms=self.timestamps_ms,
            faults=self.faults,
        )


def _with(held: list[T] | None, column: list[T] | None, first: int, end: int) -> list[T] | None:
    """Add the part of a column to what is held of it; of one that the job does not give nothing is held."""
    if column is None:
        return held
    held = held or []
    held += column[first:end]
    return held


def _parted(encoded: Iterator[Encoded], row: int) -> Iterator[tuple[Encoded, int, int, Fault | None]]:
    """Part what is encoded, whose first row is `row`, behind each bad row: good ones [first, end), and the bad one."""
    for rows in encoded:
        first = 0
        for fault in rows.faults:
            end = first + fault.row - row
            yield rows, first, end, fault
            first, row = end, fault.row + 1
        yield rows, first, len(rows.values), None
        row += len(rows.values) - first


def _gather(
    parts: Iterator[tuple[Encoded, int, int, Fault | None]],
    start: Position,
    limits: BatchLimits,
    clock: Callable[[], float],
) -> Iterator[Batch]:
    """Cut rows into batches at the limits; the bad row of a part comes behind its good ones.

    An error from the parser comes after the rows before it.
    """
    gathered = _Gathered(start, clock())
    try:
        for rows, first, end, fault in parts:
            taken, bad = first, fault
            while taken < end or bad is not None:
                if taken < end:
                    count, size_bytes = _room(gathered, limits, rows.values, taken, end)
                    gathered.take(rows, taken, taken + count)
                    gathered.size_bytes = size_bytes
                    taken += count
                elif bad is not None:
                    gathered.faults.append(bad)
                    gathered.size_bytes += len(bad.raw)
                    bad = None
                if _full(gathered, limits, clock):
                    batch = gathered.batch()
                    gathered = _Gathered(batch.end, clock())
                    yield batch
                    gathered.opened = clock()  # how long the batch was at work does not make the next one late
    except Exception:
        if gathered.rows:
            yield gathered.batch()
        raise
    if gathered.rows:
        yield gathered.batch()


def _full(gathered: _Gathered, limits: BatchLimits, clock: Callable[[], float]) -> bool:
    return (
        gathered.rows >= limits.interval_rows
        or gathered.size_bytes >= limits.batch_bytes
        or clock() - gathered.opened >= limits.interval_s
    )


def _room(gathered: _Gathered, limits: BatchLimits, values: list[bytes], taken: int, end: int) -> tuple[int, int]:
    """How many of `values[taken:end]` the batch still takes, one at least, and the bytes that it has with them."""
    rows = min(limits.interval_rows - gathered.rows, end - taken)
    sizes = list(map(len, values[taken : taken + rows]))
    size_bytes = gathered.size_bytes + sum(sizes)
    if size_bytes < limits.batch_bytes:
        return rows, size_bytes
    totals = accumulate(sizes, initial=gathered.size_bytes)
    next(totals)  # without any of them
    return next((count, total) for count, total in enumerate(totals, start=1) if total >= limits.batch_bytes)


def _encoder(value_format: ValueFormat | MakeEncode, names: tuple[str, ...]) -> EncodeSlab:
    """Return the function that turns a slab into Kafka values and the byte after each row."""
    if not isinstance(value_format, ValueFormat):
        plugged = value_format(names)
        return lambda slab: (list(plugged(list(slab.rows()))), slab.ends)
    encode = Slab.raw if value_format is ValueFormat.RAW else JsonRows(names).encode
    return lambda slab: (encode(slab) if slab.values is None else slab.values, slab.ends)
