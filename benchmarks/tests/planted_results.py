"""Results as if they had been measured: rounds drawn from a seed around a time that is known."""

from __future__ import annotations

from random import Random

from benchmarks.compare import CORE_YARDSTICK
from benchmarks.contestants import YARDSTICK
from benchmarks.results import Measured, Results

FIGURES = ("rows from bytes", "end to end")


def planted(
    seed: int, *, rounds: int = 5, sigma: float = 0.03, day: float = 1.0, slower: dict[str, float] | None = None
) -> Results:
    """Return a run with ten benchmarks of each kind; `day` is the machine's mood, `slower` what a change has cost."""
    random = Random(seed)

    def measured(figure: str, name: str) -> Measured:
        factor = day * (slower or {}).get(name, 1.0)
        return Measured(figure, name, tuple(factor * random.gauss(1, sigma) for _ in range(rounds)), rows=1_000)

    found = [measured(figure, f"{figure} {k}") for figure in FIGURES for k in range(10)]
    found += [measured("yardstick", CORE_YARDSTICK), measured("end to end", YARDSTICK.name)]
    return Results({one.name: one for one in found}, {"scale": "full"}, "0" * 40, "2026-01-01T00:00:00")
