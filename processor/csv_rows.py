"""Bytes to rows with exact byte offsets; pure.

The meaning of CSV is RFC 4180, or another `Dialect`, as Python's `csv` reads it in strict mode, with these decisions:

- cells keep their spaces; a quote inside an unquoted cell is a character; NUL is a character;
- text after a closing quote, a carriage return alone outside quotes, a ragged row, bytes that the encoding does not
  have and a row over `max_row_bytes` are bad rows;
- blank lines are no rows.

A row ends after its line end. Offsets count bytes, never characters, and a cut never falls inside quotes, because
only the `csv` reader decides how many physical lines a row takes: those that it has asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from typing import TypeAlias

from processor.dialect import RFC4180, Dialect, Lines
from processor.errors import BadRow, BadSetting

Native: TypeAlias = Callable[[bytes], list[bytes] | None]  # whole lines → one value for each, None for what is odd

BOM = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LINE_FEED = b"\n"
CRLF = b"\r\n"
LONE_CR = "a carriage return without a line feed outside quotes"
# The module's own limit of 131,072 characters would refuse long cells; ours is `max_row_bytes`.
csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True, slots=True)
class Slab:
    """Some consecutive rows of one width. Row i lies at bytes [starts[i], ends[i]) of the object, line end included.

    `cells` are those of the first row, then those of the second, and so on: one list costs a fraction of a list for
    each row. `lines` are the bytes from `base` on. `values` are the rows' Kafka values where a native parser has
    made them already, and then there are no cells.
    """

    cells: list[str]
    starts: list[int]
    ends: list[int]
    lines: bytes
    base: int
    values: list[bytes] | None = None

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row."""
        width = len(self.cells) // max(1, len(self.ends))
        return (self.cells[i : i + width] for i in range(0, len(self.cells), width or 1))

    def raw(self) -> list[bytes]:
        """Return each row as it stands in the object, without its line end."""
        lines, base = self.lines, self.base
        cut = (lines[start - base : end - base] for start, end in zip(self.starts, self.ends, strict=True))
        return [row[:-2] if row.endswith(CRLF) else row.removesuffix(LINE_FEED) for row in cut]


@dataclass(frozen=True, slots=True)
class Header:
    """The column names, and the byte at which the rows begin: after the header's line end, where there is a header."""

    names: tuple[str, ...]
    end_byte: int


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first bad row of a slab, or None for a row that needs more bytes to end."""

    reason: str
    byte_start: int
    byte_end: int


def read_header(chunks: Iterable[bytes], *, max_row_bytes: int, dialect: Dialect = RFC4180) -> Header | None:
    """Return the first row that is not blank as the header, None for an object without rows.

    Where the dialect gives or numbers the columns, rows begin at the object's first byte, or after its BOM. Raises
    BadRow (row None) where a name is missing or stands twice, or the row itself is bad, BadSetting for UTF-16.
    """
    head, chunks = head_of(chunks, len(BOM))
    if head.startswith(UTF_16_MARKS):
        raise BadSetting("the object is UTF-16", hint="convert it to UTF-8 and name the new object")
    bom_bytes = len(BOM) if dialect.encoding == "utf-8" and head.startswith(BOM) else 0
    if dialect.columns:
        return Header(dialect.columns, bom_bytes)
    # The parser must not see the mark, and offsets must: a blank line of its length is no row.
    body = chain([b"\n\r\n"[:bom_bytes] + head[bom_bytes:]], chunks)
    for slab in read_rows(body, byte_offset=0, row=None, width=None, max_row_bytes=max_row_bytes, dialect=dialect):
        if dialect.columns is not None:
            return Header(tuple(str(n) for n in range(1, len(slab.cells) + 1)), bom_bytes)
        names = tuple(slab.cells)
        place = (slab.starts[0], slab.ends[0])
        if "" in names:
            raise _bad(f"column {names.index('') + 1} has no name", None, place)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise _bad(f"the name {twice!r} stands twice", None, place)
        return Header(names, slab.ends[0])
    return None


def read_rows(
    chunks: Iterable[bytes],
    *,
    byte_offset: int,
    row: int | None,
    width: int | None,
    max_row_bytes: int,
    dialect: Dialect = RFC4180,
    native: Native | None = None,
) -> Iterator[Slab]:
    """Yield the rows of `chunks`, which start at `byte_offset` of the object with row number `row`.

    A header has no number and gives the width: where both are None, each slab is one row. `native` is asked first for
    each run of whole lines. Every row before a bad one has been yielded when BadRow is raised. At most `max_row_bytes`
    plus one chunk, or twice the longest row, is held in memory.
    """
    parse = partial(_parse, width=width, max_row_bytes=max_row_bytes, dialect=dialect, native=native)
    pieces = _Pieces(chunks, max_row_bytes)
    final = False
    while not final:
        buffer, final = pieces.more()
        slab, fault, used = parse(buffer, base=byte_offset, final=final)
        if slab.ends:
            yield slab
            row = None if row is None else row + len(slab.ends)
        if fault is not None:
            raise BadRow(fault.reason, row=row, byte_start=fault.byte_start, byte_end=fault.byte_end)
        pieces.unparsed = buffer[used:]
        byte_offset += used


def head_of(chunks: Iterable[bytes], least: int) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, so many at least where there are, and the chunks after them."""
    head, rest = b"", iter(chunks)
    while len(head) < least and (chunk := next(rest, b"")):
        head += chunk
    return head, rest


class _Pieces:
    """Joins what could not be parsed yet with enough new chunks to double it, so that the work stays linear.

    Else a huge row would be parsed again for every chunk of it.
    """

    def __init__(self, chunks: Iterable[bytes], max_row_bytes: int) -> None:
        self._chunks = iter(chunks)
        self._max_row_bytes = max_row_bytes
        self.unparsed = b""

    def more(self) -> tuple[bytes, bool]:
        """Return the bytes to parse next, and whether they are the last."""
        held, held_bytes = [self.unparsed], len(self.unparsed)
        enough = min(2 * held_bytes, self._max_row_bytes)
        for chunk in self._chunks:
            held.append(chunk)
            held_bytes += len(chunk)
            if held_bytes >= enough:
                return b"".join(held), False
        return b"".join(held), True


def _parse(
    buffer: bytes,
    *,
    base: int,
    width: int | None,
    max_row_bytes: int,
    dialect: Dialect,
    native: Native | None,
    final: bool,
) -> tuple[Slab, _Fault | None, int]:
    """Parse the whole rows at the start of `buffer`; return them, the fault after them, and the bytes used."""
    whole = buffer if final else buffer[: buffer.rfind(LINE_FEED) + 1]
    fault, used = None, len(whole)
    slab = None
    if whole and len(whole) <= max_row_bytes and width is not None:
        slab = _parse_plain(whole, base=base, width=width, dialect=dialect, native=native)
    if slab is None:
        slab, fault, used = _parse_row_by_row(
            whole, base=base, width=width, max_row_bytes=max_row_bytes, dialect=dialect, final=final
        )
    if fault is None and len(buffer) - used > max_row_bytes:
        fault = _too_long(base + used, max_row_bytes)
    return slab, fault, used


def _parse_plain(whole: bytes, *, base: int, width: int, dialect: Dialect, native: Native | None) -> Slab | None:
    """Parse at native speed what is one row a line and has nothing wrong with it; None for anything else."""
    values = native(whole) if native else None
    cells = _cells(whole, width, dialect) if values is None else []
    if cells is None:
        return None
    ends = list(accumulate(map(len, io.BytesIO(whole)), initial=base))
    # As many rows as lines: then each line is one row, for no row takes less than a line.
    if (len(cells) // width if values is None else len(values)) != len(ends) - 1:
        return None
    return Slab(cells, ends[:-1], ends[1:], whole, base, values)


def _cells(whole: bytes, width: int, dialect: Dialect) -> list[str] | None:
    """Return the cells of rows of this width, None where there are others or anything is odd."""
    if whole.count(b"\r") != whole.count(CRLF):
        return None
    try:
        text = whole.decode(dialect.encoding)
        if dialect.is_plain(text):
            return _split(text, width, dialect.delimiter)
        has_comment = dialect.comment and (text.startswith(dialect.comment) or f"\n{dialect.comment}" in text)
        if has_comment or dialect.escapes_a_carriage_return(text):
            return None
        return _read(text, width, dialect)
    except (UnicodeDecodeError, csv.Error):
        return None


def _split(text: str, width: int, delimiter: str) -> list[str] | None:
    """Return the cells of lines that hold no quote, None where a line has not `width` of them.

    Each line end becomes a cell of its own, so one split cuts all lines, and the places of these cells tell whether
    each line has its width.
    """
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    cells = text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    line_ends = cells[width :: width + 1]
    if len(cells) != len(line_ends) * (width + 1) + 1 or line_ends != ["\n"] * text.count("\n"):
        return None
    cells.pop()  # what stands after the last line end
    del cells[width :: width + 1]
    return None if width == 1 and "" in cells else cells  # a blank line is no row


def _read(text: str, width: int, dialect: Dialect) -> list[str] | None:
    """Return the cells of any rows, None where a row has not `width` of them. Raises csv.Error."""
    rows = list(dialect.reader(io.StringIO(text, newline="\n")))
    return list(chain.from_iterable(rows)) if set(map(len, rows)) == {width} else None


def _parse_row_by_row(
    whole: bytes, *, base: int, width: int | None, max_row_bytes: int, dialect: Dialect, final: bool
) -> tuple[Slab, _Fault | None, int]:
    """Parse anything, stopping before the first row that is bad or does not end in `whole`.

    Where no width is known yet the first row is the header, and it stops after that.
    """
    line_ends = [0, *accumulate(map(len, io.BytesIO(whole)))]
    # Bytes that the encoding does not have become lone surrogates: they never look like a quote, delimiter or line end,
    # and the row that holds them is found bad below.
    text = whole.decode(dialect.encoding, errors="surrogateescape")
    if text and dialect.escape and not text.endswith("\n"):
        text += "\n"  # else the reader takes no end of the file for the end of a row with an escaped line feed in it
    lines = Lines(text, dialect.comment)
    reader = dialect.reader(lines)
    slab = Slab([], [], [], whole, base)
    done = 0  # bytes of whole rows, blank lines and comments
    while True:
        fault = None
        lines.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            unfinished = "unexpected end of data" in str(error)
            if unfinished and not final:
                return slab, None, done
            cells, fault = [], _reason(str(error))
        if cells is None:
            return slab, None, len(whole)
        start, end = line_ends[lines.first], line_ends[lines.taken]
        if end - start > max_row_bytes:  # before any other fault, which smaller chunks would not have come to
            return slab, _too_long(base + start, max_row_bytes), done
        fault = fault or _fault_of(whole[start:end], cells, width=width, dialect=dialect)
        if fault is not None:
            return slab, _Fault(fault, base + start, base + end), done
        if cells:
            slab.cells.extend(cells)
            slab.starts.append(base + start)
            slab.ends.append(base + end)
        done = end
        if cells and width is None:
            return slab, None, done


def _reason(error: str) -> str:
    """Say in the words of a CSV file what the csv reader says in those of Python's `open`."""
    if "new-line character" in error:
        return LONE_CR
    return "a quote is never closed, or nothing is escaped" if "unexpected end of data" in error else error


def _fault_of(row: bytes, cells: list[str], *, width: int | None, dialect: Dialect) -> str | None:
    """Say what is wrong with a row that the csv reader took."""
    if row.endswith((b"\r\r\n", b"\r")):  # the reader takes any run of carriage returns for one line end
        return LONE_CR
    if cells and width is not None and len(cells) != width:
        return f"{len(cells)} cells where the header has {width}"
    try:
        text = row.decode(dialect.encoding)
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the row is not {dialect.encoding.upper()}"
    return LONE_CR if dialect.escapes_a_carriage_return(text) else None


def _too_long(byte_start: int, max_row_bytes: int) -> _Fault:
    """Name the bytes up to the limit: how much more of the row was at hand depends on the chunks."""
    reason = f"the row is longer than {max_row_bytes} bytes (max-row-bytes), or a quote is never closed"
    return _Fault(reason, byte_start, byte_start + max_row_bytes)


def _bad(reason: str, row: int | None, place: tuple[int, int]) -> BadRow:
    return BadRow(reason, row=row, byte_start=place[0], byte_end=place[1])
