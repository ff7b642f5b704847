"""Puts the page together: evidence and verdict in, one HTML file out.

Everything from the evidence passes `printable` and Jinja's escaping on its way into the page: a row may hold any
bytes, and a page about them must show them, not obey them.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.anomaly import Vacuous
from harness.checker import CHECKS, Finding, Validity, Verdict
from harness.checks.case import open_case
from harness.history import Evidence
from harness.report import coverage, scale
from harness.report.partition import draw_partition
from harness.report.runs import Layout, Run, lay_out
from harness.report.saves import draw_saves
from harness.report.timeline import draw_timeline

TEMPLATES = Path(__file__).parent / "templates"
MOST_ATTEMPTS = 30


def write_report(
    evidence: Evidence, verdict: Verdict, path: Path, *, title: str, replay: str, seconds: Sequence[float] = ()
) -> Path:
    """Write the page to `path`, whose folder is made if need be, and return `path`.

    `replay` is the command that makes this run happen again; empty if there is none. `seconds` are how long the
    processes of the attempts lived, in their order, as far as that is known. The evidence is compared once more for
    drawing; the verdict is taken as it is given.
    """
    layout = lay_out(evidence, seconds)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            replay=replay,
            folder=path.resolve().parent.name if (path.parent / "evidence.json").exists() else None,
            evidence=evidence,
            verdict=verdict,
            words=_words(verdict),
            figures=_figures(evidence, verdict, layout),
            meanings={kind.__name__: _meaning(kind) for kind in CHECKS},
            unwatched=_unwatched(evidence),
            layout=layout,
            runs=_shown(layout.runs),
            left_out=max(len(layout.runs) - MOST_ATTEMPTS, 0),
            back_after={run.attempt.number: waited_s for run, waited_s in layout.recoveries()},
            timeline=draw_timeline(layout, rows=len(evidence.expected)) if layout.span else None,
            strip=draw_partition(open_case(evidence)),
            coverage=coverage.measure_coverage(evidence),
            columns=coverage.COLUMNS,
            saves=draw_saves(evidence.checkpoints, rows=len(evidence.expected)),
            width=scale.WIDTH_PX,
            plot_start=scale.LABEL_PX,
            plot_end=scale.PLOT_END_PX,
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", newline="\n")
    return path


def environment() -> Environment:
    """Jinja with everything escaped, and a misspelt name an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["count"] = lambda number: f"{number:,}"
    made.globals["stylesheet"] = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))  # noqa: S704  # ours
    return made


def printable(value: object) -> object:
    """The value, with every character that has no shape of its own (control, bidi, surrogate) as its escape."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)


def _words(verdict: Verdict) -> str:
    """The verdict in a sentence."""
    if verdict.validity is Validity.VALID:
        return "Nothing was found, and this run could have shown it."
    names = ", ".join(_times(finding) for finding in verdict.findings if finding.name != Vacuous.__name__)
    if verdict.validity is Validity.INVALID:
        return f"The judge convicts this run: {names}."
    return "Nothing convicts this run, and nothing clears it: it could not have shown what it was run for."


def _times(finding: Finding) -> str:
    return finding.name if finding.count == 1 else f"{finding.name} \u00d7{finding.count:,}"


def _meaning(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _figures(evidence: Evidence, verdict: Verdict, layout: Layout) -> list[tuple[str, str, str]]:
    """The numbers that say how large the run was and how hard it was struck: value, name, remark."""
    landed = [strike for strike in evidence.strikes if strike.landed]
    waits = [waited_s for _, waited_s in layout.recoveries()]
    flying = sum(strike.rows_in_flight for strike in landed)
    figures = [
        (f"{verdict.rows:,}", "rows expected", evidence.delivery),
        (f"{verdict.records:,}", "records visible", _span(evidence)),
        (f"{len(evidence.attempts):,}", "attempts", _ends(layout)),
        (f"{len(landed):,}", "strikes landed", f"of {len(evidence.strikes):,} planned; {flying:,} rows in flight"),
    ]
    if waits:
        longest = f"median; the longest {max(waits):,.1f} s"
        figures.append((f"{median(waits):,.1f} s", "until rows moved again", longest))
    return figures


def _span(evidence: Evidence) -> str:
    first, end = evidence.first_offset, evidence.partition.end
    return f"offsets {first:,} to {end - 1:,}" if end > first else "the partition is empty"


def _ends(layout: Layout) -> str:
    killed = sum(run.outcome == "killed" for run in layout.runs)
    done = sum(run.outcome == "done" for run in layout.runs)
    return f"{killed:,} killed, {done:,} done, {len(layout.runs) - killed - done:,} otherwise"


def _unwatched(evidence: Evidence) -> list[str]:
    """What nobody watched: the checks that need it stayed silent."""
    watched = {
        "uncommitted read": evidence.uncommitted,
        "live reader": evidence.live,
        "position in Kafka": evidence.position,
        "checkpoint versions": evidence.checkpoints or None,
        "step lines": next((True for attempt in evidence.attempts if attempt.steps), None),
    }
    return [name for name, seen in watched.items() if seen is None]


def _shown(runs: Sequence[Run]) -> list[Run | None]:
    """The first and the last attempts, None for those between them."""
    if len(runs) <= MOST_ATTEMPTS:
        return list(runs)
    return [*runs[: MOST_ATTEMPTS // 2], None, *runs[-MOST_ATTEMPTS // 2 :]]
