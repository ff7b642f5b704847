"""The source: the object's bytes become batches of encoded rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain

from processor.careful_rows import Slab
from processor.compressed import LONGEST_MAGIC, Decompress, decompressor_of, skipped
from processor.csv_rows import Header, Native, head_of, read_header, read_rows
from processor.dialect import RFC4180, Dialect
from processor.json_rows import JsonRows
from processor.model import Batch, Fault, Pins, Position, SourceObject, ValueFormat
from processor.ports import ObjectBytes


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
    """`ports.Source` over any `ports.ObjectBytes`. `native` makes a parser for what is plain; see `native_rows`."""

    def __init__(
        self,
        stored: ObjectBytes,
        *,
        url: str,
        value_format: ValueFormat,
        limits: BatchLimits,
        dialect: Dialect = RFC4180,
        native: Callable[[ValueFormat, tuple[str, ...]], Native | None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stored = stored
        self._url = url
        self._format = value_format
        self._limits = limits
        self._dialect = dialect
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
        native = self._native(self._format, self._header.names) if self._dialect.is_rfc4180 else None
        slabs = read_rows(
            self._bytes_from(start.byte_offset),
            byte_offset=start.byte_offset,
            row=start.row,
            width=len(self._header.names),
            max_row_bytes=self._limits.max_row_bytes,
            dialect=self._dialect,
            native=native,
            skip=skip_bad_rows,
            kept_bytes=kept_bytes,
        )
        encoded = map(partial(_with_faults, _encoder(self._format, self._header.names)), slabs)
        return _gather(_parted(encoded, start.row), start, self._limits.scaled(scale), self._clock)

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
    faults: list[Fault] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return len(self.values) + len(self.faults)

    def batch(self) -> Batch:
        ends = [*self.ends[-1:], *(fault.byte_end for fault in self.faults[-1:])]
        end = Position(self.start.row + self.rows, max(ends), self.start.skipped + len(self.faults))
        return Batch(self.start, end, self.values, self.ends, self.faults)


def _parted(
    encoded: Iterator[tuple[list[bytes], list[int], list[Fault]]], row: int
) -> Iterator[tuple[list[bytes], list[int], list[Fault]]]:
    """Part the encoded rows of each slab, whose first one is `row`, behind each bad row among them."""
    for values, ends, faults in encoded:
        taken = 0
        for fault in faults:
            good = fault.row - row
            yield values[taken : taken + good], ends[taken : taken + good], [fault]
            taken, row = taken + good, fault.row + 1
        yield values[taken:] if taken else values, ends[taken:] if taken else ends, []
        row += len(values) - taken


def _gather(
    parts: Iterator[tuple[list[bytes], list[int], list[Fault]]],
    start: Position,
    limits: BatchLimits,
    clock: Callable[[], float],
) -> Iterator[Batch]:
    """Cut rows into batches at the limits; the bad row of a part comes behind its good ones.

    An error from the parser comes after the rows before it.
    """
    gathered = _Gathered(start, clock())
    try:
        for values, ends, faults in parts:
            taken = 0
            while taken < len(values) or faults:
                if taken < len(values):
                    count, size_bytes = _room(gathered, limits, values, taken)
                    gathered.values += values[taken : taken + count]
                    gathered.ends += ends[taken : taken + count]
                    gathered.size_bytes = size_bytes
                    taken += count
                else:
                    gathered.faults.append(faults.pop())
                    gathered.size_bytes += len(gathered.faults[-1].raw)
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


def _room(gathered: _Gathered, limits: BatchLimits, values: list[bytes], taken: int) -> tuple[int, int]:
    """How many of `values[taken:]` the batch still takes, one at least, and the bytes that it has with them."""
    rows = min(limits.interval_rows - gathered.rows, len(values) - taken)
    sizes = list(map(len, values[taken : taken + rows]))
    size_bytes = gathered.size_bytes + sum(sizes)
    if size_bytes < limits.batch_bytes:
        return rows, size_bytes
    totals = accumulate(sizes, initial=gathered.size_bytes)
    next(totals)  # without any of them
    return next((count, total) for count, total in enumerate(totals, start=1) if total >= limits.batch_bytes)


def _with_faults(
    encode: Callable[[Slab], tuple[list[bytes], list[int]]], slab: Slab
) -> tuple[list[bytes], list[int], list[Fault]]:
    return *encode(slab), slab.faults


def _encoder(value_format: ValueFormat, names: tuple[str, ...]) -> Callable[[Slab], tuple[list[bytes], list[int]]]:
    """Return the function that turns a slab into Kafka values and the byte after each row."""
    encode = Slab.raw if value_format is ValueFormat.RAW else JsonRows(names).encode
    return lambda slab: (encode(slab) if slab.values is None else slab.values, slab.ends)
