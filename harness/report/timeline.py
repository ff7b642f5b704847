"""The timeline: how far the job had come at each moment, and beneath it each attempt as a bar. Pure.

Up to `MOST_BARS` attempts are drawn one by one; more than that are counted in equal parts of the time. What falls
on the same pixel is drawn once, so the drawing stays small however long the run.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.report.runs import Layout, Moment, Run
from harness.report.scale import LABEL_PX, PLOT_END_PX, Scale, Tick, time_unit

MOST_BARS = 24
PROGRESS_PX = 170.0
BAR_PITCH_PX = 22.0
COUNT_PITCH_PX = 34.0
COUNT_PARTS = 212  # of four pixels each
TOP_PX = 24.0
END_MARK_PX = 9.0  # right of the bar, so that its end stays visible
MARKED = frozenset({"struck", "retrying", "refused", "failed", "stopped", "rebuilt"})


@dataclass(frozen=True, slots=True)
class Mark:
    """A symbol, named by the stylesheet, with the words for whoever points at it."""

    kind: str
    x: float
    y: float
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt: pale until it resumed, full while it moved rows, a notch for every commit."""

    run: Run
    y: float
    began: float
    resumed: float
    ended: float
    notches: tuple[float, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened in each part of the time: heights up to one, the highest named."""

    label: str
    kind: str
    total: int
    most: int
    y: float
    columns: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing, in pixels."""

    height: float
    time_axis: tuple[Tick, ...]
    row_axis: tuple[Tick, ...]
    progress: str
    kills: tuple[Mark, ...]
    flights: tuple[tuple[float, float, float], ...]
    bars: tuple[Bar, ...]
    counts: tuple[Count, ...]
    floor: float
    goal: float
    part: float


def draw_timeline(layout: Layout, *, rows: int) -> Timeline:
    """The drawing of these attempts on an object of so many rows."""
    reached = [run.committed_row or 0 for run in layout.runs]
    unit, divisor = time_unit(layout.span) if layout.clocked else ("", 1.0)
    time = Scale(0.0, layout.span or 1.0)
    height = Scale(0.0, max([rows, *reached, 1]), TOP_PX + PROGRESS_PX, TOP_PX)
    floor = TOP_PX + PROGRESS_PX
    single = len(layout.runs) <= MOST_BARS
    bars = tuple(_bars(layout.runs, time, floor)) if single else ()
    counts = () if single else tuple(_counts(layout, floor))
    pitch = len(bars) * BAR_PITCH_PX + len(counts) * COUNT_PITCH_PX
    return Timeline(
        height=floor + 34 + pitch,
        time_axis=time.ticks(unit=unit, divisor=divisor),
        row_axis=height.ticks(wanted=4),
        progress=_progress(layout.runs, time, height),
        kills=tuple(_kills(layout.runs, time, height)) if single else (),
        flights=tuple(_flights(layout.runs, time, height)) if single else (),
        bars=bars,
        counts=counts,
        floor=floor,
        goal=height.px(rows),
        part=layout.span / COUNT_PARTS,
    )


def _progress(runs: Iterable[Run], time: Scale, height: Scale) -> str:
    """The rows reported as visible, as a path of steps; one step for each pixel of time, up or down."""
    path: list[str] = []
    at_px, at_row, drawn = -1.0, 0, 0
    moments = sorted(_reached(runs), key=lambda pair: pair[0])
    for at, row in moments:
        x = round(time.px(at))
        if path and x == at_px:
            at_row = row
            continue
        if path and at_row != drawn:
            path.append(f"V{height.px(at_row):g}")
        path.append(f"H{x}" if path else f"M{x} {height.px(row):g}")
        drawn, at_px, at_row = at_row if len(path) > 1 else row, x, row
    if path and at_row != drawn:
        path.append(f"V{height.px(at_row):g}")
    return "".join(path)


def _reached(runs: Iterable[Run]) -> Iterator[tuple[float, int]]:
    """Where each run went on, and where its commits brought it."""
    for run in runs:
        if run.resumed is not None and run.first_row is not None:
            yield run.resumed.at, run.first_row
        for moment in run.commits:
            if moment.step.next_row is not None:
                yield moment.at, moment.step.next_row


def _flights(runs: Iterable[Run], time: Scale, height: Scale) -> Iterator[tuple[float, float, float]]:
    """For each killed run, the rows in flight: a line from the last commit up to the last row sent."""
    for run in runs:
        if run.rows_in_flight and run.committed_row is not None:
            yield time.px(run.ended), height.px(run.committed_row), height.px(run.committed_row + run.rows_in_flight)


def _kills(runs: Iterable[Run], time: Scale, height: Scale) -> Iterator[Mark]:
    row = 0
    for run in runs:
        row = row if run.committed_row is None else run.committed_row
        if run.outcome == "killed":
            words = f"attempt {run.attempt.number}: {run.end_in_words} at {_planned(run)}"
            flight = f", {run.rows_in_flight:,} rows in flight"
            yield Mark("killed", time.px(run.ended), height.px(row + run.rows_in_flight), words + flight)


def _planned(run: Run) -> str:
    return ", ".join(strike.planned for strike in run.strikes) or "no planned place"


def _bars(runs: Sequence[Run], time: Scale, floor: float) -> Iterator[Bar]:
    for number, run in enumerate(runs):
        y = floor + 40 + number * BAR_PITCH_PX
        ended = time.px(run.ended)
        resumed = ended if run.resumed is None else time.px(run.resumed.at)
        notches = tuple(sorted({round(time.px(moment.at)) + 0.5 for moment in run.commits}))
        yield Bar(run, y, time.px(run.began), resumed, ended, notches, tuple(_marks(run, time, y)))


def _marks(run: Run, time: Scale, y: float) -> Iterator[Mark]:
    drawn: set[tuple[str, int]] = set()
    for moment in run.moments:
        place = (moment.step.name, round(time.px(moment.at) / 4))
        doubled = moment.step.name == "struck" and run.outcome == "killed"
        if moment.step.name in MARKED and place not in drawn and not doubled:
            drawn.add(place)
            yield Mark(moment.step.name, time.px(moment.at), y, _line_in_words(moment))
    yield Mark(run.outcome, time.px(run.ended) + END_MARK_PX, y, f"attempt {run.attempt.number}: {run.end_in_words}")


def _line_in_words(moment: Moment) -> str:
    fields = moment.step.fields
    why = fields.get("error", fields.get("strike"))
    return moment.step.name if why is None else f"{moment.step.name}: {why}"


def _counts(layout: Layout, floor: float) -> Iterator[Count]:
    """What happened when, for more attempts than can be drawn one by one."""
    wanted: tuple[tuple[str, str, Callable[[Run], list[float]]], ...] = (
        ("killed", "killed", _ends("killed")),
        ("resumed", "working", _lines("resumed")),
        ("committed", "working", lambda run: [moment.at for moment in run.commits]),
        ("retrying", "retrying", _lines("retrying")),
        ("refused or failed", "refused", _ends("refused", "ended")),
    )
    width = (PLOT_END_PX - LABEL_PX) / COUNT_PARTS
    for number, (label, kind, times) in enumerate(wanted):
        happened = (at / (layout.span or 1.0) for run in layout.runs for at in times(run))
        parts = Counter(min(int(share * COUNT_PARTS), COUNT_PARTS - 1) for share in happened)
        most = max(parts.values(), default=0)
        columns = tuple((round(LABEL_PX + part * width, 1), round(n / most, 3)) for part, n in sorted(parts.items()))
        yield Count(label, kind, parts.total(), most, floor + 34 + number * COUNT_PITCH_PX, columns)


def _ends(*outcomes: str) -> Callable[[Run], list[float]]:
    return lambda run: [run.ended] if run.outcome in outcomes else []


def _lines(name: str) -> Callable[[Run], list[float]]:
    return lambda run: [moment.at for moment in run.moments if moment.step.name == name]
