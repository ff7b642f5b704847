"""Bad rows of every kind, with their truth: which of their lines is a bad row, and which a good one.

The rule that they are made by: a ragged or undecodable row ends where its quotes and line ends say; whatever breaks the
grammar of quotes and line ends, or is too long, ends with its first line, and the next line begins a row. Nothing here
parses CSV: each kind is written so that it can only be read in one way, whatever stands before and behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.workload import Writing

UNDECODABLE = MappingProxyType({"utf-8": b"\xff", "cp1252": b"\x81"})  # latin-1 has every byte
PARTS = 8  # lines of a row that is too long


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its bytes, its line end, and its cells, None for a bad one."""

    text: bytes
    end: bytes
    cells: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes lines of one object. `word` stands in every cell; `max_row_bytes` 0 is no limit."""

    writing: Writing
    columns: int
    max_row_bytes: int
    random: Random
    word: str

    def line(self, cells: list[str], *, tail: bytes = b"", good: bool = False) -> Line:
        """Write one line, which is a bad row, or a good one with these cells."""
        text = self.writing.delimiter.join(cells).encode(self.writing.encoding)
        return Line(text + tail, self.random.choice((b"\n", b"\r\n")), tuple(cells) if good else None)

    @property
    def right(self) -> list[str]:
        """As many cells as there are columns."""
        return [self.word] * self.columns

    def odd(self, cell: str) -> list[str]:
        """Cells that are no row whatever stands in them: one, or two where there is one column."""
        return [cell] if self.columns > 1 else [cell, self.word]

    def wrong(self) -> list[str]:
        """Fewer cells or more than there are columns."""
        return [self.word] * self.random.choice([n for n in (self.columns - 1, self.columns + 1) if n])


def ragged(pen: Pen) -> list[Line]:
    """A row of too many or too few cells."""
    return [pen.line(pen.wrong())]


def ragged_in_lines(pen: Pen) -> list[Line]:
    """The same over several lines, which are one bad row."""
    quote = pen.writing.quote
    return [pen.line([f"{quote}x\n\n{pen.writing.delimiter}y{quote}", *pen.wrong()[1:]])]


def undecodable(pen: Pen) -> list[Line]:
    """A row with a byte that the encoding does not have."""
    return [pen.line(pen.right, tail=UNDECODABLE[pen.writing.encoding])]


def carriage_return(pen: Pen) -> list[Line]:
    """A row with a carriage return in a cell without quotes."""
    return [pen.line([f"{pen.word}\r{pen.word}", *pen.right[1:]])]


def carriage_returns_at_the_end(pen: Pen) -> list[Line]:
    """A row with one before its line end."""
    return [replace(pen.line(pen.right, tail=b"\r"), end=b"\r\n")]


def text_behind_a_quote(pen: Pen) -> list[Line]:
    """A row with text behind a quote that closes."""
    return [pen.line([f"{pen.writing.quote}{pen.word}{pen.writing.quote}x", *pen.right[1:]])]


def text_behind_a_quote_lines_later(pen: Pen) -> list[Line]:
    """The same, but the quote closes on another line, which is a bad row of its own."""
    return [pen.line([f"{pen.writing.quote}{pen.word}"]), pen.line(pen.odd(f"{pen.word}{pen.writing.quote}x"))]


def open_quote(pen: Pen) -> list[Line]:
    """A quote that the next line closes, and goes on: that breaks the row, and the next line is a good one."""
    quote = pen.writing.quote
    opened = pen.line([*pen.right[1:], f"{quote}{pen.word}"])
    return [opened, pen.line([f"{pen.word}{quote}x", *pen.right[1:]], good=True)]


def too_long(pen: Pen) -> list[Line]:
    """A line that is too long."""
    return [pen.line([pen.word * (pen.max_row_bytes // len(pen.word) + 1), *pen.right[1:]])]


def too_long_in_lines(pen: Pen) -> list[Line]:
    """A sound row that is too long, of lines that are not: each of them is a bad row."""
    filler = pen.word * (pen.max_row_bytes // (PARTS * len(pen.word)) + 1)
    first, last = f"{pen.writing.quote}{filler}", f"{filler}{pen.writing.quote}"
    return [pen.line([first]), *(pen.line(pen.odd(filler)) for _ in range(PARTS)), pen.line(pen.odd(last))]


def _always(_writing: Writing, _max_row_bytes: int) -> bool:
    return True


def _with_a_quote(writing: Writing, _max_row_bytes: int) -> bool:
    return bool(writing.quote)


# Each kind, and whether it can be written in a way of writing, with a limit of so many bytes.
KINDS: MappingProxyType[Callable[[Pen], list[Line]], Callable[[Writing, int], bool]] = MappingProxyType(
    {
        ragged: _always,
        ragged_in_lines: _with_a_quote,
        undecodable: lambda writing, _: writing.encoding in UNDECODABLE,
        carriage_return: _always,
        carriage_returns_at_the_end: _always,
        text_behind_a_quote: _with_a_quote,
        text_behind_a_quote_lines_later: _with_a_quote,
        open_quote: _with_a_quote,
        too_long: lambda _, max_row_bytes: max_row_bytes > 0,
        too_long_in_lines: lambda writing, max_row_bytes: bool(writing.quote) and max_row_bytes > 0,
    }
)


def make_bad_lines(random: Random, writing: Writing, columns: int, max_row_bytes: int) -> list[Line]:
    """Return lines that begin with a bad row of a kind at random, the good ones included that it needs behind it."""
    pen = Pen(writing, columns, max_row_bytes, random, f"b{random.randrange(1000)}")
    return random.choice([make for make, can in KINDS.items() if can(writing, max_row_bytes)])(pen)


def make_open_end(random: Random, writing: Writing, columns: int) -> list[Line]:
    """Return lines for the object's end: one with a quote that never closes, and a good one behind it."""
    pen = Pen(writing, columns, 0, random, "end")
    opened = pen.line([f"{writing.quote}{pen.word}", *pen.right[1:]])
    return [opened, replace(pen.line(pen.right, good=True), end=b"")]
