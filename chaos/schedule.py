"""What strikes when: plans drawn from a seed; pure.

A plan travels to the victim as text, so that one variable replays it: `row:1234` kills in mid-batch, when the
records up to row 1234 have reached the broker; `batch:3:17` kills in the run's third batch, when 17 records of it
have; `step:sent:2` kills just after the second `sent`, and `stop:sent:2` sends a SIGTERM there; `after:0.25` kills
from outside, a quarter of a second after the start; `records:40` from outside, once 40 records of this attempt are in
the partition.
`leader:sent:2` and `coordinator:sent:2` never reach the victim: they kill one of three brokers just after its second
`sent`, and with `+run` the victim too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args


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


@dataclass(frozen=True, slots=True)
class StopAtStep:
    """SIGTERM just after the n-th time that the run announces a step; it may end in its own way."""

    step: str
    time: int

    def __str__(self) -> str:
        return f"stop:{self.step}:{self.time}"


@dataclass(frozen=True, slots=True)
class KillInBatch:
    """SIGKILL in the run's n-th batch, when some of its records have reached the broker: as many, or all but one."""

    batch: int
    records: int

    def __str__(self) -> str:
        return f"batch:{self.batch}:{self.records}"


@dataclass(frozen=True, slots=True)
class KillAfter:
    """SIGKILL from outside, some time after the start, wherever that finds the run."""

    seconds: float

    def __str__(self) -> str:
        return f"after:{self.seconds:.3f}"


@dataclass(frozen=True, slots=True)
class KillAfterRecords:
    """SIGKILL from outside, once the partition has grown by so many offsets since the start, committed or not."""

    records: int

    def __str__(self) -> str:
        return f"records:{self.records}"


NodeRole: TypeAlias = Literal["leader", "coordinator"]


@dataclass(frozen=True, slots=True)
class KillNode:
    """SIGKILL the broker with this role just after the run's n-th step of a name, `with_run` the run too.

    A run that is spared meets `then`, after it has gone on.
    """

    role: NodeRole
    step: str
    time: int
    with_run: bool
    then: KillInBatch | None = None

    def __str__(self) -> str:
        return f"{self.role}{'+run' * self.with_run}:{self.step}:{self.time}"


Plan: TypeAlias = KillAtRow | KillAtStep | StopAtStep | KillInBatch | KillAfter | KillAfterRecords | KillNode
FROM_OUTSIDE = (KillAfter, KillAfterRecords)
BATCHES_OF_NODE_KILL = 6  # that must be left: two before it at most, and some to go on with


def parse(text: str) -> Plan:
    """Return the plan that `str` wrote. Raises ValueError."""
    kind, _, rest = text.partition(":")
    if kind == "row":
        return KillAtRow(int(rest))
    if kind in ("step", "stop"):
        step, _, time = rest.partition(":")
        return (KillAtStep if kind == "step" else StopAtStep)(step, int(time))
    if kind == "batch":
        batch, _, records = rest.partition(":")
        return KillInBatch(int(batch), int(records))
    if kind == "after":
        return KillAfter(float(rest))
    if kind == "records":
        return KillAfterRecords(int(rest))
    role, _, run = kind.partition("+")
    if role in get_args(NodeRole):
        step, _, time = rest.partition(":")
        return KillNode(cast("NodeRole", role), step, int(time), with_run=bool(run))
    raise ValueError(f"{text!r} is no plan")


def kills_at_rows(rng: random.Random, *, rows: int, kills: int, interval_rows: int) -> tuple[KillAtRow, ...]:
    """Draw rising rows, each later than the commit that the one before it left behind, none at a batch's first row."""
    batches = rows // interval_rows
    if batches < kills:
        raise ValueError(f"{rows} rows make {batches} whole batches of {interval_rows}, too few for {kills} kills")
    chosen = sorted(rng.sample(range(batches), kills))
    return tuple(KillAtRow(batch * interval_rows + rng.randint(1, interval_rows - 1)) for batch in chosen)


def draw(rng: random.Random, *, batches_left: int, interval_rows: int) -> Plan:
    """Draw the next plan of a campaign; most kill between the first record sent and the save, some only ask to stop.

    `batches_left` bounds how far into the run it may lie, so that the run lives long enough to meet it.
    """
    batch = rng.randint(1, max(1, min(4, batches_left)))
    (drawn,) = rng.choices(
        (
            KillInBatch(batch, rng.randint(1, max(1, interval_rows - 1))),
            KillAtStep("sent", batch),
            KillAtStep("committed", batch),
            KillAfter(rng.uniform(0.05, 0.8)),
            KillAtStep(rng.choice(("claimed", "fenced", "resumed", "read", "saved")), 1),
            StopAtStep(rng.choice(("resumed", "read", "sent", "committed")), 1),
        ),
        weights=(50, 15, 15, 10, 10, 10),
    )
    return drawn


def draw_outside(rng: random.Random, *, interval_rows: int) -> Plan:
    """Draw the next plan for a program that announces nothing; most wait until it sends, however long it starts."""
    if rng.random() < 0.25:  # noqa: PLR2004  # a quarter
        return KillAfter(rng.uniform(0.3, 3.0))
    return KillAfterRecords(rng.randint(1, 3 * interval_rows))


def draw_node_kill(rng: random.Random, role: NodeRole, *, interval_rows: int) -> KillNode:
    """Draw the death of a node; every third time it takes the run with it."""
    time = rng.randint(1, 2)
    step = rng.choice(("read", "sent", "sent", "committed"))
    then = KillInBatch(time + rng.randint(2, 4), rng.randint(1, max(1, interval_rows - 1)))
    with_run = rng.random() < 1 / 3
    return KillNode(role, step, time, with_run, None if with_run else then)


def encode(plans: Sequence[Plan]) -> str:
    """Return the plans as one word for a printed line."""
    return ",".join(map(str, plans)) or "none"
