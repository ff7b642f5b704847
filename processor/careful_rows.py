"""Lines to rows, one row after the other, by Python's `csv` reader: what decides where each row ends; pure.

Where a bad row ends, and the next one starts, is decided by the bytes from its start on, never by the chunks:

- one that is ragged or undecodable, and sound else, ends where the `csv` reader ends it, be that lines later;
- one that breaks the grammar (text after a closing quote, a carriage return alone, a quote that never closes), or that
  is over `max_row_bytes`, ends with its first physical line, however long that is. So a stray quote costs one
  line, and not all lines up to the next quote. The price: what such a row has in further lines is read as rows.

To find that a quote never closes takes a look at up to `max_row_bytes`, for each row of which that is true.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from processor.dialect import Dialect, Lines
from processor.model import Fault

LINE_FEED = b"\n"
CRLF = b"\r\n"
LONE_CR = "a carriage return without a line feed outside quotes"
UNFINISHED = "a quote is never closed, or nothing is escaped"
# The module's own limit of 131,072 characters would refuse long cells; ours is `max_row_bytes`.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True, slots=True)
class Slab:
    """Some consecutive rows of one width. Row i lies at bytes [starts[i], ends[i]) of the object, line end included.

    `cells` are those of the first row, then those of the second, and so on: one list costs a fraction of a list for
    each row. `lines` are the bytes from `base` on. `values` are the rows' Kafka values where a native parser has
    made them already, and then there are no cells. `faults` are the bad rows between them, which have no cells.
    """

    cells: list[str]
    starts: list[int]
    ends: list[int]
    lines: bytes
    base: int
    values: list[bytes] | None = None
    faults: list[Fault] = field(default_factory=list)

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row."""
        width = len(self.cells) // max(1, len(self.ends))
        return (self.cells[i : i + width] for i in range(0, len(self.cells), width or 1))

    def raw(self) -> list[bytes]:
        """Return each row as it stands in the object, without its line end."""
        lines, base = self.lines, self.base
        cut = (lines[start - base : end - base] for start, end in zip(self.starts, self.ends, strict=True))
        return [row[:-2] if row.endswith(CRLF) else row.removesuffix(LINE_FEED) for row in cut]


def parse_row_by_row(
    whole: bytes,
    *,
    base: int,
    row: int,
    width: int | None,
    max_row_bytes: int,
    dialect: Dialect,
    skip: bool,
    kept_bytes: int,
    held_bytes: int,
    final: bool,
) -> tuple[Slab, Fault | None, int]:
    """Parse anything, stopping before the first row that does not end in `whole`, or is bad and not to be skipped.

    `held_bytes` are at hand from the start of `whole` on; `kept_bytes` of a bad row stay with its fault. Where no width
    is known yet the first row is the header, and it stops after that.
    """
    line_ends = [0, *accumulate(map(len, io.BytesIO(whole)))]
    # Bytes that the encoding does not have become lone surrogates: they never look like a quote, delimiter or line end,
    # and the row that holds them is found bad below.
    text = whole.decode(dialect.encoding, errors="surrogateescape")
    lines = Lines(_ended(text) if dialect.escape else text, dialect.comment)
    reader = dialect.reader(lines)
    slab = Slab([], [], [], whole, base)
    done = 0  # bytes of whole rows, blank lines and comments
    while True:
        cells, reason = _next_row(reader, lines)
        unfinished = reason == UNFINISHED
        if cells is None:
            return slab, None, len(whole)
        start, end = line_ends[lines.first], line_ends[lines.taken]
        if (held_bytes if unfinished else end) - start > max_row_bytes:
            reason = too_long(max_row_bytes)  # before any other fault, which smaller chunks would not have come to
        elif unfinished and not final:
            return slab, None, start
        row_bytes = whole[start:end]
        reason = reason or _lone_carriage_return(row_bytes, dialect)
        if reason:
            lines.give_back()
            end = line_ends[lines.taken]
        else:
            reason = _fault_of(row_bytes, cells, width=width, dialect=dialect)
        if reason:
            raw = whole[start : min(end, start + kept_bytes)]
            fault = Fault(row + len(slab.ends) + len(slab.faults), base + start, base + end, reason, raw)
            if not skip:
                return slab, fault, done
            slab.faults.append(fault)
        elif cells:
            slab.cells.extend(cells)
            slab.starts.append(base + start)
            slab.ends.append(base + end)
        done = end
        if cells and width is None:
            return slab, None, done


def _next_row(reader: Iterator[list[str]], lines: Lines) -> tuple[list[str] | None, str]:
    """Return the next row's cells, None where there are no more lines, and why the reader refuses it, if it does."""
    lines.begin_row()
    try:
        return next(reader, None), ""
    except csv.Error as error:
        # In the words of a CSV file, where those are of Python's `open`.
        if "new-line character" in str(error):
            return [], LONE_CR
        return [], UNFINISHED if "unexpected end of data" in str(error) else str(error)


def _ended(text: str) -> str:
    """End the last line: else the reader takes no end of the file for that of a row with an escaped line feed in it."""
    return text + "\n" if text and not text.endswith("\n") else text


def _lone_carriage_return(row: bytes, dialect: Dialect) -> str:
    """Say whether the reader took carriage returns for a line end that are none: any run of them, or an escaped one."""
    if row.endswith((b"\r\r\n", b"\r")):
        return LONE_CR
    escaped = dialect.escape and dialect.escapes_a_carriage_return(row.decode("latin-1"))
    return LONE_CR if escaped else ""


def _fault_of(row: bytes, cells: list[str], *, width: int | None, dialect: Dialect) -> str:
    """Say what is wrong with a row that has its end, if anything is."""
    if cells and width is not None and len(cells) != width:
        return f"{len(cells)} cells where the header has {width}"
    try:
        row.decode(dialect.encoding)
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the row is not {dialect.encoding.upper()}"
    return ""


def too_long(max_row_bytes: int) -> str:
    """Return the reason of a row over the limit."""
    return f"the row is longer than {max_row_bytes} bytes (max-row-bytes), or a quote is never closed"
