"""Lays what was seen beside what was expected, and says where they part. Pure, for any number of equal rows.

Equal sequences cost one comparison per chunk. Where one sequence is the other with something taken out, the
alignment is exact. Else what was seen is cut into runs of neighbouring rows, and the heaviest chain of runs that
ascends is taken as "in its place"; both steps are linear in the rows between the first and the last difference.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

CHUNK_ROWS = 4096
LOOK_AHEAD_ROWS = 32
NEAREST_ROWS = 8

Values = tuple[bytes, ...]  # one type on both sides: slices are compared whole


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two matches: the rows [row, row_end) and the records [index, index_end) have no partner here."""

    row: int
    row_end: int
    index: int
    index_end: int


@dataclass(frozen=True, slots=True)
class _Match:
    """`length` rows from `row` on are the records from `index` on."""

    row: int
    index: int
    length: int


def align(expected: Values, seen: Values) -> tuple[Gap, ...]:
    """The gaps of an alignment, in order; none if, and only if, both sequences are equal.

    The rows outside the gaps equal the records outside the gaps, one by one.
    """
    shorter = min(len(expected), len(seen))
    head = _common_head(expected, 0, seen, 0, shorter)
    if head == len(expected) == len(seen):
        return ()
    tail = _common_tail(expected, seen, shorter - head)
    middle = Gap(head, len(expected) - tail, head, len(seen) - tail)
    matches = _embedded(expected, seen, middle)
    if matches is None:
        matches = _heaviest_chain(_runs(expected, seen, middle))
    return tuple(_gaps(matches, middle))


def _gaps(matches: list[_Match], middle: Gap) -> list[Gap]:
    gaps = []
    row, index = middle.row, middle.index
    for match in [*matches, _Match(middle.row_end, middle.index_end, 0)]:
        if (match.row, match.index) != (row, index):
            gaps.append(Gap(row, match.row, index, match.index))
        row, index = match.row + match.length, match.index + match.length
    return gaps


def _common_head(expected: Values, row: int, seen: Values, index: int, bound: int) -> int:
    """How many rows from `row` on equal the records from `index` on; `bound` at most."""
    length = 0
    while length < bound:
        # The slices grow with what is found equal: a much disturbed sequence has many runs of few rows.
        step = min(max(length, 1), CHUNK_ROWS, bound - length)
        a, b = row + length, index + length
        if expected[a : a + step] != seen[b : b + step]:
            return length + next(k for k in range(step) if expected[a + k] != seen[b + k])
        length += step
    return length


def _common_tail(expected: Values, seen: Values, bound: int) -> int:
    rows, records, length = len(expected), len(seen), 0
    while length < bound:
        step = min(CHUNK_ROWS, bound - length)
        a, b = rows - length, records - length
        if expected[a - step : a] == seen[b - step : b]:
            length += step
            continue
        k = 1
        while expected[a - k] == seen[b - k]:
            k += 1
        return length + k - 1
    return length


def _embedded(expected: Values, seen: Values, middle: Gap) -> list[_Match] | None:
    """The matches, if nothing but additions or nothing but omissions separates the two; else None."""
    rows, records = (middle.row, middle.row_end), (middle.index, middle.index_end)
    if rows[1] - rows[0] <= records[1] - records[0]:
        pairs = _embed(expected, rows, seen, records)
        return None if pairs is None else [_Match(*pair) for pair in pairs]
    pairs = _embed(seen, records, expected, rows)
    return None if pairs is None else [_Match(row, index, length) for index, row, length in pairs]


def _embed(
    inner: Values, inner_span: tuple[int, int], outer: Values, outer_span: tuple[int, int]
) -> list[tuple[int, int, int]] | None:
    """All of `inner` found in `outer` in order, as (inner, outer, length); None if it is not all there."""
    found: list[tuple[int, int, int]] = []
    at, at_end = inner_span
    start = at
    for k in range(*outer_span):
        if at < at_end and outer[k] == inner[at]:
            at += 1
        elif at > start:
            found.append((start, k - (at - start), at - start))
            start = at
    if at < at_end:
        return None
    if at > start:
        found.append((start, outer_span[1] - (at - start), at - start))
    return found


def _runs(expected: Values, seen: Values, middle: Gap) -> list[_Match]:
    """What was seen, cut into runs of neighbouring rows; records that are no row of the middle are left out."""
    wanted = set(seen[middle.index : middle.index_end])
    places: dict[bytes, list[int]] = {}
    for row in range(middle.row, middle.row_end):
        if (value := expected[row]) in wanted:
            places.setdefault(value, []).append(row)
    runs: list[_Match] = []
    index, due = middle.index, middle.row
    after_run = index
    while index < middle.index_end:
        rows = places.get(seen[index])
        if rows is None:
            index += 1
            continue
        # After k strange records the next row is most likely the one k further on: the strange ones were altered.
        row = likeliest_row(expected, seen, index, rows, due + index - after_run)
        bound = min(middle.row_end - row, middle.index_end - index)
        length = _common_head(expected, row, seen, index, bound)
        runs.append(_Match(row, index, length))
        index, due = index + length, row + length
        after_run = index
    return runs


def likeliest_row(expected: Values, seen: Values, index: int, rows: Sequence[int], due: int) -> int:
    """Which of `rows`, all equal to the record at `index`, it most likely is.

    The one after which most further records fit, of those nearest to the row that is due; bounded, because a value
    may stand in a million rows.
    """
    if len(rows) == 1:
        return rows[0]
    middle = bisect_left(rows, due)
    nearest = sorted(rows[max(middle - NEAREST_ROWS, 0) : middle + NEAREST_ROWS], key=lambda row: abs(row - due))
    bound = min(LOOK_AHEAD_ROWS, len(seen) - index)
    return max(nearest, key=lambda row: _common_head(expected, row, seen, index, min(bound, len(expected) - row)))


def _heaviest_chain(runs: list[_Match]) -> list[_Match]:
    """The ascending chain of runs that covers most rows; runs may overlap, the later one is then cut at its front.

    `ends` and `scores` hold the chains worth going on with: both ascend, because a chain that ends later and covers
    no more is never better. A run looks at the chains that end inside it one by one, so all of them together cost
    no more than the rows they hold.
    """
    ends: list[int] = []
    scores: list[int] = []
    chains: list[int] = []
    before = [-1] * len(runs)
    for number, run in enumerate(runs):
        end, score = run.row + run.length, run.length
        at = bisect_right(ends, run.row)
        if at:
            score, before[number] = scores[at - 1] + run.length, chains[at - 1]
        while at < len(ends) and ends[at] < end:
            if scores[at] + end - ends[at] > score:
                score, before[number] = scores[at] + end - ends[at], chains[at]
            at += 1
        if at and scores[at - 1] >= score:
            continue
        stop = at
        while stop < len(ends) and scores[stop] <= score:
            stop += 1
        if at < stop or at == len(ends) or ends[at] > end:
            ends[at:stop], scores[at:stop], chains[at:stop] = [end], [score], [number]
    return _walk_back(runs, before, chains[-1]) if chains else []


def _walk_back(runs: list[_Match], before: list[int], number: int) -> list[_Match]:
    chain = []
    while number >= 0:
        run, earlier = runs[number], before[number]
        cut = max(0, runs[earlier].row + runs[earlier].length - run.row) if earlier >= 0 else 0
        chain.append(_Match(run.row + cut, run.index + cut, run.length - cut))
        number = earlier
    return chain[::-1]
