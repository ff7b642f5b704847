"""No false alarm: runs that keep the protocol, killed anywhere, are valid whatever the seed.

The simulation holds the protocol of the design and nothing of the processor: a partition with markers and aborted
records, a position that moves with a commit, a checkpoint that is saved after it.
"""

from dataclasses import dataclass, field
from random import Random

import pytest

from harness.checker import Validity, judge
from harness.history import (
    AT_LEAST_ONCE,
    EXACTLY_ONCE,
    Attempt,
    CheckpointVersion,
    Evidence,
    GroupOffset,
    PartitionEnd,
    Records,
    Step,
    Strike,
)


class Death(Exception):
    """The run ends here, as a kill would end it."""


@dataclass
class World:
    """Partition, position and checkpoint, moved one effect at a time; each effect may be the last of its run."""

    random: Random
    delivery: str
    rows: tuple[bytes, ...]
    death_rate: float = 0.08
    end: int = 0
    clock_s: float = 0.0
    position: int = 0
    last_line: int = 0
    next_offset: int = 0
    epoch: int = 0
    committed: list[tuple[int, bytes]] = field(default_factory=list)
    uncommitted: list[tuple[int, bytes]] = field(default_factory=list)
    open: list[tuple[int, bytes]] = field(default_factory=list)
    versions: list[CheckpointVersion] = field(default_factory=list)

    def may_die(self) -> None:
        self.clock_s += self.random.random()
        if self.random.random() < self.death_rate:
            raise Death

    def send(self, batch: tuple[bytes, ...]) -> None:
        for value in batch:
            record = (self.end, value)
            self.uncommitted.append(record)
            (self.open if self.delivery == EXACTLY_ONCE else self.committed).append(record)
            self.end += 1
            if self.random.random() < self.death_rate / len(batch):
                raise Death

    def decide(self, *, commit: bool) -> None:
        """End the open transaction, if there is one; the marker takes an offset."""
        if self.open:
            self.committed += self.open if commit else []
            self.open.clear()
            self.end += 1

    def save(self, last_line: int, status: str = "RUNNING") -> None:
        self.last_line, self.next_offset = last_line, self.end
        self.write(status)

    def write(self, status: str = "RUNNING") -> None:
        """A claim writes the epoch and leaves the rest as it was saved."""
        counts = {"last_line": self.last_line, "next_offset": self.next_offset, "rows": len(self.rows)}
        self.versions.append(CheckpointVersion(len(self.versions), counts | {"epoch": self.epoch, "status": status}))

    def line(self, steps: list[Step], name: str, row: int, **more: int) -> None:
        """Written just after its effect, so a run may die between the two."""
        self.may_die()
        steps.append(Step({"step": name, "epoch": self.epoch, "row": row, "ts": self.clock_s, **more}))


def run_once(world: World, steps: list[Step]) -> None:
    world.epoch += 1
    world.write()
    world.line(steps, "claimed", 0)
    exactly_once = world.delivery == EXACTLY_ONCE
    world.decide(commit=False)
    world.line(steps, "fenced", 0)
    row = world.position if exactly_once else world.last_line
    world.line(steps, "resumed", row)
    while row < len(world.rows):
        batch = world.rows[row : row + world.random.randint(1, 9)]
        world.send(batch)
        row += len(batch)
        world.line(steps, "sent", row, rows=len(batch))
        if exactly_once:
            world.decide(commit=True)
            world.position = row
        world.line(steps, "committed", row, rows=len(batch))
        if not exactly_once or world.random.random() < 0.8:
            world.save(row)
            world.line(steps, "saved", row)
    world.save(row, "COMPLETED")
    world.line(steps, "done", row)


def simulate(seed: int, delivery: str) -> Evidence:
    random = Random(seed)
    kinds = random.choice((1, 3, 1000))
    rows = tuple(b"row %d" % (row % kinds) for row in range(random.randint(0, 60)))
    world = World(random, delivery, rows)
    attempts: list[Attempt] = []
    strikes: list[Strike] = []
    ended = False
    while not ended:
        steps: list[Step] = []
        number = len(attempts) + 1
        try:
            run_once(world, steps)
            ended = True
            attempts.append(Attempt(number, 0, None, tuple(steps)))
        except Death:
            attempts.append(Attempt(number, None, 9, tuple(steps)))
            strikes.append(Strike("kill", "anywhere", landed=True, attempt=number, rows_sent=len(world.uncommitted)))
    committed = Records.of(world.committed)
    return Evidence(
        expected=rows,
        delivery=delivery,
        committed=committed,
        partition=PartitionEnd(0, world.end, world.end),
        uncommitted=Records.of(world.uncommitted),
        live=committed,
        position=GroupOffset(world.position) if delivery == EXACTLY_ONCE and rows else None,
        checkpoints=tuple(world.versions),
        attempts=tuple(attempts),
        strikes=tuple(strikes),
    )


@pytest.mark.parametrize("seeds", [range(first, first + 100) for first in range(0, 1000, 100)])
def test_run_that_keeps_the_protocol_is_valid_wherever_it_is_killed(seeds: range) -> None:
    for seed in seeds:
        verdict = judge(simulate(seed, EXACTLY_ONCE))
        assert verdict.validity is Validity.VALID, f"seed {seed}: {verdict.summary}"


def test_at_least_once_killed_anywhere_leaves_duplicates_and_nothing_else() -> None:
    found = [judge(simulate(seed, AT_LEAST_ONCE)).names for seed in range(500)]
    assert set().union(*found) == {"Duplicate"}
    assert sum(map(bool, found)) > 100


def test_simulation_meets_what_it_is_there_for() -> None:
    runs = [simulate(seed, EXACTLY_ONCE) for seed in range(200)]
    assert sum(run.uncommitted != run.committed for run in runs) > 50
    assert sum(len(run.attempts) > 2 for run in runs) > 50
    assert sum(len(set(run.expected)) < len(run.expected) for run in runs) > 50
