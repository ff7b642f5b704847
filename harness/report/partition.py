"""The partition as a strip over its offsets, and beneath it one lane for each kind of thing found there. Pure.

Offsets are counted in bins, by bisection wherever counting is enough, so a million records cost a few hundred
numbers. What should not be there is drawn wherever a bin holds even one of it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from harness.checks import rows, transactions
from harness.checks.case import Case
from harness.report.scale import Scale, Tick

MOST_BINS = 425  # of two pixels each
MOST_WRITERS = 120
FULL, HALF, FAINT = 3, 2, 1
LABEL_FITS_PX = 22.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring bins that look alike: a place in pixels, a strength, and the words for whoever points at it."""

    x: float
    width: float
    level: int
    words: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of thing. `tone` is a class of the stylesheet; `bad` kinds make a run invalid."""

    name: str
    tone: str
    count: int
    counts: list[int]
    stretches: tuple[Stretch, ...]
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """The whole drawing. `overview` has the one tone that speaks for each column; `absent` are bad kinds not found."""

    first: int
    end: int
    bin_offsets: float
    axis: tuple[Tick, ...]
    overview: tuple[tuple[str, Stretch], ...]
    lanes: tuple[Lane, ...]
    writers: tuple[Stretch, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bins:
    """The offsets from `edges[0]` on, cut into equal parts; bin k holds [edges[k], edges[k + 1])."""

    edges: tuple[int, ...]

    @classmethod
    def over(cls, first: int, end: int) -> "Bins":
        """As many bins as can be told apart, none without an offset."""
        size = max(end - first, 1)
        wanted = min(size, MOST_BINS)
        return cls(tuple(first + size * k // wanted for k in range(wanted + 1)))

    def __len__(self) -> int:
        return len(self.edges) - 1

    def of(self, offset: int) -> int:
        """The bin of an offset; what lies outside belongs to the first or the last."""
        size = self.edges[-1] - self.edges[0]
        near = (offset - self.edges[0]) * len(self) // size
        near = min(max(near, 0), len(self) - 1)
        while near > 0 and offset < self.edges[near]:
            near -= 1
        while near < len(self) - 1 and offset >= self.edges[near + 1]:
            near += 1
        return near

    def widths(self) -> tuple[int, ...]:
        """How many offsets each bin holds."""
        return tuple(end - start for start, end in pairwise(self.edges))

    def count(self, offsets: Sequence[int]) -> list[int]:
        """How many of these ascending offsets fall into each bin."""
        places = [bisect_left(offsets, edge) for edge in self.edges]
        return [end - start for start, end in pairwise(places)]

    def gather(self, found: Iterable[tuple[int, int]]) -> list[int]:
        """The sum for each bin of pairs (offset, how many)."""
        sums = [0] * len(self)
        for offset, many in found:
            sums[self.of(offset)] += many
        return sums


def draw_partition(case: Case) -> Strip | None:
    """The drawing of everything from the job's first offset on; None where the partition holds nothing of it."""
    evidence = case.evidence
    first = evidence.first_offset
    reads = [read for read in (evidence.committed, evidence.uncommitted) if read]
    end = max([evidence.partition.end, *(read.offsets[-1] + 1 for read in reads)])
    if end <= first:
        return None
    bins = Bins.over(first, end)
    scale = Scale(bins.edges[0], bins.edges[-1])
    lanes = [_lane(bins, scale, name, tone, counts) for name, tone, counts in _expected_kinds(case, bins)]
    bad = [_lane(bins, scale, name, "bad", counts, bad=True) for name, counts in _bad_kinds(case, bins)]
    present = [lane for lane in [*lanes, *bad] if lane.count]
    unjudged = {"AbortedRead"} if evidence.live is None else set()
    if not case.exactly_once:
        unjudged |= {"TornTransaction"}
    return Strip(
        first,
        end,
        (end - first) / len(bins),
        scale.ticks(),
        tuple(_overview(bins, scale, present)),
        tuple(present),
        tuple(_writers(case, scale)),
        tuple(lane.name for lane in bad if not lane.count and lane.name not in unjudged),
    )


def _expected_kinds(case: Case, bins: Bins) -> Iterator[tuple[str, str, list[int]]]:
    """What may be in a partition without harm."""
    evidence, widths = case.evidence, bins.widths()
    start, stable = evidence.partition.start, evidence.partition.last_stable
    committed = bins.count(case.records.offsets)
    strange = bins.gather((case.records.offsets[index], 1) for index in _bad_indexes(case))
    yield "in its place", "good", [all_of - bad for all_of, bad in zip(committed, strange, strict=True)]
    gone = [max(min(start, end) - edge, 0) for edge, end in pairwise(bins.edges)]
    unseen = [width - seen - old for width, seen, old in zip(widths, committed, gone, strict=True)]
    if evidence.uncommitted is None:
        yield "aborted or marker", "quiet", [max(n, 0) for n in unseen]
    else:
        offsets = evidence.uncommitted.since(evidence.first_offset).offsets
        border = bisect_left(offsets, stable)
        decided, open_still = bins.count(offsets[:border]), bins.count(offsets[border:])
        visible_late = bins.count(case.records.offsets[bisect_left(case.records.offsets, stable) :])
        aborted = [max(n - (c - v), 0) for n, c, v in zip(decided, committed, visible_late, strict=True)]
        undecided = [max(n - v, 0) for n, v in zip(open_still, visible_late, strict=True)]
        yield "aborted, hidden", "quiet", aborted
        yield "undecided, hidden", "odd", undecided
        taken = zip(unseen, aborted, undecided, strict=True)
        yield "transaction marker", "marker", [max(n - a - u, 0) for n, a, u in taken]
    yield "deleted by retention", "quiet", gone


def _bad_indexes(case: Case) -> Iterator[int]:
    differences = case.differences
    for copied in (*differences.repeated, *differences.moved):
        yield from range(copied.index, copied.index + copied.rows)
    for strange in differences.strange:
        yield from range(strange.index, strange.index + strange.records)
    yield from (replaced.index for replaced in differences.replaced)


def _bad_kinds(case: Case, bins: Bins) -> Iterator[tuple[str, list[int]]]:
    """What must not be there, by the judge's own names; a row that is missing is counted where it was due."""
    offsets, differences, first = case.records.offsets, case.differences, bins.edges[0]

    def copies(found: Iterable[tuple[int, int]]) -> list[int]:
        return bins.gather((offsets[index], 1) for start, many in found for index in range(start, start + many))

    yield "Duplicate", copies((copied.index, copied.rows) for copied in differences.repeated)
    lost = [(first if gap.offset_before is None else gap.offset_before, gap.rows) for gap in rows.find_lost(case)]
    yield "Lost", bins.gather(lost)
    yield "Truncated", bins.gather((bins.edges[-1] - 1, tail.rows) for tail in rows.find_truncated(case))
    yield "Reordered", copies((copied.index, copied.rows) for copied in differences.moved)
    yield "Altered", copies((replaced.index, 1) for replaced in differences.replaced)
    yield "Phantom", copies((strange.index, strange.records) for strange in differences.strange)
    yield "AbortedRead", bins.gather((seen.offset, 1) for seen in transactions.find_aborted_reads(case))
    torn = transactions.find_torn_transactions(case)
    yield "TornTransaction", bins.gather((bins.edges[-1] - 1 if t.offset is None else t.offset, 1) for t in torn)


def _lane(bins: Bins, scale: Scale, name: str, tone: str, counts: list[int], *, bad: bool = False) -> Lane:
    widths = bins.widths()

    def level(k: int) -> int:
        if not counts[k]:
            return 0
        share = counts[k] / widths[k]
        return FULL if bad or share >= 1 / 2 else HALF if share >= 1 / 10 else FAINT

    return Lane(name, tone, sum(counts), counts, tuple(_stretches(bins, scale, counts, level)), bad)


def _overview(bins: Bins, scale: Scale, lanes: Sequence[Lane]) -> Iterator[tuple[str, Stretch]]:
    """One tone a bin: what is bad or undecided from the first one on, else what most of the bin is."""

    def lane_of(k: int) -> Lane | None:
        loud = {"bad": 2, "odd": 1}
        present = [lane for lane in lanes if lane.counts[k]]
        return max(present, key=lambda lane: (loud.get(lane.tone, 0), lane.counts[k]), default=None)

    for lane, numbers in groupby(range(len(bins)), lane_of):
        alike = list(numbers)
        start, end = bins.edges[alike[0]], bins.edges[alike[-1] + 1]
        x = scale.px(start)
        if lane is not None:
            words = f"{lane.name}, offsets {start:,} to {end - 1:,}"
            yield lane.tone, Stretch(x, round(max(scale.px(end) - x, 2.0), 1), FULL, words)


def _stretches(bins: Bins, scale: Scale, counts: list[int], level: Callable[[int], int]) -> Iterator[Stretch]:
    for strength, numbers in groupby(range(len(bins)), level):
        if strength == 0:
            continue
        alike = list(numbers)
        start, end = bins.edges[alike[0]], bins.edges[alike[-1] + 1]
        x, many = scale.px(start), sum(counts[k] for k in alike)
        words = f"offsets {start:,} to {end - 1:,}: {many:,}"
        yield Stretch(x, round(max(scale.px(end) - x, 2.0), 1), strength, words)


def _writers(case: Case, scale: Scale) -> Iterator[Stretch]:
    """Which attempt's commits made which offsets visible; only where every row has its one record."""
    differences, offsets = case.differences, case.records.offsets
    disturbed = any((differences.missing, differences.replaced, differences.moved, differences.repeated))
    if disturbed or differences.strange or case.gone_rows:
        return
    spans: dict[int, tuple[int, int]] = {}
    for batch in case.batches:
        if batch.committed and batch.row < batch.row_end <= len(offsets):
            first, last = offsets[batch.row], offsets[batch.row_end - 1]
            before = spans.get(batch.attempt, (first, last))
            spans[batch.attempt] = (min(first, before[0]), max(last, before[1]))
    for number, (attempt, (first, last)) in enumerate(spans.items() if len(spans) <= MOST_WRITERS else ()):
        x = scale.px(first)
        width = round(max(scale.px(last + 1) - x, 1.0), 1)
        words = f"attempt {attempt} made offsets {first:,} to {last:,} visible"
        yield Stretch(x, width, 1 + number % 2, words, str(attempt) if width >= LABEL_FITS_PX else "")
