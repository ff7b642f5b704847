"""Every bug that was found stays away, and what would show it again still convicts the old behaviour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chaos.mutants.registry import planted
from chaos.track_record import BUGS, ByTest, Interleaved, NotRun, OnFakes, Told, readme_table
from chaos.track_record import __main__ as command

ROOT = Path(__file__).resolve().parents[2]
ON_FAKES = [pytest.param(shown, id=bug.name) for bug in BUGS for shown in bug.shown_by if not isinstance(shown, ByTest)]
TESTS = sorted({shown.test_id for bug in BUGS for shown in bug.shown_by if isinstance(shown, ByTest)})


@pytest.mark.parametrize("shown", ON_FAKES)
def test_bug_stays_away(shown: OnFakes | Interleaved | Told) -> None:
    assert shown.symptom() is None


@pytest.mark.parametrize("shown", ON_FAKES)
def test_schedule_convicts_the_old_behaviour(shown: OnFakes | Interleaved | Told) -> None:
    with planted(shown.old):
        assert shown.symptom() is not None


def test_every_test_that_the_record_names_is_there() -> None:
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *TESTS]
    ended = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_names_are_unique_and_each_bug_is_shown_by_something() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    assert all(bug.shown_by for bug in BUGS)


def test_table_of_the_readme_is_the_one_that_the_record_makes() -> None:
    assert readme_table() in (ROOT / "chaos" / "README.md").read_text(encoding="utf-8")


class TestTheCommand:
    def test_a_bug_that_stays_away_is_one_line_and_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["lost-row-behind-one-marker"]) == 0
        said = capsys.readouterr().out
        assert said == "lost-row-behind-one-marker: stayed away\n1 bugs, 0 came back, 0 not run\n"

    def test_a_bug_that_is_back_is_told_with_its_replay_and_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown = next(bug for bug in BUGS if bug.name == "topic-made-anew-under-a-run").shown_by[0]
        assert isinstance(shown, OnFakes)
        with planted(shown.old):
            assert command.main(["topic-made-anew-under-a-run"]) == 1
        said = capsys.readouterr().out
        assert "topic-made-anew-under-a-run: CAME BACK" in said
        assert "replay: python -m chaos.track_record topic-made-anew-under-a-run" in said

    def test_an_unknown_name_is_refused(self) -> None:
        with pytest.raises(SystemExit) as refused:
            command.main(["no-such-bug"])
        assert refused.value.code == 2


class TestByTest:
    @pytest.fixture
    def written(self, tmp_path: Path) -> Path:
        path = tmp_path / "test_written.py"
        path.write_text("import pytest\ndef test_passes(): pass\ndef test_fails(): assert False, 'as it did once'\n")
        return path

    def test_one_that_passes_is_no_symptom(self, written: Path) -> None:
        assert ByTest(str(written), "test_passes").symptom() is None

    def test_one_that_fails_is_the_symptom(self, written: Path) -> None:
        symptom = ByTest(str(written), "test_fails").symptom()
        assert symptom is not None
        assert "as it did once" in symptom

    def test_one_that_cannot_run_did_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BROKER", "external")
        monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        monkeypatch.delenv("REQUIRE", raising=False)
        test = ByTest("chaos/tests/test_kills.py", "test_a_job_may_change_its_client_between_two_attempts")
        with pytest.raises(NotRun, match="NOT RUN: tests on a external broker"):
            test.symptom()
