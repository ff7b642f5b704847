"""The workflows run sessions that there are, and all that .ci/run does."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = set(
    re.findall(r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE)
)


def of_ci_run() -> set[str]:
    lines = re.findall(r"noxfile\.py -s ([a-z ]+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    return {name for line in lines for name in line.split()}


def of_workflow(name: str) -> set[str]:
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    listed = re.findall(r"^ {10}- ([a-z ]+)", text, re.MULTILINE) + re.findall(r"noxfile\.py -s ([a-z]+)", text)
    listed += [line.replace(",", " ") for line in re.findall(r"session: \[([a-z, ]+)\]", text)]
    return {session for line in listed for session in line.split()}


def test_every_session_that_ci_runs_is_there() -> None:
    assert of_ci_run() | of_workflow("ci.yml") | of_workflow("soak.yml") <= SESSIONS


def test_the_workflow_runs_what_ci_run_does() -> None:
    assert of_workflow("ci.yml") == of_ci_run()
    assert of_workflow("soak.yml") == {"soak", "slow", "cluster", "secure", "older"}
