"""Hands durations that were measured elsewhere to pytest-benchmark, which runs the rounds of one benchmark in a row.

A plan measures all contestants alternately; then each benchmark's rounds are played back on a clock that goes on by
just what was measured. So pytest-benchmark's own table and JSON hold real durations, and nothing is measured twice.
That holds for milliseconds as well: rounds in a row share the machine's mood, and would take it for no noise at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class _Clock:
    """Stands still but for `play`."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def read(self) -> float:
        """Return the time; this is pytest-benchmark's timer."""
        return self._now_s

    def play(self, seconds: float) -> None:
        """Let so much time pass; this is what pytest-benchmark thinks it times."""
        self._now_s += seconds


_CLOCK = _Clock()
TIMER = _CLOCK.read


def play_back(benchmark: Any, seconds: Sequence[float], facts: Mapping[str, object]) -> None:
    """Give the benchmark (marked with `timer=TIMER`) these rounds, and the facts as its extra_info."""
    left = list(seconds)
    benchmark.extra_info.update(facts)
    benchmark.pedantic(_CLOCK.play, setup=lambda: ((left.pop(0),), {}), rounds=len(seconds))
