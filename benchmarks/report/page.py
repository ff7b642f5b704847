"""Puts the page together: results in, one HTML file out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

from jinja2 import ChoiceLoader, Environment, FileSystemLoader
from markupsafe import Markup

from benchmarks.contestants import DEFAULT_INTERVAL_ROWS
from benchmarks.report.bars import Bars, Line, draw_bars
from benchmarks.results import Measured, Results
from benchmarks.words import LEAST, MOST, REFERENCE_BYTES, about, bases, first_line, further_lines, stamp
from harness.report.page import environment as harness_environment

TEMPLATES = Path(__file__).parent / "templates"
MARKS = {"met": "✓", "partly": "~", "missed": "✗", "not measured": "?"}
LOOKS = {"met": "valid", "partly": "unknown", "missed": "invalid", "not measured": "unknown"}
COLOURS = {"processor": "working", "peer": "quiet", "part": "recovering"}  # in the order of the bars
MILLISECONDS, MEGABYTES = 1000, 10**-6


def write_page(results: Results, path: Path, *, failed: bool = False) -> Path:
    """Write the page to `path`, whose folder is made if need be, and return `path`.

    `failed` says that benchmarks are missing because they failed.
    """
    page = (
        _environment()
        .get_template("bench.html.j2")
        .render(
            results=results,
            failed=failed,
            stamp=stamp(results),
            mark=MARKS[stamp(results)],
            look=LOOKS[stamp(results)],
            first_line=first_line(results),
            further_lines=list(further_lines(results)),
            drawings=[drawing for drawing in _drawings(results) if drawing is not None],
            end_to_end=list(_end_to_end(results)),
            sizes=list(_sizes(results)),
            resumes=list(results.of("resume")),
            others=[one for figure in OTHER_FIGURES for one in results.of(figure)],
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


OTHER_FIGURES = ("yardstick", "rows from bytes", "values from bytes", "one batch", "one commit", "checkpoint", "verify")


def _environment() -> Environment:
    made = harness_environment()
    made.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), *([made.loader] if made.loader else [])])
    made.filters |= {"about": about, "median": median}
    made.globals["own_stylesheet"] = Markup((TEMPLATES / "bench.css").read_text(encoding="utf-8"))  # noqa: S704  # ours
    return made


def _drawings(results: Results) -> Iterator[Bars | None]:
    alike = sorted(filter(_is_alike, results.of("end to end")), key=lambda one: list(COLOURS).index(one.role))
    rates = (Line(_label(one), one.rates, COLOURS[one.role], f"{about(one.rate)} rows/s") for one in alike)
    yield draw_bars("Rows a second, rows of 100 bytes", list(rates), unit="", marks=(LEAST, MOST))
    yield _times("One commit, by the rows in it", results.of("one commit"), "ms", MILLISECONDS)
    yield _times("From the start of the process to the first new row, after a crash", results.of("resume"), "s", 1)
    peaks = [
        Line(one.name, tuple(peak * MEGABYTES for peak in found), "working", f"{median(found) * MEGABYTES:,.0f} MB")
        for one in results.of("size")
        if (found := one.each("peak_memory_bytes"))
    ]
    yield draw_bars("Peak memory of the processor, by the size of the object", peaks, unit=" MB")


def _times(title: str, found: Iterable[Measured], unit: str, factor: float) -> Bars | None:
    lines = []
    for one in found:
        values = tuple(seconds * factor for seconds in one.seconds)
        lines.append(Line(one.name.removeprefix("one commit: "), values, "working", f"{about(median(values))} {unit}"))
    return draw_bars(title, lines, unit=f" {unit}")


def _is_alike(one: Measured) -> bool:
    """Tell whether it moved the base's rows at the base's interval, so that its bar may stand beside the base's."""
    wanted = {"profile": "rows", "width": 100, "interval_rows": DEFAULT_INTERVAL_ROWS}
    return all(one.settings.get(name, setting) == setting for name, setting in wanted.items())


def _label(one: Measured) -> str:
    """Name a contestant among its like: what is the same for all of them is left out."""
    if one.role != "processor":
        return one.name.removesuffix(" 100 B")
    return ", ".join(str(one.settings[name]) for name in ("client", "delivery", "compression"))


def _end_to_end(results: Results) -> Iterator[tuple[Measured, float | None]]:
    """Yield each contestant with the ratio of its rate to its client's base, round by round."""
    by_client = {one.settings["client"]: one for one in bases(results)}
    for one in results.of("end to end"):
        base = by_client.get(one.settings.get("client")) if one.role == "processor" else None
        same = base is not None and len(base.rates) == len(one.rates)
        ratio = (
            median(mine / theirs for mine, theirs in zip(one.rates, base.rates, strict=True)) if base and same else None
        )
        yield one, ratio


def _sizes(results: Results) -> Iterator[tuple[Measured, float | None]]:
    """Yield each size with the ratio of its rate to that of the same client at 100 MB."""
    hundred = {one.settings["client"]: one for one in results.of("size") if one.has(size_bytes=REFERENCE_BYTES)}
    for one in results.of("size"):
        reference = hundred.get(one.settings["client"])
        yield one, one.rate / reference.rate if reference else None
