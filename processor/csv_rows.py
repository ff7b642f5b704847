"""Bytes to rows with exact byte offsets; pure.

The meaning of CSV is RFC 4180, or another `Dialect`, as Python's `csv` reads it in strict mode, with these decisions:

- cells keep their spaces; a quote inside an unquoted cell is a character; NUL is a character;
- text after a closing quote, a carriage return alone outside quotes, a ragged row, bytes that the encoding does not
  have and a row over `max_row_bytes` are bad rows;
- blank lines are no rows.

A row ends after its line end. Offsets count bytes, never characters, and a cut never falls inside quotes, because
only the `csv` reader decides how many physical lines a row takes: those that it has asked for.

Where a bad row ends, and the next one starts, stands in `careful_rows`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, chain
from typing import TypeAlias

from processor.careful_rows import CRLF, LINE_FEED, Slab, parse_row_by_row, too_long
from processor.dialect import RFC4180, Dialect
from processor.errors import BadRow, BadSetting
from processor.model import Fault

Native: TypeAlias = Callable[[bytes], list[bytes] | None]  # whole lines → one value for each, None for what is odd

BOM = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Header:
    """The column names, and the byte at which the rows begin: after the header's line end, where there is a header."""

    names: tuple[str, ...]
    end_byte: int


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
    skip: bool = False,
    kept_bytes: int = 0,
) -> Iterator[Slab]:
    """Yield the rows of `chunks`, which start at `byte_offset` of the object with row number `row`.

    A header has no number and gives the width: where both are None, each slab is one row. `native` is asked first for
    each run of whole lines. Every row before a bad one has been yielded when BadRow is raised; with `skip` none is, and
    bad rows are told in `Slab.faults`, with `kept_bytes` of each at most. At most `max_row_bytes` plus one chunk, or
    twice the longest row, is held in memory, whatever a bad row's length.
    """
    careful = partial(
        parse_row_by_row, width=width, max_row_bytes=max_row_bytes, dialect=dialect, skip=skip, kept_bytes=kept_bytes
    )
    parse = partial(_parse, careful, width=width, max_row_bytes=max_row_bytes, dialect=dialect, native=native)
    pieces = _Pieces(chunks, max_row_bytes)
    final = False
    while not final:
        buffer, final = pieces.more()
        slab, fault, used = parse(buffer, base=byte_offset, row=row or 0, final=final)
        if slab.ends or slab.faults:
            yield slab
            row = None if row is None else row + len(slab.ends) + len(slab.faults)
        byte_offset += used
        pieces.unparsed = buffer[used:]
        if fault is None and len(pieces.unparsed) > max_row_bytes:  # a line whose end is not at hand
            fault = Fault(row or 0, byte_offset, byte_offset + len(pieces.unparsed), too_long(max_row_bytes))
            comment = dialect.comment is not None and pieces.unparsed.startswith(dialect.comment.encode())
            if skip or comment:
                passed, raw = pieces.pass_line(kept_bytes)
                byte_offset += passed
                if not comment:
                    yield Slab([], [], [], b"", byte_offset, faults=[replace(fault, byte_end=byte_offset, raw=raw)])
                    row = None if row is None else row + 1
                continue
        if fault is not None:
            # How much more of a row that is too long was at hand depends on the chunks.
            end = min(fault.byte_end, fault.byte_start + max_row_bytes)
            raise _bad(fault.reason, row, (fault.byte_start, end))


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

    def pass_line(self, kept_bytes: int) -> tuple[int, bytes]:
        """Pass over the rest of the line that `unparsed` begins with; return its bytes, and the first of them.

        Holds one chunk at a time.
        """
        passed, kept = 0, b""
        chunk: bytes | None = self.unparsed
        while chunk is not None:
            end = chunk.find(LINE_FEED) + 1
            line = chunk[:end] if end else chunk
            kept += line[: kept_bytes - len(kept)]
            passed += len(line)
            if end:
                self.unparsed = chunk[end:]
                return passed, kept
            chunk = next(self._chunks, None)
        self.unparsed = b""
        return passed, kept


def _parse(
    careful: Callable[..., tuple[Slab, Fault | None, int]],
    buffer: bytes,
    *,
    base: int,
    row: int,
    width: int | None,
    max_row_bytes: int,
    dialect: Dialect,
    native: Native | None,
    final: bool,
) -> tuple[Slab, Fault | None, int]:
    """Parse the whole rows at the start of `buffer`; return them, the fault after them, and the bytes used."""
    whole = buffer if final else buffer[: buffer.rfind(LINE_FEED) + 1]
    if whole and len(whole) <= max_row_bytes and width is not None:
        slab = _parse_plain(whole, base=base, width=width, dialect=dialect, native=native)
        if slab is not None:
            return slab, None, len(whole)
    return careful(whole, base=base, row=row, held_bytes=len(buffer), final=final)


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


def _bad(reason: str, row: int | None, place: tuple[int, int]) -> BadRow:
    return BadRow(reason, row=row, byte_start=place[0], byte_end=place[1])
