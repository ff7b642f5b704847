"""Lying bars: the median as the bar, each round as a dot on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.report.scale import Scale, Tick

LABEL_PX, PLOT_END_PX, WIDTH_PX = 290.0, 850.0, 1060.0
ROW_PX, TOP_PX, AXIS_PX = 24.0, 8.0, 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """What one bar shows: its label, one value for each round, and the kind that decides its colour."""

    label: str
    values: tuple[float, ...]
    kind: str
    words: str  # what stands at its end


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in pixels. `words` stand at `words_x`, right of bar and dots."""

    line: Line
    y: float
    width: float
    dots: tuple[float, ...]
    words_x: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A drawing: bars from the top, an axis below them, and lines at marked values, if any."""

    title: str
    bars: tuple[Bar, ...]
    axis: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    height: float
    floor: float
    start: float = LABEL_PX
    end: float = PLOT_END_PX
    width: float = WIDTH_PX


def draw_bars(title: str, lines: Sequence[Line], *, unit: str, marks: Sequence[float] = ()) -> Bars | None:
    """Return the drawing, None for no lines. Every axis starts at 0: a bar's length means something."""
    if not lines:
        return None
    scale = Scale(0.0, max(max(line.values) for line in lines), LABEL_PX, PLOT_END_PX)
    bars = []
    for row, line in enumerate(lines):
        dots = tuple(map(scale.px, line.values))
        width = scale.px(median(line.values)) - LABEL_PX
        bars.append(Bar(line, TOP_PX + row * ROW_PX, round(width, 1), dots, max(dots) + 12))
    floor = TOP_PX + len(lines) * ROW_PX + 4
    return Bars(
        title=title,
        bars=tuple(bars),
        axis=scale.ticks(unit=unit),
        marks=tuple(Tick(scale.px(mark), f"{mark:,.0f}") for mark in marks if mark <= scale.high),
        height=floor + AXIS_PX,
        floor=floor,
    )
