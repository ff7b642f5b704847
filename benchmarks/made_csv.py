"""CSV objects of any size that nobody has to store: each range of bytes is made when it is asked for. Pure.

A key names the object: `rows100-1000000.csv` has 1,000,000 rows of 100 bytes each, `quotes1000-10GB.csv` as many whole
rows of 1,000 bytes as fit into 10 GB with the header. Profiles:

- `plain`: nothing is quoted;
- `rows`: one cell of each row is quoted, because of a comma in it;
- `quotes`: cells full of quotes, commas and line feeds;
- `multibyte`: cells of two, three and four bytes a character.

Rows have one width, so that a range is cut out of a block of about 1 MB in which only the row numbers change: a block
costs one strided assignment for each digit that differs from the block before it. Everything but the number repeats
from block to block, further apart than the windows of lz4 and gzip reach. No row equals another, because of its number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import md5
from random import Random

NUMBER_DIGITS = 12
BLOCK_BYTES = 10**6
NARROWEST_ROW_BYTES, WIDEST_ROW_BYTES = 90, 10**6
UNITS = {"": None, "KB": 10**3, "MB": 10**6, "GB": 10**9}
KEY = re.compile(r"(?P<profile>[a-z]+)(?P<width>\d{1,7})-(?P<count>\d{1,12})(?P<unit>KB|MB|GB|)\.csv")
STATES = ("active", "closed", "frozen")
MOST_TEXTS, TEXT_BYTES = 18, 40


@dataclass(frozen=True, slots=True)
class Profile:
    """What a cell of text is put together from, as it stands in the file."""

    alphabet: str
    joints: tuple[str, ...]
    quoted: frozenset[str] | None  # the columns in quotes, None for every column of text


LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
PROFILES = {
    "plain": Profile(LETTERS, (" ",), frozenset()),
    "rows": Profile(LETTERS, (" ",), frozenset({"address"})),
    "quotes": Profile(LETTERS, (" ", '""', ",", "\n", '"",'), None),
    "multibyte": Profile("aeéßöñжшиДλΩ中文日本語한글😀🚀", (" ",), frozenset()),
}


class NoSuchKey(KeyError):
    """The key names no profile, or a size that no object of it has."""


@dataclass(frozen=True)
class MadeCsv:
    """One object: `rows` rows of `width` bytes, line feed included, after the header."""

    profile: str
    width: int
    rows: int

    @classmethod
    def of_key(cls, key: str) -> MadeCsv:
        """Return the object that a key names. Raises NoSuchKey."""
        found = KEY.fullmatch(key)
        if found is None or found["profile"] not in PROFILES:
            raise NoSuchKey(key)
        width, rows = int(found["width"]), int(found["count"])
        if not NARROWEST_ROW_BYTES <= width <= WIDEST_ROW_BYTES:
            raise NoSuchKey(key)
        unit = UNITS[found["unit"]]
        if unit is not None:
            rows = (rows * unit - len(_header(width))) // width
        if not 0 <= rows < 10**NUMBER_DIGITS:
            raise NoSuchKey(key)
        return cls(found["profile"], width, rows)

    @property
    def key(self) -> str:
        """The key that names this object."""
        return f"{self.profile}{self.width}-{self.rows}.csv"

    @cached_property
    def header(self) -> bytes:
        """The first line."""
        return _header(self.width)

    @property
    def size_bytes(self) -> int:
        """The object's size."""
        return len(self.header) + self.rows * self.width

    @cached_property
    def etag(self) -> str:
        """Quotes included, as S3 writes it; other bytes have another one."""
        made_from = self.header + _block(self.profile, self.width) + b"%d" % self.rows
        return f'"{md5(made_from, usedforsecurity=False).hexdigest()}"'

    def line(self, row: int) -> bytes:
        """Return row `row` as it stands in the object, its line feed included."""
        return next(Cursor(self).spans(*self.place(row))).tobytes()

    def place(self, row: int) -> tuple[int, int]:
        """Return the first byte of a row, and the one after its line feed."""
        if not 0 <= row < self.rows:
            raise IndexError(row)
        start = len(self.header) + row * self.width
        return start, start + self.width

    def cells(self, row: int) -> tuple[str, ...]:
        """Return the cells of a row, known because they were made, not because they were read."""
        return _cells(self.profile, self.width, row)

    def value(self, row: int) -> bytes:
        """Return the Kafka value in the format `json` that a row must become."""
        cells = dict(zip(column_names(self.width), self.cells(row), strict=True))
        return json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()


class Cursor:
    """Makes ranges of one object, each best after the one before it. For one thread."""

    def __init__(self, made: MadeCsv) -> None:
        self._made = made
        self._rows = _rows_in_block(made.width)
        self._free = NUMBER_DIGITS - len(str(self._rows)) + 1  # the digits that a block does not fix
        self._block = bytearray(_block(made.profile, made.width))
        self._digits = b"0" * self._free

    def spans(self, start: int, end: int) -> Iterator[memoryview]:
        """Yield bytes [start, end) of the object in pieces, each good until the next one is asked for."""
        header = self._made.header
        if start < len(header):
            yield memoryview(header)[start:end]
        block_bytes = len(self._block)
        at, end = max(start - len(header), 0), min(end, self._made.size_bytes) - len(header)
        while at < end:
            number, skip = divmod(at, block_bytes)
            self._turn_to(number)
            span = memoryview(self._block)[skip : skip + end - at]
            yield span
            at += len(span)

    def _turn_to(self, number: int) -> None:
        """Make the block hold the rows from `number` blocks on."""
        wanted = b"%0*d" % (self._free, number)
        for place, digit in enumerate(wanted):
            if digit != self._digits[place]:
                self._block[place :: self._made.width] = bytes((digit,)) * self._rows
        self._digits = wanted


def column_names(width: int) -> tuple[str, ...]:
    """Return the columns: 6 where rows are short, up to 24 where there is room."""
    texts = min(MOST_TEXTS, (width - NARROWEST_ROW_BYTES) // TEXT_BYTES)
    return ("id", "name", "address", "created", "balance", "state", *(f"text_{k}" for k in range(1, texts + 1)))


def _header(width: int) -> bytes:
    return (",".join(column_names(width)) + "\n").encode()


def _rows_in_block(width: int) -> int:
    """Return a power of ten, so that the digits above it are the block's."""
    rows = 1
    while rows * 10 * width <= BLOCK_BYTES:
        rows *= 10
    return rows


@cache
def _block(profile: str, width: int) -> bytes:
    """Return the first rows of an object, as many as one block holds."""
    rows = range(_rows_in_block(width))
    block = "".join(",".join(_fields(profile, width, row)) + "\n" for row in rows).encode()
    if len(block) != len(rows) * width:
        raise AssertionError(f"{len(block)} bytes for {len(rows)} rows of {width} bytes")
    return block


def _cells(profile: str, width: int, row: int) -> tuple[str, ...]:
    fields = _fields(profile, width, row)
    return tuple(field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields)


def _fields(profile: str, width: int, row: int) -> list[str]:
    """Return the row's fields as they stand in the file; `width` bytes with the commas and the line feed."""
    within = row % _rows_in_block(width)
    random = Random(f"{profile} {width} {within}")  # noqa: S311  # the same rows each time, no secret
    fields = {
        "id": f"{row:0{NUMBER_DIGITS}d}",
        "created": f"20{random.randrange(10, 27)}-{random.randrange(1, 13):02d}-01T{random.randrange(24):02d}:00:00Z",
        "balance": f"{random.randrange(10**8) / 100:09.2f}",
        "state": random.choice(STATES),
    }
    names = column_names(width)
    texts = [name for name in names if name not in fields]
    left = width - len(names) - sum(map(len, fields.values()))  # a comma or a line feed after each
    share, rest = divmod(left, len(texts))
    for name in texts:
        fields[name] = _text(random, PROFILES[profile], name, share + (rest if name == "name" else 0))
    return [fields[name] for name in names]


def _text(random: Random, profile: Profile, name: str, size_bytes: int) -> str:
    if profile.quoted is not None and name not in profile.quoted:
        return _fill(random, profile.alphabet, profile.joints, size_bytes)
    joints = (", ", " ") if profile.quoted else profile.joints
    return f'"{_fill(random, profile.alphabet, joints, size_bytes - 2)}"'


def _fill(random: Random, alphabet: str, joints: Sequence[str], size_bytes: int) -> str:
    """Join words until no more fit, and pad with the letter x to exactly so many bytes of UTF-8."""
    words = _words(alphabet)
    parts: list[str] = []
    left = size_bytes
    while True:
        piece = random.choice(words) + random.choice(joints)
        left -= len(piece.encode())
        if left < 0:
            return "".join(parts) + "x" * (left + len(piece.encode()))
        parts.append(piece)


@cache
def _words(alphabet: str) -> tuple[str, ...]:
    """Return two thousand words: text of them takes about a third of its bytes after gzip, as prose does."""
    random = Random(alphabet)  # noqa: S311  # as above
    return tuple("".join(random.choices(alphabet, k=random.randint(2, 9))) for _ in range(2000))
