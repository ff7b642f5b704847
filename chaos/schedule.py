"""What strikes when: plans drawn from a seed; pure.

A plan travels to the victim as text, so that one variable replays it: `row:1234` kills in mid-batch, when the
records up to row 1234 have reached the broker; `step:sent:2` kills just after the second `sent`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class KillAtRow:
    """SIGKILL when rows up to, not including, `row` have reached the broker, and at least one of them in this batch."""

    row: int

    def __str__(self) -> str:
        return f"row:{self.row}"


@dataclass(frozen=True, slots=True)
class KillAtStep:
    """SIGKILL just after the n-th time that the run announces a step."""

    step: str
    time: int

    def __str__(self) -> str:
        return f"step:{self.step}:{self.time}"


Plan: TypeAlias = KillAtRow | KillAtStep


def parse(text: str) -> Plan:
    """Return the plan that `str` wrote. Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == "row":
        return KillAtRow(int(rest))
    if kind == "step":
        step, _, time = rest.partition(":")
        return KillAtStep(step, int(time))
    raise ValueError(f"{text!r} is neither row:N nor step:NAME:N")


def kills_at_rows(rng: random.Random, *, rows: int, kills: int, interval_rows: int) -> tuple[KillAtRow, ...]:
    """Draw rising rows, each later than the commit that the one before it left behind, none at a batch's first row."""
    batches = rows // interval_rows
    if batches < kills:
        raise ValueError(f"{rows} rows make {batches} whole batches of {interval_rows}, too few for {kills} kills")
    chosen = sorted(rng.sample(range(batches), kills))
    return tuple(KillAtRow(batch * interval_rows + rng.randint(1, interval_rows - 1)) for batch in chosen)


def encode(plans: Sequence[Plan]) -> str:
    """Return the plans as one word for a printed line."""
    return ",".join(map(str, plans)) or "none"
