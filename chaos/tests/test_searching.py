"""Stories on fakes: what Hypothesis chooses and what is drawn in bulk goes well, and planted bugs do not escape."""

from __future__ import annotations

import pytest

from chaos.mutants import find
from chaos.searching import telling
from chaos.searching.__main__ import main
from chaos.searching.bulk import tell_in_bulk
from chaos.searching.machine import search
from chaos.searching.story import Setting, Story
from chaos.searching.telling import shorten, tell
from harness.anomaly import Vacuous
from harness.checker import Finding, Validity, Verdict, judge
from harness.history import Evidence

SEED = 20261123
LINE = "rows=3 interval=1 csv=0 lag=no exactly-once:"
SHRUNK_PARTS = 4


def test_stories_that_hypothesis_chooses_go_well() -> None:
    searched = search(stories=400, parts=25, seed=SEED)
    print(searched)
    assert searched.shortest is None, searched
    assert searched.stories >= 400
    assert searched.parts > 4000


def test_stories_in_bulk_go_well_and_raise_no_false_alarm() -> None:
    bulk = tell_in_bulk(3000, seed=SEED)
    print(bulk)
    assert not bulk.wrong, bulk.wrong[0]
    assert not bulk.false_alarms, bulk.false_alarms[0]
    assert bulk.runs > 6000
    assert min(bulk.met.values()) > 50, bulk.met  # each kind of trouble was met, and often


@pytest.mark.slow
@pytest.mark.timeout(7200)
class TestAtLength:
    def test_stories_that_hypothesis_chooses_go_well(self) -> None:
        searched = search(stories=20_000, parts=40, seed=SEED)
        print(searched)
        assert searched.shortest is None, searched

    def test_stories_in_bulk_go_well_and_raise_no_false_alarm(self) -> None:
        bulk = tell_in_bulk(100_000, seed=SEED)
        print(bulk)
        assert not bulk.wrong, bulk.wrong[0]
        assert not bulk.false_alarms, bulk.false_alarms[0]


class TestPlantedBugs:
    @pytest.mark.parametrize(
        "name",
        [
            "saves-before-the-commit",
            "commits-the-position-later",
            "rebuilds-from-uncommitted-records",
            "starts-anew-without-a-checkpoint",
            "makes-a-lost-checkpoint-anew-by-two-writes",
        ],
    )
    def test_hypothesis_finds_each_and_what_is_left_is_short_and_shows_it_again(self, name: str) -> None:
        with find(name).planted():
            searched = search(stories=500, parts=25, seed=SEED)
            print(f"{name}: {searched}")
            assert searched.shortest is not None
            assert tell(searched.shortest) is not None
        assert tell(searched.shortest) is None, "the sound processor fails there too"
        assert len(Story.parse(searched.shortest)[1]) <= SHRUNK_PARTS

    @pytest.mark.parametrize("name", ["reads-the-position-before-fencing", "takes-a-failed-commit-for-undone"])
    def test_stories_in_bulk_go_wrong(self, name: str) -> None:
        with find(name).planted():
            bulk = tell_in_bulk(100, seed=1)
        assert bulk.wrong


class TestTheJudgeOfTheJudge:
    def test_an_alarm_over_a_story_that_went_well_is_counted_as_false(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(telling, "judge", alarmed)
        bulk = tell_in_bulk(20, seed=1)
        assert len(bulk.false_alarms) == 20
        assert "replay: python -m chaos.searching --replay 'rows=" in bulk.false_alarms[0]
        assert not bulk.wrong

    def test_silence_over_a_story_that_went_wrong_is_no_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(telling, "judge", content)
        with find("sends-a-batch-twice").planted():
            assert tell(f"{LINE} run") is not None

    def test_repeated_rows_are_due_in_at_least_once_where_there_are_more_records_and_only_there(self) -> None:
        line = "rows=3 interval=1 csv=0 lag=no at-least-once:"
        assert tell(f"{line} checkpoints.save:1 crashes before; run") is None
        assert tell(f"{line} run") is None
        with find("saves-before-the-send").planted():
            assert tell(f"{line} sink.send:2 crashes before; run") is not None


class TestAStory:
    @pytest.mark.parametrize(
        "line",
        [
            f"{LINE} ",
            f"{LINE} sink.commit:2 crashes at 1; position-expires before sink.fence:1; run; checkpoint-lost; run",
            "rows=0 interval=10000 csv=17 lag=yes at-least-once: table.update_item:3 fails late 7; run",
        ],
    )
    def test_is_one_line_and_back_and_plays_the_same_again(self, line: str) -> None:
        stories = [played(line) for _ in range(2)]
        assert [str(story) for story in stories] == [line, line]
        assert stories[0].evidence() == stories[1].evidence()

    @pytest.mark.parametrize(
        "part", ["walk", "sink.commit:0 crashes before", "sink.commit:1 sleeps", "run before x:1 y"]
    )
    def test_with_a_part_that_is_none_is_refused(self, part: str) -> None:
        with pytest.raises(ValueError, match=r"no part|calls count"):
            Story(Setting()).play(part)

    def test_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="not a story"):
            Story.parse("rows=1: run")

    def test_counts_calls_from_the_part_on(self) -> None:
        story = played(f"{LINE} run; sink.describe:1 crashes before; run")
        assert [run.signal for run in story.job.attempts] == [None, 9]

    @pytest.mark.parametrize(
        ("parts", "code"),
        [
            ("sink.send:2 crashes before; run; object-replaced", 3),
            ("sink.send:2 crashes before; run; position-put-back", 6),
            ("sink.send:2 crashes before; run; position-put-back; object-replaced", 3),
            ("sink.send:1 crashes before; run; object-replaced", 0),  # no row is committed: nothing happens
            ("sink.send:2 crashes before; run; checkpoint-lost; position-expires", 0),  # not both
        ],
    )
    def test_has_to_end_by_the_refusal_that_is_due(self, parts: str, code: int) -> None:
        assert played(f"{LINE} {parts}").due_exit == code
        assert tell(f"{LINE} {parts}") is None

    def test_that_ends_well_where_a_refusal_is_due_is_wrong(self) -> None:
        with find("resumes-in-another-object").planted():
            wrong = tell(f"{LINE} sink.send:2 crashes before; run; object-replaced")
        assert wrong is not None


def test_shortening_takes_out_what_a_story_fails_without() -> None:
    long = (
        "rows=5 interval=2 csv=7 lag=yes exactly-once: transactions-time-out; sink.describe:5 fails before;"
        " sink.commit:3 crashes after; second-run; markers-arrive; run"
    )
    with find("commits-the-position-later").planted():
        assert tell(long) is not None
        assert shorten(long) == "rows=1 interval=1 csv=0 lag=no exactly-once: sink.commit:1 crashes after; run"


class TestTheCommand:
    def test_a_replay_of_a_story_that_goes_well_ends_with_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--replay", f"{LINE} run"]) == 0
        assert capsys.readouterr().out == "nothing is wrong\n"

    def test_a_bulk_tells_its_seed_and_ends_with_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--bulk", "20", "--seed", "7"]) == 0
        assert "seed 7: 20 stories" in capsys.readouterr().out

    def test_a_bulk_that_goes_wrong_ends_with_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--bulk", "20", "--seed", "7", "--mutant", "sends-a-batch-twice"]) == 1
        assert "went wrong: " in capsys.readouterr().out

    def test_a_search_prints_the_shortest_story_and_ends_with_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--stories", "20", "--seed", "7", "--mutant", "sends-a-batch-twice"]) == 1
        said = capsys.readouterr().out
        assert "shrunk:" in said
        assert "replay: python -m chaos.searching --replay 'rows=1 interval=1 csv=0 lag=no exactly-once: '" in said


def played(line: str) -> Story:
    setting, parts = Story.parse(line)
    story = Story(setting)
    for part in parts:
        story.play(part)
    return story


def alarmed(evidence: Evidence) -> Verdict:
    alarm = Vacuous("planted", "an alarm over nothing")
    verdict = judge(evidence)
    return Verdict(Validity.INVALID, (Finding("Vacuous", 1, (alarm,)),), (), verdict.rows, verdict.records)


def content(evidence: Evidence) -> Verdict:
    verdict = judge(evidence)
    return Verdict(Validity.VALID, (), (), verdict.rows, verdict.records)
