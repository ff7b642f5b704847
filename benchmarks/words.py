"""What the results say of the user's target, of peers and of the machine, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor, log10
from statistics import median
from typing import Literal

from benchmarks.contestants import CLIENTS, DEFAULT_INTERVAL_ROWS, YARDSTICK
from benchmarks.results import Measured, Results, drift, ratios

LEAST, MOST = 10_000, 50_000  # rows a second, the user's target
DRIFT_NOTED = 1.1
REFERENCE_BYTES = 10**8  # the size against whose rate larger objects are held
BASE = {
    "delivery": "exactly-once",
    "compression": "gzip",
    "interval_rows": DEFAULT_INTERVAL_ROWS,
    "profile": "rows",
    "width": 100,
}
Stamp = Literal["met", "partly", "missed", "not measured"]


def bases(results: Results) -> list[Measured]:
    """Return each client's run with the default settings, the fastest first."""
    found = [one for one in results.of("end to end") if one.role == "processor" and one.has(**BASE)]
    return sorted(found, key=lambda one: -one.rate)


def stamp(results: Results) -> Stamp:
    """Tell in a word whether every client, or one of them, reaches the target's lower end with default settings."""
    reached = [one.rate >= LEAST for one in bases(results)]
    if len(reached) < len(CLIENTS):
        return "not measured"
    return "met" if all(reached) else "partly" if any(reached) else "missed"


def first_line(results: Results) -> str:
    """Say how the target stands, by the medians with default settings."""
    verdicts = [_against_target(str(one.settings["client"]), one.rate) for one in bases(results)]
    if not verdicts:
        return f"{LEAST:,} to {MOST:,} records/s: not measured in this run"
    return (
        f"{LEAST:,} to {MOST:,} records/s: {', '.join(verdicts)} "
        f"(exactly-once with default settings, rows of {BASE['width']} bytes, medians)"
    )


def further_lines(results: Results) -> Iterator[str]:
    """Yield what else is worth a sentence: peers, the machine's limit, resuming, memory, and doubts."""
    yield from _against_others(results)
    yield from _resume(results)
    yield from _memory(results)
    yield from _verify(results)
    yield from doubts(results)


def doubts(results: Results) -> Iterator[str]:
    """Yield what makes the figures less than they look."""
    for one in results.of("end to end"):
        if marks := sorted({str(run["mark"]) for run in one.rounds if run.get("mark")}):
            yield f"{one.name} did not do its work: {'; '.join(marks)}."
    if results.scale != "full":
        yield f"This was the scale {results.scale}: few rounds, for orientation."
    load, cores = results.machine.get("load", {}).get("before", 0.0), results.machine.get("cores") or 1
    if load > cores / 4:
        yield f"Others were at work on this machine: its load was {load:.1f} on {cores} cores before the first run."
    drifted = drift(results)
    if drifted is not None and not 1 / DRIFT_NOTED < drifted < DRIFT_NOTED:
        yield f"The rounds drifted: the last one was {drifted:.2f} times as fast as the first one counted."


def about(number: float) -> str:
    """Return a number with three digits that mean something."""
    if number == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(number))))
    return f"{number:,.{digits}f}" if digits else f"{round(number, 2 - floor(log10(abs(number)))):,.0f}"


def _against_target(client: str, rate: float) -> str:
    if rate >= MOST:
        return f"met {rate / MOST:.1f} times over by {client} ({about(rate)})"
    if rate >= LEAST:
        return f"reached by {client} ({about(rate)}, {rate / LEAST:.1f} times the lower end)"
    return f"missed by {client} ({about(rate)})"


def _against_others(results: Results) -> Iterator[str]:
    """Yield how the faster client stands against each peer and the yardstick, round by round."""
    ours = next(iter(bases(results)), None)
    if ours is None:
        return
    for other in results.of("end to end"):
        if other.role == "peer" or other.name == YARDSTICK.name:
            found = ratios(ours, other)
            yield (
                f"{ours.settings['client']} with default settings moves {median(found):.2f} times the rows of "
                f"{other.name} in the same rounds ({min(found):.2f} to {max(found):.2f})."
            )


def _resume(results: Results) -> Iterator[str]:
    for client in CLIENTS:
        found = [one for one in results.of("resume") if one.has(client=client)]
        if found:
            places = ", ".join(f"{median(one.seconds):.1f} s at {one.settings['percent']} %" for one in found)
            yield f"After a crash {client} has its first new row committed {places} of the object."
    for one in results.of("resume"):
        if "peer" in one.settings:
            yield f"{one.settings['peer']} has it {median(one.seconds):.1f} s after its process was started again."


def _memory(results: Results) -> Iterator[str]:
    for client in CLIENTS:
        found = [one for one in results.of("size") if one.has(client=client) and one.each("peak_memory_bytes")]
        if found:
            peaks = ", ".join(f"{_peak_mb(one):,.0f} MB for an object of {_mb(one)}" for one in found)
            yield f"{client} takes at most {peaks}."
            yield from _rate_at_the_largest(client, found)


def _verify(results: Results) -> Iterator[str]:
    for one in results.of("verify"):
        took = f"{about(median(one.seconds))} s and {_peak_mb(one):,.0f} MB"
        yield f"To verify {one.rows:,} rows takes {one.settings['client']} {took}."


def _rate_at_the_largest(client: str, found: list[Measured]) -> Iterator[str]:
    reference = next((one for one in found if one.has(size_bytes=REFERENCE_BYTES)), None)
    if reference is not None and found[-1] is not reference:
        ratio = found[-1].rate / reference.rate
        yield f"The rate of {client} at {_mb(found[-1])} is {ratio:.2f} times that at {_mb(reference)}."


def _peak_mb(one: Measured) -> float:
    return median(one.each("peak_memory_bytes")) / 10**6


def _mb(one: Measured) -> str:
    return f"{int(one.settings['size_bytes']) // 10**6:,} MB"
