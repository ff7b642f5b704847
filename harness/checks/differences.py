"""Names what an alignment leaves over: missing, altered, moved, repeated, strange. Pure.

A row and a record left over with equal bytes are one row out of place, never one lost and one repeated; what is
lost or repeated is therefore exactly the difference of the two sequences as bags. A record whose bytes are some row's
is a copy of that row; one whose bytes are no row's takes the place of a row missing in the same gap, else of none.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.checks.alignment import Gap, Values, align, likeliest_row


@dataclass(frozen=True, slots=True)
class Missing:
    """Rows [row, row + rows) without a record; `index` is the first record that stands after the hole."""

    row: int
    rows: int
    index: int


@dataclass(frozen=True, slots=True)
class Copied:
    """The records from `index` on are the rows [row, row + rows), where those do not belong."""

    row: int
    rows: int
    index: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """The record at `index` stands for `row` and is not it."""

    row: int
    index: int


@dataclass(frozen=True, slots=True)
class Strange:
    """The records [index, index + records) are no row and stand for none."""

    index: int
    records: int


@dataclass(frozen=True, slots=True)
class Differences:
    """All that separates the rows from the records. Empty in every part if, and only if, they are equal."""

    missing: tuple[Missing, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    moved: tuple[Copied, ...] = ()
    repeated: tuple[Copied, ...] = ()
    strange: tuple[Strange, ...] = ()


def find_differences(expected: Values, seen: Values) -> Differences:
    """Aligns the two and names what is left over."""
    gaps = align(expected, seen)
    if not gaps:
        return Differences()
    moved = _moved(expected, seen, gaps)
    moved_rows, moved_indexes = {row for row, _ in moved}, {index for _, index in moved}
    repeated = _repeated(expected, seen, gaps, moved_indexes)
    known = moved_indexes | {index for _, index in repeated}
    replaced: list[Replaced] = []
    missing: list[Missing] = []
    strange: list[Strange] = []
    for gap in gaps:
        rows = [row for row in range(gap.row, gap.row_end) if row not in moved_rows]
        indexes = [index for index in range(gap.index, gap.index_end) if index not in known]
        pairs = min(len(rows), len(indexes))
        replaced.extend(map(Replaced, rows[:pairs], indexes[:pairs]))
        missing.extend(Missing(row, length, gap.index_end) for row, length in _stretches(rows[pairs:]))
        strange.extend(Strange(index, length) for index, length in _stretches(indexes[pairs:]))
    return Differences(tuple(missing), tuple(replaced), tuple(_copies(moved)), tuple(_copies(repeated)), tuple(strange))


def _moved(expected: Values, seen: Values, gaps: tuple[Gap, ...]) -> list[tuple[int, int]]:
    """Pairs (row, index) that were left over on both sides with equal bytes, by index."""
    left: dict[bytes, list[int]] = {}
    for gap in reversed(gaps):
        for row in range(gap.row_end - 1, gap.row - 1, -1):
            left.setdefault(expected[row], []).append(row)
    indexes = (index for gap in gaps for index in range(gap.index, gap.index_end))
    return [(rows.pop(), index) for index in indexes if (rows := left.get(seen[index]))]


def _repeated(expected: Values, seen: Values, gaps: tuple[Gap, ...], moved: set[int]) -> list[tuple[int, int]]:
    """Pairs (row, index) of the records that are some row once more, by index."""
    wanted = {seen[index] for gap in gaps for index in range(gap.index, gap.index_end) if index not in moved}
    if not wanted:
        return []
    places: dict[bytes, list[int]] = {}
    for row, value in enumerate(expected):
        if value in wanted:
            places.setdefault(value, []).append(row)
    pairs: list[tuple[int, int]] = []
    for gap in gaps:
        for index in range(gap.index, gap.index_end):
            rows = places.get(seen[index])
            if index not in moved and rows is not None:
                pairs.append((_copied_row(expected, seen, index, rows=rows, gap=gap, pairs=pairs), index))
    return pairs


def _copied_row(
    expected: Values, seen: Values, index: int, *, rows: list[int], gap: Gap, pairs: list[tuple[int, int]]
) -> int:
    """The row that the record repeats: the one after the row repeated just before, else the likeliest."""
    if pairs and pairs[-1][1] == index - 1:
        following = pairs[-1][0] + 1
        if following < len(expected) and expected[following] == seen[index]:
            return following
    return likeliest_row(expected, seen, index, rows, gap.row - (gap.index_end - index))


def _stretches(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as (first, length) of the stretches without a hole."""
    first = length = 0
    for number in numbers:
        if length and number == first + length:
            length += 1
            continue
        if length:
            yield first, length
        first, length = number, 1
    if length:
        yield first, length


def _copies(pairs: Iterable[tuple[int, int]]) -> Iterator[Copied]:
    """Pairs (row, index) joined where both go on by one."""
    row = index = length = 0
    for next_row, next_index in pairs:
        if length and (next_row, next_index) == (row + length, index + length):
            length += 1
            continue
        if length:
            yield Copied(row, length, index)
        row, index, length = next_row, next_index, 1
    if length:
        yield Copied(row, length, index)
