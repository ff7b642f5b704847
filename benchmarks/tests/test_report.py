"""The page says what the results say, and draws no label over another."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.contestants import CLIENTS, CONTESTANTS, Variant
from benchmarks.report import write_page
from benchmarks.report.bars import Line, draw_bars
from benchmarks.results import Measured, Results, drift, ratios
from benchmarks.scale import SCALES
from benchmarks.words import about, doubts, first_line, further_lines, stamp
from harness.tests.test_report_in_browser import OVERLAPS, opened

QUIET: dict[str, Any] = {"scale": "full", "cores": 2, "load": {"before": 0.1}, "versions": {"orjson": "3"}}
RATES = {"kafka-python": 41_000.0, "confluent": 120_000.0}


def results_of(rates: dict[str, float] = RATES, machine: dict[str, Any] = QUIET, *, seed: int = 1) -> Results:
    """Return a whole run in which each client has its rate, with some percent of noise around it."""
    random, scale = Random(seed), SCALES["full"]
    found = []
    for one in CONTESTANTS:
        made = one.made(scale)
        rate = rates.get(str(one.settings().get("client", "confluent")), 0)
        # The middle of three is exact, so that the words can be.
        seconds = [made.rows / rate * factor for factor in (0.9, 1.0, 1 + random.random() / 10)] if rate else []
        if seconds:
            rounds = tuple({"cpu_s": 3.0, "commit_ms": 200.0, "commits": 20} for _ in seconds)
            found.append(
                Measured(
                    "end to end", one.name, tuple(seconds), made.rows, made.size_bytes, one.role, one.settings(), rounds
                )
            )
    for client in CLIENTS:
        for percent in (1, 50, 99):
            steps = {"claimed_s": 0.6, "fenced_s": 0.8, "resumed_s": 0.9, "committed_s": 1.2}
            name = f"{client} after a crash at {percent} %"
            settings = {"client": client, "percent": percent}
            found.append(Measured("resume", name, (1.2, 1.3), 1, 10**9, "", settings, (steps, steps)))
        for size_bytes, seconds_s in ((10**8, 5.0), (10**10, 600.0)):
            settings = {"client": client, "size_bytes": size_bytes}
            rounds = ({"peak_memory_bytes": 2 * 10**8},)
            name = f"{client} {size_bytes}"
            found.append(Measured("size", name, (seconds_s,), size_bytes // 1000, size_bytes, "", settings, rounds))
        settings, rounds = {"client": client}, ({"peak_memory_bytes": 2 * 10**8},)
        found.append(Measured("verify", f"verify: {client} 10 rows", (30.0,), 10**7, 10**9, "", settings, rounds))
    found.append(Measured("one commit", "one commit: confluent of 1 rows", (0.004, 0.005, 0.03)))
    return Results({one.name: one for one in found}, machine, "0" * 40, "2026-01-01T00:00:00")


def without(results: Results, *names: str) -> Results:
    return replace(results, benchmarks={name: one for name, one in results.benchmarks.items() if name not in names})


MET = "met 2.4 times over by confluent (120,000)"


@pytest.mark.parametrize(
    ("rates", "word", "line"),
    [
        ((41_000, 120_000), "met", f"{MET}, reached by kafka-python (41,000, 4.1 times the lower end) (exactly-once"),
        ((9_000, 50_000), "partly", "met 1.0 times over by confluent (50,000), missed by kafka-python (9,000)"),
        ((9_000, 9_500), "missed", "missed by confluent (9,500), missed by kafka-python (9,000)"),
        ((0, 120_000), "not measured", f"{MET} ("),
        ((0, 0), "not measured", "not measured in this run"),
    ],
)
def test_the_first_line_says_how_the_target_stands(rates: tuple[float, ...], word: str, line: str) -> None:
    results = results_of(dict(zip(RATES, rates, strict=True)))
    assert stamp(results) == word
    assert first_line(results).startswith(f"10,000 to 50,000 records/s: {line}")


def test_further_lines_tell_the_limit_crashes_memory_verify_and_the_rate_at_the_largest() -> None:
    lines = "\n".join(further_lines(results_of()))
    assert "times the rows of librdkafka alone lz4 100 B in the same rounds" in lines
    assert "After a crash kafka-python has its first new row committed 1.2 s at 1 %, 1.2 s at 50 %" in lines
    assert "confluent takes at most 200 MB for an object of 100 MB, 200 MB for an object of 10,000 MB." in lines
    assert "To verify 10,000,000 rows takes confluent 30.0 s and 200 MB." in lines
    assert "The rate of confluent at 10,000 MB is 0.83 times that at 100 MB." in lines


def test_peers_are_held_against_the_faster_client_round_by_round() -> None:
    results = results_of()
    ours = results.benchmarks[Variant("confluent").name]
    peer = Measured("end to end", "peer", tuple(second / 2 for second in ours.seconds), ours.rows, 1, "peer")
    lines = list(further_lines(replace(results, benchmarks={**results.benchmarks, "peer": peer})))
    assert (
        "confluent with default settings moves 0.50 times the rows of peer in the same rounds (0.50 to 0.50)." in lines
    )
    assert ratios(ours, peer) == pytest.approx([0.5] * 3)


def test_a_quiet_full_run_leaves_no_doubt_and_others_do() -> None:
    def level(one: Measured) -> Measured:
        return replace(one, seconds=one.seconds[:1] * len(one.seconds))

    quiet = results_of()
    quiet = replace(quiet, benchmarks={name: level(one) for name, one in quiet.benchmarks.items()})
    assert list(doubts(quiet)) == []
    assert "few rounds" in next(doubts(replace(quiet, machine={**QUIET, "scale": "quick"})))
    assert "load was 3.0 on 2 cores" in next(doubts(replace(quiet, machine={**QUIET, "load": {"before": 3.0}})))


def test_drift_tells_a_broker_that_still_warms_up() -> None:
    def warming(one: Measured) -> Measured:
        return replace(one, seconds=(2.0, 1.5, 1.0)) if one.figure == "end to end" else one

    results = results_of()
    results = replace(results, benchmarks={name: warming(one) for name, one in results.benchmarks.items()})
    assert drift(results) == 2.0
    assert "2.00 times as fast" in "".join(doubts(results))


def test_numbers_keep_three_digits() -> None:
    assert [about(n) for n in (0, 0.01234, 1.5, 12.345, 999.7, 41_234, 1_234_567)] == [
        "0", "0.0123", "1.50", "12.3", "1,000", "41,200", "1,230,000",
    ]  # fmt: skip


def test_a_bar_is_the_median_and_its_axis_starts_at_zero() -> None:
    drawn = draw_bars("rates", [Line("a", (10.0, 20.0, 40.0), "working", "20")], unit="", marks=(20.0, 99.0))
    assert drawn is not None
    (bar,) = drawn.bars
    assert bar.width == (drawn.end - drawn.start) / 2
    assert bar.dots[-1] == drawn.end
    assert [mark.label for mark in drawn.marks] == ["20"]
    assert drawn.axis[0].px == drawn.start
    assert draw_bars("nothing", [], unit="") is None


def test_the_page_has_every_contestant_and_stands_alone(tmp_path: Path) -> None:
    html = write_page(results_of(), tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    assert html.count('<svg class="drawing"') == 4
    assert "at-least-once" in html
    assert "missing from this page" not in html
    assert not re.search(r"<script|https?://", html)


def test_the_page_of_a_run_in_which_much_is_missing_says_so(tmp_path: Path) -> None:
    few = without(results_of({}), *(name for name in results_of({}).benchmarks if "confluent" in name))
    html = write_page(few, tmp_path / "report.html", failed=True).read_text(encoding="utf-8")
    assert "missing from this page" in html
    assert "not measured" in html


OUTSIDE = """<script>
for (const drawing of document.querySelectorAll("svg.drawing")) {
  const whole = drawing.getBoundingClientRect();
  for (const text of drawing.querySelectorAll("text")) {
    const box = text.getBoundingClientRect();
    if (box.left < whole.left || box.right > whole.right) document.title += " outside: " + text.textContent;
  }
}
</script></body>"""


@pytest.mark.parametrize("width", [1280, 500])
def test_no_label_is_drawn_over_another_or_beyond_the_edge(width: int, tmp_path: Path) -> None:
    html = write_page(results_of(), tmp_path / "report.html").read_text(encoding="utf-8")
    html = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", OVERLAPS).replace("</body>", OUTSIDE)
    (tmp_path / "measured.html").write_text(html, encoding="utf-8")
    laid_out, _ = opened(tmp_path / "measured.html", width=width)
    assert re.findall(r"<title>(overlaps: .*?)</title>", laid_out) == ["overlaps: []"]


def test_the_browser_logs_nothing(tmp_path: Path) -> None:
    write_page(results_of(), tmp_path / "report.html")
    assert opened(tmp_path / "report.html")[1] == []
