"""Rows and records side by side, in constant memory; pure.

Both are read in step. Where they part, up to WINDOW values of each are held, and the fewest are passed over after
which AGREE of them agree again: these few are one difference. Where nothing in the window agrees, the comparison ends.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHUNK = 1_000  # values of each side in one comparison
WINDOW = 120_000  # two transactions of 50,000 rows, which at-least-once may repeat, fit in
WINDOW_BYTES = 64 * 2**20  # of each side
AGREE = 3
CANDIDATES = 8  # places of one value that are tried: rows may repeat


class Kind(StrEnum):
    """What became of the rows or records of one difference."""

    LOST = "lost"
    REPEATED = "repeated"
    REORDERED = "reordered"
    ALTERED = "altered"
    FOREIGN = "foreign"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class Difference:
    """`rows` good rows from `row` to `last_row` stand against `records` records from `offset` on, None at the end.

    `expected` and `seen` are the first of each, None where there is none. `is_row` is the row whose bytes the first
    record has, where that is known.
    """

    kind: Kind
    row: int
    rows: int
    offset: int | None
    records: int
    expected: bytes | None
    seen: bytes | None
    is_row: int | None = None
    last_row: int = -1


class Ahead:
    """Values with their places, read from an iterator as far as they are asked for."""

    def __init__(self, values: Iterable[tuple[int, bytes]]) -> None:
        self._values = iter(values)
        self.places: list[int] = []
        self.values: list[bytes] = []
        self.ended = False

    def fill(self, count: int) -> None:
        """Hold this many, or WINDOW_BYTES, or what is left."""
        missing, size_bytes = count - len(self.values), sum(map(len, self.values))
        while missing > 0 and size_bytes < WINDOW_BYTES and not self.ended:
            found = next(self._values, None)
            if found is None:
                self.ended = True
                return
            self.places.append(found[0])
            self.values.append(found[1])
            size_bytes += len(found[1])
            missing -= 1

    def drop(self, count: int) -> None:
        """Pass over the first ones."""
        del self.places[:count], self.values[:count]


class Recent:
    """The rows that were seen last, by the hashes of their values, to recognise one that comes again."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[list[int], list[int]]] = deque()
        self._held = 0

    def add(self, rows: list[int], values: Sequence[bytes]) -> None:
        """Remember rows by their numbers; forget the oldest."""
        if not values:
            return
        self._chunks.append((rows, list(map(hash, values))))
        self._held += len(values)
        while self._held > WINDOW:
            self._held -= len(self._chunks.popleft()[1])

    def row_of(self, value: bytes) -> int | None:
        """Return the last row with this value."""
        sought = hash(value)
        for rows, hashes in reversed(self._chunks):
            if sought in hashes:
                return rows[len(hashes) - 1 - hashes[::-1].index(sought)]
        return None


class Comparison:
    """Good rows (row number, value) against records (offset, value), in order. Iterate over the differences once.

    Afterwards `row` is behind the last row that was compared, or passed over in a difference, `rows` the number of
    those, and `compared` the number of records. Not told: what comes after a difference of the kind DIVERGED.
    """

    def __init__(self, rows: Iterable[tuple[int, bytes]], records: Iterable[tuple[int, bytes]], *, row: int) -> None:
        self._rows, self._records = Ahead(rows), Ahead(records)
        self._recent = Recent()
        self.row = row
        self.rows = self.compared = 0

    def __iter__(self) -> Iterator[Difference]:
        while self._fill(CHUNK):
            held = min(len(self._rows.values), len(self._records.values))
            same = _common(self._rows.values[:held], self._records.values[:held])
            self._recent.add(self._rows.places[:same], self._rows.values[:same])
            self._drop(same, same)
            if same == held:
                if not held:  # records without rows are left
                    self._fill(WINDOW)
                    yield self._part(0, len(self._records.values))
                continue
            self._fill(WINDOW)
            rows, records = _align(self._rows, self._records)
            difference = self._part(rows, records)
            yield difference
            if difference.kind is Kind.DIVERGED:
                return

    @property
    def next_value(self) -> bytes | None:
        """The value of the next good row, None where there are no more rows."""
        self._rows.fill(1)
        return next(iter(self._rows.values), None)

    @property
    def next_row(self) -> int:
        """The number of the next good row, `row` where there are no more rows."""
        self._rows.fill(1)
        return next(iter(self._rows.places), self.row)

    def _fill(self, count: int) -> bool:
        """Tell whether there are records to compare."""
        self._records.fill(count)
        self._rows.fill(count)
        return bool(self._records.values)

    def _drop(self, rows: int, records: int) -> None:
        if rows:
            self.row = self._rows.places[rows - 1] + 1
        self._rows.drop(rows)
        self._records.drop(records)
        self.rows += rows
        self.compared += records

    def _part(self, rows: int, records: int) -> Difference:
        """Pass over these, and say what they are."""
        expected, seen = self._rows.values[:rows], self._records.values[:records]
        later = self._rows.values[rows:]
        all_of_both = rows == len(self._rows.values) and records == len(self._records.values)
        kind, is_row = self._kind(expected, seen, later)
        if all_of_both and not (self._rows.ended and self._records.ended):
            kind = Kind.DIVERGED
        offsets = self._records.places
        places = self._rows.places[:rows]
        difference = Difference(
            kind,
            next(iter(self._rows.places), self.row),
            rows,
            offsets[0] if offsets else None,
            records,
            expected[0] if expected else None,
            # Where rows are lost, the record that stands in their place tells most.
            self._records.values[0] if self._records.values else None,
            is_row,
            places[-1] if places else -1,
        )
        self._recent.add(places, expected)
        self._drop(rows, records)
        return difference

    def _kind(self, expected: list[bytes], seen: list[bytes], later: list[bytes]) -> tuple[Kind, int | None]:
        if not seen:
            return Kind.LOST, None
        places = self._rows.places
        is_row = self._recent.row_of(seen[0])
        if not expected and is_row is not None:
            return Kind.REPEATED, is_row
        if is_row is None and seen[0] in expected:
            is_row = places[expected.index(seen[0])]
        elif is_row is None and seen[0] in later:
            is_row = places[len(expected) + later.index(seen[0])]
        one_for_one = len(expected) == len(seen) == 1
        if is_row is not None and (not expected or one_for_one or Counter(expected) == Counter(seen)):
            return Kind.REORDERED, is_row
        return (Kind.ALTERED if expected else Kind.FOREIGN), is_row


def _common(left: list[bytes], right: list[bytes]) -> int:
    """How many values at the beginning are the same."""
    if left == right:
        return len(left)
    return next(i for i, (one, other) in enumerate(zip(left, right, strict=True)) if one != other)


def _align(rows: Ahead, records: Ahead) -> tuple[int, int]:
    """Return how many rows and records to pass over, as few as can be; all of both where nothing agrees.

    Fewer than AGREE values are enough where the records end with them, and the rows too if they end.
    """
    places: dict[bytes, list[int]] = {}
    for i, value in enumerate(rows.values):
        found = places.setdefault(value, [])
        if len(found) < CANDIDATES:
            found.append(i)
    best, fewest = (len(rows.values), len(records.values)), len(rows.values) + len(records.values)
    for y, value in enumerate(records.values):
        if y >= fewest:
            break
        for x in places.get(value, ()):
            if x + y < fewest and _agrees(rows, records, x, y):
                best, fewest = (x, y), x + y
    return best


def _agrees(rows: Ahead, records: Ahead, x: int, y: int) -> bool:
    left = len(records.values) - y
    if not records.ended or left > AGREE:
        return rows.values[x : x + AGREE] == records.values[y : y + AGREE]
    return rows.values[x : None if rows.ended else x + left] == records.values[y:]
