"""The page about a run: what must be on it, that nothing of the evidence breaks out of it, how large it may be."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.checker import CHECKS, Validity, judge
from harness.checks.case import open_case
from harness.history import Attempt, CheckpointVersion, Evidence, GroupOffset, Step, Strike
from harness.report import write_report
from harness.report.coverage import measure_coverage
from harness.report.partition import MOST_BINS, draw_partition
from harness.report.runs import lay_out
from harness.report.timeline import MOST_BARS, draw_timeline
from harness.tests.planted_run import clean_run, compared_only, step
from harness.tests.report_runs import RUNS, damaged, struck, unclocked

MOST_BYTES = 1_500_000
HOSTILE = '</title><script>alert(1)</script><img src="http://evil.example/x">\u202e\x00\ud800&amp;'


class Page(HTMLParser):
    """The tags, the addresses and the text of a page, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._open = tag
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]

    def handle_data(self, data: str) -> None:
        if self._open != "style":
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def written(
    evidence: Evidence, folder: Path, *, replay: str = "python -m chaos run --seed 1", title: str = "a run"
) -> str:
    path = write_report(evidence, judge(evidence), folder / "report.html", title=title, replay=replay)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_page_says_the_verdict_before_anything_else_and_the_replay_command(name: str, tmp_path: Path) -> None:
    evidence = RUNS[name]()
    text = Page(written(evidence, tmp_path, replay="chaos run --seed 7 -- 'a & b'")).text
    verdict = f"{judge(evidence).validity.value}: a run"
    places = [text.index(said) for said in (verdict, "chaos run --seed 7 -- 'a & b'", "Timeline of attempts")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", RUNS)
def test_page_holds_the_text_of_every_finding_and_doubt(name: str, tmp_path: Path) -> None:
    evidence = RUNS[name]()
    verdict = judge(evidence)
    text = Page(written(evidence, tmp_path)).text
    assert [str(found) for found in verdict.anomalies if str(found) not in text] == []
    assert [doubt for doubt in verdict.doubts if doubt not in text] == []
    assert [kind.__name__ for kind in CHECKS if kind.__name__ not in text] == []


def test_runs_of_this_file_have_every_validity_and_most_anomalies() -> None:
    verdicts = [judge(make()) for make in RUNS.values()]
    assert {verdict.validity for verdict in verdicts} == set(Validity)
    assert len(frozenset().union(*(verdict.names for verdict in verdicts))) >= 9


@pytest.mark.parametrize("name", RUNS)
def test_page_asks_for_nothing_and_runs_nothing(name: str, tmp_path: Path) -> None:
    html = written(RUNS[name](), tmp_path)
    page = Page(html)
    assert {address for address in page.addresses if not address.startswith("#")} == {"data:,"}
    assert page.tags.isdisjoint({"script", "iframe", "object", "embed", "base", "form", "img", "image", "use"})
    assert re.search(r"url\(|@import|\son[a-z]+=|https?://", html) is None


def test_nothing_of_the_evidence_breaks_out_of_its_place(tmp_path: Path) -> None:
    run = struck()
    lines = (Step({"step": HOSTILE, "ts": 1.0}), Step({"step": "failed", "error": HOSTILE, "ts": 2.0}))
    bad = replace(
        run,
        position=GroupOffset(6000, HOSTILE),
        checkpoints=(*run.checkpoints, CheckpointVersion(99, {"status": HOSTILE, "error": HOSTILE})),
        attempts=(*run.attempts, Attempt(6, 70, None, lines)),
        strikes=(*run.strikes, Strike(HOSTILE, HOSTILE, landed=True, attempt=6)),
    )
    html = written(bad, tmp_path, replay=HOSTILE, title=HOSTILE)
    page = Page(html)
    assert "script" not in page.tags and "img" not in page.tags
    assert all(character.isprintable() or character == "\n" for character in html)
    assert page.text.count("</title><script>alert(1)</script>") >= 6
    assert r"\u202e\x00\ud800&amp;" in page.text


@pytest.mark.parametrize("name", RUNS)
def test_every_offset_of_the_partition_is_counted_in_one_lane(name: str) -> None:
    evidence = RUNS[name]()
    strip = draw_partition(open_case(evidence))
    if strip is None:
        assert name == "nothing"
        return
    absent_or_doubled = {"Lost", "Truncated", "AbortedRead", "TornTransaction"}
    counted = sum(lane.count for lane in strip.lanes if lane.name not in absent_or_doubled)
    assert counted == strip.end - strip.first


def test_one_duplicate_among_a_million_records_can_be_seen(tmp_path: Path) -> None:
    rows = tuple(b"%d" % row for row in range(1_000_000))
    evidence = compared_only(rows, [*rows[:400_001], *rows[400_000:]])
    strip = draw_partition(open_case(evidence))
    assert strip is not None
    (duplicate,) = [lane for lane in strip.lanes if lane.bad]
    assert (duplicate.name, duplicate.count, len(duplicate.stretches)) == ("Duplicate", 1, 1)
    assert duplicate.stretches[0].width >= 2
    assert "bad" in {tone for tone, _ in strip.overview}
    assert len(written(evidence, tmp_path)) < MOST_BYTES


def test_partition_torn_to_pieces_is_still_a_small_page(tmp_path: Path) -> None:
    rows = tuple(b"%d" % row for row in range(20_000))
    doubled = [value for pair in zip(rows, rows, strict=True) for value in pair]
    strip = draw_partition(open_case(compared_only(rows, doubled)))
    assert strip is not None
    assert all(len(lane.stretches) <= MOST_BINS for lane in strip.lanes)
    assert len(written(compared_only(rows, doubled), tmp_path)) < MOST_BYTES


def test_more_attempts_than_bars_are_counted_and_none_is_forgotten(tmp_path: Path) -> None:
    evidence = RUNS["many"]()
    timeline = draw_timeline(lay_out(evidence), rows=6000)
    assert len(evidence.attempts) > MOST_BARS
    assert not timeline.bars
    assert {count.label: count.total for count in timeline.counts}["killed"] == 60
    assert "31 attempts are not listed here" in Page(written(evidence, tmp_path)).text


def test_lines_without_a_clock_are_drawn_in_their_order_and_the_page_says_so(tmp_path: Path) -> None:
    assert "no clock" in Page(written(unclocked(struck()), tmp_path)).text
    assert "no clock" not in Page(written(struck(), tmp_path)).text


def test_kill_is_placed_by_the_line_before_it_and_a_survived_strike_nowhere() -> None:
    lines = (step("claimed"), step("fenced"), step("resumed", row=0), step("sent", row=4, rows=4))
    killed, survived = Attempt(1, None, 9, lines), Attempt(2, 0, None, (*lines, step("done", row=4)))
    strikes = (Strike("K", "k", landed=True, attempt=1, rows_in_flight=4), Strike("B", "b", landed=True, attempt=2))
    measured = measure_coverage(replace(clean_run(), attempts=(killed, survived), strikes=strikes))
    assert {phase.name: phase.strikes for phase in measured.phases if phase.strikes} == {
        "sent, not yet committed": 1,
        "not known": 1,
    }
    assert (measured.unsaved, measured.landed) == (1, 2)
    assert {"rebuilt", "retrying", "committed"} <= set(measured.never_met)
    assert measured.never_struck == ("claimed", "fenced", "resumed", "done")


def test_saved_folder_gives_the_same_page(tmp_path: Path) -> None:
    evidence = damaged()
    evidence.save(tmp_path)
    page = written(evidence, tmp_path)
    assert written(Evidence.load(tmp_path), tmp_path) == page
    assert f"harness report {tmp_path.name}" in Page(page).text
