"""What a run of the benchmarks left behind: pytest-benchmark's JSON, read into values. Pure but for reading the file.

`extra_info` says what was measured (`figure`, `name`, `settings`, `rows`, `object_bytes`, and `rounds` where there is
more to a round than its time); `stats.data` has the seconds of each round.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, log, sqrt
from pathlib import Path
from statistics import median
from typing import Any

DROPPED_SHARE = 10  # the slowest and the fastest of ten rounds are outliers, of three they are not


class NoResults(ValueError):
    """The file is none of ours."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark: seconds of each counted round, in the order they were run."""

    figure: str
    name: str
    seconds: tuple[float, ...]
    rows: int = 1
    object_bytes: int = 0
    role: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[Mapping[str, Any], ...] = ()

    @property
    def rates(self) -> tuple[float, ...]:
        """Rows a second, round by round."""
        return tuple(self.rows / seconds for seconds in self.seconds)

    @property
    def rate(self) -> float:
        """The median of the rates."""
        return median(self.rates)

    def each(self, name: str) -> list[float]:
        """Return what every round tells under this name; empty where one does not tell it."""
        values = [one.get(name) for one in self.rounds]
        return [] if None in values else [float(value) for value in values if value is not None]

    def has(self, **settings: object) -> bool:
        """Tell whether it was run with these settings."""
        return all(self.settings.get(name) == wanted for name, wanted in settings.items())


@dataclass(frozen=True, slots=True)
class Results:
    """All benchmarks of one run, by name, and what they ran on."""

    benchmarks: Mapping[str, Measured]
    machine: Mapping[str, Any]
    commit: str
    when: str

    def of(self, figure: str) -> Iterator[Measured]:
        """Yield the benchmarks of one figure, in their order."""
        return (one for one in self.benchmarks.values() if one.figure == figure)

    @property
    def scale(self) -> str:
        """How much was measured."""
        return str(self.machine.get("scale", "unknown"))


def load(path: Path) -> Results:
    """Read a file that `nox -s bench` wrote. Raises NoResults, OSError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [_measured(one) for one in content["benchmarks"]]
        return Results(
            {one.name: one for one in found},
            content["machine_info"],
            str(content["commit_info"].get("id", "unknown")),
            str(content["datetime"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NoResults(f"{path} holds no results of these benchmarks: {error!r}") from error


def spread(values: Sequence[float]) -> float:
    """Return how many times the fastest round the slowest one took, as a logarithm.

    Tenths at both ends are not looked at. Small spreads are shares: 0.05 is five percent. Large ones add up as
    factors do, which shares would not.
    """
    drop = len(values) // DROPPED_SHARE
    kept = sorted(values)[drop : len(values) - drop]
    return log(kept[-1] / kept[0])


def noise(values: Sequence[float]) -> float:
    """Return how far off the median of these rounds may be, as a logarithm; infinite for a single round.

    The spread, and less of it the more rounds there were. The factor is such that of a hundred figures that did not
    change a comparison names about one after three rounds, and hardly any after five; the tests play that through.
    """
    return 2 * spread(values) / sqrt(len(values)) if len(values) > 1 else inf


def ratios(one: Measured, other: Measured) -> list[float]:
    """Return how many times the rate of `other` the rate of `one` is, in each round that both took part in."""
    return [mine / theirs for mine, theirs in zip(one.rates, other.rates, strict=False)]


def drift(results: Results) -> float | None:
    """Return how much faster the last counted round was than the first, over all contestants; None if there is one.

    Above 1, the broker was still warming up.
    """
    pairs = [one.rates[-1] / one.rates[0] for one in results.of("end to end") if len(one.rates) > 1]
    return median(pairs) if pairs else None


def _measured(benchmark: Mapping[str, Any]) -> Measured:
    facts = benchmark["extra_info"]
    return Measured(
        figure=facts["figure"],
        name=facts["name"],
        seconds=tuple(benchmark["stats"]["data"]),
        rows=facts["rows"],
        object_bytes=facts["object_bytes"],
        role=facts.get("role", ""),
        settings=facts["settings"],
        rounds=tuple(facts.get("rounds", ())),
    )
