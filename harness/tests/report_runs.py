"""Runs worth a page, made by hand with clocks, markers and aborted records, as a cluster would leave them."""

import json
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

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
from harness.tests.planted_run import clean_run, compared_only


@dataclass
class Killed:
    """A job on a pretended cluster, killed in mid-batch every so often; ticks are seconds."""

    rows: int
    batch: int
    kills: int
    delivery: str = EXACTLY_ONCE
    now_s: float = 1_790_000_000.0
    position: int = 0
    offset: int = 0
    committed: tuple["array[int]", list[bytes]] = field(default_factory=lambda: (array("q"), []))
    uncommitted: tuple["array[int]", list[bytes]] = field(default_factory=lambda: (array("q"), []))
    checkpoints: list[CheckpointVersion] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)

    def run(self, *, seed: int = 1) -> Evidence:
        """Every attempt of it, and what the partition then holds."""
        chance = random.Random(seed)
        expected = tuple(b'{"id":"%d"}' % row for row in range(self.rows))
        places = sorted(chance.sample(range(self.rows // self.batch), self.kills))
        for place in [*places, None]:
            self._attempt(
                expected, kill_at=None if place is None else place * self.batch + self.batch // 3, chance=chance
            )
        end = PartitionEnd(0, self.offset, self.offset)
        return Evidence(
            expected=expected,
            delivery=self.delivery,
            committed=Records(self.committed[0], tuple(self.committed[1])),
            uncommitted=Records(self.uncommitted[0], tuple(self.uncommitted[1])),
            partition=end,
            position=GroupOffset(self.rows, json.dumps({"v": 1, "row": self.rows, "skipped": 0})),
            checkpoints=tuple(self.checkpoints),
            attempts=tuple(self.attempts),
            strikes=tuple(self.strikes),
        )

    def _attempt(self, expected: Sequence[bytes], *, kill_at: int | None, chance: random.Random) -> None:
        number, steps = len(self.attempts) + 1, list[Step]()

        def tell(name: str, wait_s: float, **fields: object) -> None:
            self.now_s += wait_s
            ts = datetime.fromtimestamp(self.now_s, UTC).isoformat(timespec="milliseconds")
            steps.append(Step({"ts": ts, "step": name, "epoch": number, **fields}))

        self._save(number, "RUNNING")
        tell("claimed", 0.4 + chance.random() / 4)
        tell("fenced", 0.3)
        tell("resumed", 0.1, row=self.position)
        while self.position < self.rows:
            end = min(self.position + self.batch, self.rows)
            tell("read", 0.01, row=end)
            if kill_at is not None and end > kill_at:
                self._send(expected[self.position : kill_at], visible=self.delivery == AT_LEAST_ONCE)
                flight = kill_at - self.position
                tell("struck", 0.02, strike=f"row:{kill_at}", rows_in_flight=flight)
                fell = Strike("KillAtRow", f"row:{kill_at}", landed=True, attempt=number)
                self.strikes.append(replace(fell, rows_sent=kill_at, rows_in_flight=flight))
                self.attempts.append(Attempt(number, None, 9, tuple(steps)))
                return
            self._send(expected[self.position : end], visible=True)
            tell("sent", 0.05, row=end, rows=end - self.position)
            tell("committed", 0.02, row=end, rows=end - self.position)
            self.position = end
            self._save(number, "RUNNING")
            tell("saved", 0.01, row=end)
        self._save(number, "COMPLETED", rows=self.rows)
        tell("done", 0.02, row=self.rows)
        self.attempts.append(Attempt(number, 0, None, tuple(steps)))

    def _send(self, values: Sequence[bytes], *, visible: bool) -> None:
        offsets = range(self.offset, self.offset + len(values))
        for kept in (self.committed, self.uncommitted) if visible else (self.uncommitted,):
            kept[0].extend(offsets)
            kept[1].extend(values)
        self.offset += len(values) + (self.delivery == EXACTLY_ONCE)

    def _save(self, epoch: int, status: str, **more: int) -> None:
        fields: dict[str, str | int] = {
            "status": status,
            "epoch": epoch,
            "last_line": self.position,
            "next_offset": self.offset,
            **more,
        }
        self.checkpoints.append(CheckpointVersion(len(self.checkpoints) + 1, fields))


def struck(delivery: str = EXACTLY_ONCE) -> Evidence:
    return Killed(rows=6000, batch=500, kills=4, delivery=delivery).run()


def damaged() -> Evidence:
    """Rows lost, a value altered, two records swapped, the last ones missing and undecided; seen by a live reader."""
    run = struck()
    kept = list(zip(run.committed.offsets, run.committed.values, strict=True))
    kept[900] = (kept[900][0], b'{"id":"\x00\xff</code><script>alert(1)</script>"}')
    kept[3000], kept[3003] = (kept[3000][0], kept[3003][1]), (kept[3003][0], kept[3000][1])
    left = Records.of([*kept[:2000], *kept[2037:-50]])
    end = replace(run.partition, last_stable=run.partition.end - 30)
    return replace(run, committed=left, live=run.committed, partition=end)


def unclocked(run: Evidence) -> Evidence:
    bare = [tuple(Step({k: v for k, v in line.fields.items() if k != "ts"}) for line in a.steps) for a in run.attempts]
    return replace(run, attempts=tuple(replace(a, steps=b) for a, b in zip(run.attempts, bare, strict=True)))


def missed() -> Evidence:
    run = struck()
    return replace(run, strikes=(*run.strikes[:-1], replace(run.strikes[-1], landed=False)), uncommitted=None)


def nothing() -> Evidence:
    return replace(compared_only((b"1", b"2"), ()), attempts=())


RUNS = {
    "valid": struck,
    "duplicates": lambda: struck(AT_LEAST_ONCE),
    "damaged": damaged,
    "missed": missed,
    "nothing": nothing,
    "unclocked": lambda: unclocked(struck()),
    "planted": clean_run,
    "many": lambda: Killed(rows=6000, batch=20, kills=60).run(),
}
