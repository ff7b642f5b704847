"""Every command of the README's section for the person on call, and of docs/, run in its order on a real broker."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.plugin import not_run
from harness.target import Target
from harness.world import World
from processor.ops.status import Report

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[3]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("### For the person on call\n")[1].split("\n### ")[0]
# Each with the commands that must be among its own.
PAGES = {
    "README.md": (SECTION, {"status", "verify", "run", "reset", "completion"}),
    "docs/operations.md": (
        (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"),
        {"status", "verify", "run", "reset"},
    ),
    "docs/security.md": ((ROOT / "docs" / "security.md").read_text(encoding="utf-8"), {"run"}),
}
PROCESSOR = (sys.executable, "-m", "processor")
ROWS = 30_000


@dataclass(frozen=True)
class Shown:
    """A command of a page, and what it is shown to print."""

    words: tuple[str, ...]
    output: tuple[str, ...]


def shown(page: str) -> list[Shown]:
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    found: list[Shown] = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.splitlines()
            name, *words = command.split()
            assert name == "csv-to-kafka"
            found.append(Shown(tuple(words), tuple(output)))
    return found


def shape(line: str) -> str:
    """What of a line does not depend on the day: its words, without numbers, names and units of time."""
    line = re.sub(r"s3://\S+", "URL", line)
    line = re.sub(r"\b[\w.]+-[0-9a-f]{8}\b", "JOB", line)
    line = re.sub(r"[\d,.]*\d( d| h| min| s)?\b", "#", line)
    return re.sub(r"#( #)+ ago", "# ago", " ".join(line.split()))


@pytest.mark.timeout(400)  # twelve processes, one after the other
@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.strike] * ("docs" in page)) for page in PAGES])
def test_every_command_for_the_person_on_call_prints_what_the_page_shows(world: World, page: str) -> None:
    topic = world.create_topic()
    csv = b"id,name,text\n" + b"".join(b"%d,name %d,some text of row %d\n" % (i, i, i) for i in range(ROWS))
    environment = world.environment(topic=topic, source=world.upload("big.csv", csv))
    first = Target([*PROCESSOR, "run", "--checkpoint-interval", "100"], environment)
    first.await_step(lambda step: step.name == "saved" and (step.next_row or 0) >= 9_200, within_s=60, what="rows")
    first.signal(signal.SIGTERM)
    assert first.wait(within_s=60).exit_code == 143, "the run was over before it was stopped"
    commands = shown(PAGES[page][0])
    assert {command.words[0] for command in commands} == PAGES[page][1]
    for command in commands:
        if command.words[0] == "completion" and importlib.util.find_spec("shtab") is None:
            not_run("completion", what="the completion script", why="shtab is not installed")
        done = subprocess.run(
            [*PROCESSOR, *command.words],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stderr) == (0, ""), command
        printed = [line for line in done.stdout.splitlines() if '"step"' not in line]
        if command.words[-1] == "--json":
            check_fields(json.loads(printed[0]))
        elif command.output:
            assert list(map(shape, printed)) == list(map(shape, command.output)), command


def check_fields(printed: dict[str, object]) -> None:
    documented = SECTION.split("`--json` prints")[1].split("\n\n")[0]
    assert list(printed) == list(Report.__dataclass_fields__)
    assert [name for name in re.findall(r"`(\w+)`", documented) if name in printed] == list(printed)
