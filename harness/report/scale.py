"""Axes: values to pixels on a straight line, with ticks at round values. Pure."""

from dataclasses import dataclass
from math import ceil, floor, log10

LABEL_PX = 200.0  # the column left of every drawing, where its lanes are named
PLOT_END_PX = 1040.0
WIDTH_PX = 1060.0
WANTED_TICKS = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """A round value on an axis."""

    px: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low` to `start_px` and `high` to `end_px`; a span of nothing is drawn at its start."""

    low: float
    high: float
    start_px: float = LABEL_PX
    end_px: float = PLOT_END_PX

    def px(self, value: float) -> float:
        """Where a value lies, to a tenth of a pixel."""
        if self.high <= self.low:
            return self.start_px
        share = (value - self.low) / (self.high - self.low)
        return round(self.start_px + share * (self.end_px - self.start_px), 1)

    def ticks(self, *, unit: str = "", divisor: float = 1.0, wanted: int = WANTED_TICKS) -> tuple[Tick, ...]:
        """Ticks at round multiples of the unit, `divisor` values each; whole numbers where there is no unit."""
        low, high = self.low / divisor, self.high / divisor
        step = round_step(high - low, wanted)
        step = step if unit else max(step, 1.0)
        numbers = range(ceil(low / step), floor(high / step + 1e-9) + 1)
        digits = max(0, -floor(log10(step)))
        return tuple(Tick(self.px(n * step * divisor), f"{n * step:,.{digits}f}{unit}") for n in numbers)


def round_step(span: float, wanted: int) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... that cuts the span into `wanted` parts at most."""
    if span <= 0:
        return 1.0
    rough = span / wanted
    power = 10.0 ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def time_unit(span_s: float) -> tuple[str, float]:
    """The unit in which a span of time reads best, and its seconds."""
    most_s, most_min = 300, 300
    if span_s <= most_s:
        return " s", 1.0
    return (" min", 60.0) if span_s <= most_min * 60 else (" h", 3600.0)
