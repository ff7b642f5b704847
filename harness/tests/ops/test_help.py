"""What a person reads at the terminal: help that fits on it, completion that works, a start that costs no more."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

from harness.plugin import not_run
from processor.__main__ import COMMANDS, main
from processor.settings import SETTINGS

COLUMNS = 80


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_with_examples_and_exit_codes_in_80_columns(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(command, capsys=capsys)
    assert max(map(len, said.splitlines())) <= COLUMNS
    assert f"examples:\n  csv-to-kafka {command}" in said
    assert command == "completion" or "\nexit codes: 0" in said
    assert len(said.split("\n\n")[1]) > 100


def test_help_of_run_names_every_flag_with_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(help_of("run", capsys=capsys).split())
    for setting in SETTINGS:
        assert f"{setting.flag} " in said
        assert f"${setting.variable}" in said


@pytest.mark.parametrize("command", ["status", "verify", "reset"])
def test_what_only_concerns_sending_is_no_flag_of_other_commands(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(command, capsys=capsys)
    assert "--checkpoint-table" in said
    for flag in (
        "--compression",
        "--max-rows-per-s",
        "--max-bytes-per-s",
        "--metrics",
        "--log-level",
        "--spot-notice",
    ):
        assert flag not in said


def test_status_looks_at_no_row_and_has_no_flag_that_says_what_one_is(capsys: pytest.CaptureFixture[str]) -> None:
    about_rows = ("--format", "--delimiter", "--quote", "--escape", "--comment", "--encoding", "--columns")
    of_status, of_verify = (help_of(command, capsys=capsys) for command in ("status", "verify"))
    for flag in about_rows:
        assert flag not in of_status
        assert f"{flag} " in of_verify


def test_the_first_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_of(capsys=capsys)
    assert max(map(len, said.splitlines())) <= COLUMNS
    assert all(re.search(rf"^    {command}\b", said, re.MULTILINE) for command in COMMANDS)


def completed_in_bash(script: str, *words: str) -> set[str]:
    """Return what bash offers for the last of these words."""
    asked = f"""
        {script}
        COMP_WORDS=({" ".join(words)} {"''" if len(words) == 1 else ""}); COMP_CWORD={len(words) - 1}
        COMP_LINE="{" ".join(words)}"; COMP_POINT=${{#COMP_LINE}}
        function=$(complete -p csv-to-kafka | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    run = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, timeout=30)
    return {word.strip() for word in run.stdout.splitlines()}


def test_bash_completes_commands_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec("shtab") is None:
        not_run("completion", what="the completion script", why="shtab is not installed")
    if shutil.which("bash") is None:
        not_run("completion", what="the completion script", why="there is no bash")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed_in_bash(script, "csv-to-kafka", "re") == {"reset"}
    assert completed_in_bash(script, "csv-to-kafka", "reset", "--to-") == {"--to-row"}
    assert {"--topic", "--transaction-timeout-ms"} <= completed_in_bash(script, "csv-to-kafka", "run", "--t")
    assert completed_in_bash(script, "csv-to-kafka", "status", "--comp") == {""}


def test_without_shtab_completion_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'csv-to-kafka[completion]'" in capsys.readouterr().err


def test_a_run_loads_nothing_of_the_other_commands() -> None:
    """By way of a missing setting, which ends a run after everything that it needs for it was loaded."""
    code = (
        "import sys; from processor.__main__ import main; assert main(['run']) == 2;"
        "print(sorted(name for name in sys.modules if name.startswith(('processor.ops', 'shtab', 'boto'))))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CSV_SOURCE"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert run.stdout.strip() == "[]"
