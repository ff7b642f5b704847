"""Sets a run against a saved one, and names what got worse by more than the noise that the runs measured themselves.

Two days are two machines. So what is compared is not the time but its ratio to a yardstick of the same run, which has
none of our code in it: Python's csv reader for what stays in one process, librdkafka alone for what goes to the broker.
The noise of a comparison is made of that of all four medians; a change within it is none. Only equal amounts of work
are compared. Memory is compared as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, hypot, isinf, log
from pathlib import Path
from statistics import median

from benchmarks.contestants import YARDSTICK
from benchmarks.results import Measured, Results, load, noise

CORE_YARDSTICK = "Python's csv reader alone"
BROKER_FIGURES = frozenset({"end to end", "size", "one batch", "one commit"})
EXIT_DONE, EXIT_WORSE = 0, 1


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of both runs: how many times the time or the memory of before, and the noise, both as logarithms."""

    name: str
    log_factor: float
    noise: float

    @property
    def verdict(self) -> str:
        """`worse`, `better`, or `same` within the noise."""
        if abs(self.log_factor) <= self.noise:
            return "same"
        return "worse" if self.log_factor > 0 else "better"

    @property
    def share(self) -> float:
        """How much more it takes: 0.25 is a quarter more."""
        return exp(self.log_factor) - 1

    def __str__(self) -> str:
        return f"{self.verdict:6} {self.share:+8.1%}  ({self.noise_words})  {self.name}"

    @property
    def noise_words(self) -> str:
        """The noise as a share, or why there is none."""
        return "noise unknown, one round" if isinf(self.noise) else f"noise {exp(self.noise) - 1:.1%}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes, the yardsticks' own, and the names that only one run has or that did other amounts of work."""

    changes: tuple[Change, ...]
    yardsticks: tuple[Change, ...]
    left_out: tuple[str, ...]

    @property
    def worse(self) -> list[Change]:
        """What got worse, the worst first."""
        return sorted((one for one in self.changes if one.verdict == "worse"), key=lambda one: -one.log_factor)


def compare(old: Results, new: Results) -> Comparison:
    """Compare every benchmark that both runs have, with the same amount of work."""
    both = [name for name in new.benchmarks if name in old.benchmarks]
    equal = [name for name in both if _work(old.benchmarks[name]) == _work(new.benchmarks[name])]
    yardsticks = {name: _raw(old, new, name) for name in equal if name in (CORE_YARDSTICK, YARDSTICK.name)}
    changes: list[Change] = []
    for name in equal:
        if name not in yardsticks:
            wanted = YARDSTICK.name if new.benchmarks[name].figure in BROKER_FIGURES else CORE_YARDSTICK
            changes.append(_against(_raw(old, new, name), yardsticks.get(wanted)))
            changes += _memory(old.benchmarks[name], new.benchmarks[name])
    left_out = sorted({*old.benchmarks, *new.benchmarks} - set(equal))
    return Comparison(tuple(changes), tuple(yardsticks.values()), tuple(left_out))


def _work(one: Measured) -> tuple[object, ...]:
    return one.rows, one.object_bytes, dict(one.settings)


def _raw(old: Results, new: Results, name: str) -> Change:
    return _change(name, old.benchmarks[name].seconds, new.benchmarks[name].seconds)


def _change(name: str, before: Sequence[float], after: Sequence[float]) -> Change:
    return Change(name, log(median(after) / median(before)), hypot(noise(before), noise(after)))


def _against(raw: Change, yardstick: Change | None) -> Change:
    if yardstick is None:
        return raw
    return Change(raw.name, raw.log_factor - yardstick.log_factor, hypot(raw.noise, yardstick.noise))


def _memory(old: Measured, new: Measured) -> Iterator[Change]:
    before, after = old.each("peak_memory_bytes"), new.each("peak_memory_bytes")
    if old.figure == "size" and before and after:
        yield _change(f"peak memory, {new.name}", before, after)


def main(old_path: Path, new_path: Path) -> int:
    """Print the comparison; return 1 where something got worse, else 0. Raises NoResults, OSError."""
    old, new = load(old_path), load(new_path)
    found = compare(old, new)
    for which, run in (("old", old), ("new", new)):
        print(f"{which}: {run.when}, commit {run.commit[:12]}, scale {run.scale}")
    if old.machine.get("cpu") != new.machine.get("cpu") or old.machine.get("versions") != new.machine.get("versions"):
        print("another machine or other versions: read the ratios with care")
    for yardstick in found.yardsticks:
        print(f"this machine itself, by {yardstick.name}: {yardstick.share:+.1%} time ({yardstick.noise_words})")
    for change in sorted(found.changes, key=lambda one: -one.log_factor):
        print(change)
    if found.left_out:
        print(f"not compared, only in one run or another amount of work: {'; '.join(found.left_out)}")
    worse = found.worse
    print(f"worse: {', '.join(one.name for one in worse)}" if worse else "nothing got worse by more than the noise")
    return EXIT_WORSE if worse else EXIT_DONE
