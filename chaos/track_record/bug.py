"""A bug that was found, and what shows it again."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from chaos.interleave.replay import replay
from chaos.interleave.schedule import Schedule
from chaos.mutants import find
from chaos.mutants.registry import Change
from chaos.mutants.trials import StrikeMissed, Trial
from chaos.searching.telling import tell
from harness.checker import Validity, judge

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 15


class NotRun(Exception):
    """What would show the bug again cannot run on this machine."""


@dataclass(frozen=True, slots=True)
class OnFakes:
    """A job on fakes: how each of its runs has to end, in the order of their starts, and what the judge has to find.

    `exits` holds None for a run that is killed. `finds` names what the strike itself leaves behind; empty, the verdict
    has to be valid. `old` puts the old behaviour back.
    """

    trial: Trial
    exits: tuple[int | None, ...]
    old: Mapping[str, Change] = field(repr=False)
    finds: frozenset[str] = frozenset()

    def symptom(self) -> str | None:
        """Play the job; return how the bug shows, None where it does not. Raises StrikeMissed."""
        evidence = self.trial.perform()
        exits = tuple(run.exit_code for run in sorted(evidence.attempts, key=lambda run: run.number))
        if exits != self.exits:
            return f"the runs ended with {exits}, not with {self.exits}"
        verdict = judge(evidence)
        if verdict.names != self.finds or (not self.finds and verdict.validity is not Validity.VALID):
            return verdict.summary
        return None

    def __str__(self) -> str:
        return f"on fakes, {self.trial.delivery}, {self.trial.interval_rows} rows a transaction: {self.trial.strike}"


def convicted(mutant: str, *exits: int | None) -> OnFakes:
    """Return the trial of a registered mutant, which is the old behaviour."""
    return OnFakes(find(mutant).trial, exits, find(mutant).changes)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Two runs whose calls come in this order; see `chaos.interleave.schedule`."""

    line: str
    old: Mapping[str, Change] = field(repr=False)

    def symptom(self) -> str | None:
        """Play the schedule with live runs; return which rule does not hold, None where all do."""
        return replay(Schedule.parse(self.line)).wrong

    def __str__(self) -> str:
        return f'`python -m chaos.interleave --replay "{self.line}"`'


@dataclass(frozen=True, slots=True)
class Told:
    """A story that a search found and shrank; see `chaos.searching.story`."""

    line: str
    old: Mapping[str, Change] = field(repr=False)

    def symptom(self) -> str | None:
        """Tell the story; return what is wrong in it, None where nothing is."""
        return tell(self.line)

    def __str__(self) -> str:
        return f'`python -m chaos.searching --replay "{self.line}"`'


@dataclass(frozen=True, slots=True)
class ByTest:
    """A test, with all its parameters where none is named: what no fake can show, an adapter or a vendor did it."""

    path: str
    name: str

    @property
    def test_id(self) -> str:
        """The test as pytest names it from the root."""
        return f"{self.path}::{self.name}"

    def symptom(self) -> str | None:
        """Run it in a process of its own; return the last lines where it fails. Raises NotRun."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", self.test_id]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        last_lines = "\n".join((ended.stdout + ended.stderr).rstrip().splitlines()[-LAST_LINES:])
        if ended.returncode:
            return last_lines
        if missing := re.findall(r"^NOT RUN: .*", ended.stdout, re.MULTILINE):
            raise NotRun(missing[0])
        return None

    def __str__(self) -> str:
        return f"`{self.test_id}`"


Shown: TypeAlias = OnFakes | Interleaved | Told | ByTest


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: what it did, what found it, and what shows it again should it come back."""

    name: str
    what: str
    found_by: str
    shown_by: tuple[Shown, ...]

    def symptom(self) -> str | None:
        """Replay everything that shows it; return the first symptom, None where it stayed away. Raises NotRun."""
        for shown in self.shown_by:
            try:
                symptom = shown.symptom()
            except StrikeMissed as missed:  # the processor went another way: nobody knows whether the bug is back
                symptom = f"the strike missed: {missed}"
            if symptom is not None:
                return symptom
        return None
