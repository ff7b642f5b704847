"""A container of the processor that is killed, started again, and judged with what it left in the partition."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from chaos.job import gather, strikes_of
from chaos.schedule import KillAfterRecords
from harness.checker import Verdict, judge
from harness.growth import Growth
from harness.history import Attempt
from harness.partition import LiveReader
from harness.target import parse_steps
from harness.wait import until
from terraform.tests.deployed import Deployed

SIGKILLED = 128 + signal.SIGKILL
WITHIN_S = 120.0


class Moving:
    """Watches the partition from before a container starts, to strike it in mid-run."""

    def __init__(self, deployed: Deployed) -> None:
        self._growth = Growth(deployed.world.broker.bootstrap_servers, deployed.topic, "read_uncommitted")
        self._before = self._growth.end()

    def kill_after(self, container: Any, records: int) -> None:
        """SIGKILL the container once the partition holds so many records more than before."""
        due = self._before + records
        until(lambda: self._growth.end() >= due, within_s=WITHIN_S, what=f"{records} records", every_s=0.01)
        container.kill("SIGKILL")


def attempt(number: int, exit_code: int, lines: Sequence[bytes]) -> Attempt:
    """Return how a container ended, in the judge's words."""
    killed = exit_code == SIGKILLED
    steps = tuple(parse_steps(lines))
    return Attempt(number, None if killed else exit_code, signal.SIGKILL if killed else None, steps)


def verdict_on(
    deployed: Deployed, attempts: Sequence[Attempt], live: LiveReader, kill: KillAfterRecords | None
) -> Verdict:
    """Judge everything that the attempts left behind; the kill, if there was one, was meant for the first."""
    strikes = strikes_of([kill] if kill else [], attempts)
    return judge(gather(deployed.world, deployed.job, deployed.topic, attempts=attempts, strikes=strikes, live=live))
