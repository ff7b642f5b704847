"""How an object writes its rows, where it is not RFC 4180 in UTF-8 with a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ENCODINGS = ("utf-8", "latin-1", "cp1252")  # in each of them a byte below 0x80 is that character and nothing else


@dataclass(frozen=True, slots=True)
class Dialect:
    """The characters that mean something, the encoding, and the names of the columns where no row gives them.

    `quote` None: no character quotes. `escape`: the character behind it is only itself, a line end too; a doubled quote
    is one quote all the same. `comment`: a line that begins with it, outside quotes, is no row. `columns` None: the
    first row names them; empty: they are numbered from 1.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    comment: str | None = None
    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None

    @property
    def is_rfc4180(self) -> bool:
        """Whether rows are written as RFC 4180 has them, in UTF-8; a header may be missing."""
        return self == Dialect(columns=self.columns)

    def is_plain(self, text: str) -> bool:
        """Whether the text holds nothing but cells, delimiters and line ends."""
        return not any(sign and sign in text for sign in (self.quote, self.escape, self.comment))

    def escapes_a_carriage_return(self, text: str) -> bool:
        """Whether one is escaped: of a CRLF, the csv reader would take the line feed alone for a line end then."""
        if not self.escape or f"{self.escape}\r" not in text:
            return False
        escape = re.escape(self.escape)
        return re.search(f"(?<!{escape})(?:{escape}{escape})*{escape}\r", text) is not None

    def reader(self, lines: Iterator[str]) -> Any:
        """Return Python's csv reader for such rows, in strict mode."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            strict=True,
        )


class Lines:
    """The lines of a text for the csv reader, comments between rows left out, and all of them counted.

    `begin_row` tells that the next line begins a row; `first` is the number of the line with which it then began.
    `give_back` has the lines behind that one come again.
    """

    def __init__(self, text: str, comment: str | None) -> None:
        self._lines = io.StringIO(text, newline="\n")
        self._comment = comment
        self._between_rows = True
        self._behind_first = 0
        self.taken = 0
        self.first = 0

    def begin_row(self) -> None:
        """Expect comments again."""
        self._between_rows = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.taken += 1
            if not self._between_rows:
                return line
            if self._comment is None or not line.startswith(self._comment):
                self._between_rows, self.first = False, self.taken - 1
                self._behind_first = self._lines.tell()
                return line
        raise StopIteration

    def give_back(self) -> None:
        """Take the row to have ended with its first line."""
        self._lines.seek(self._behind_first)
        self.taken = self.first + 1


RFC4180 = Dialect()
