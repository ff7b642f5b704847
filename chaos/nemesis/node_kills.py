"""Kills of single nodes in a campaign: one is down at a time, and comes back while the jobs go on."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from chaos.job import VICTIM, Staged
from chaos.nemesis.cluster import COORDINATOR, GROUP_PREFIX, LEADER, Role
from chaos.schedule import KillNode, NodeRole
from chaos.victim import VARIABLE
from harness.broker.cluster import JvmCluster, Node
from harness.history import Attempt, Step
from harness.target import Target
from harness.wait import TimedOut, until

STEP_WITHIN_S = 60.0
MOVED_WITHIN_S = 30.0
ROLES: dict[NodeRole, Role] = {"leader": LEADER, "coordinator": COORDINATOR}


class NodeKills:
    """Runs the attempts in which a node is to die, and brings it back. A context manager; workers may share it."""

    def __init__(self, cluster: JvmCluster) -> None:
        self._cluster = cluster
        self._turn = threading.Lock()
        self._mending: Future[None] | None = None
        self._pool = ThreadPoolExecutor(1)
        self.landed: Counter[NodeRole] = Counter()
        self.back_after_s: defaultdict[str, list[float]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def run(self, staged: Staged, plan: KillNode, number: int, *, within_s: float) -> Attempt:
        """Run one attempt, and kill the node at its moment; a last step `struck` says so. Raises TimeoutError.

        A run that ended before the moment lets its node live, and has no such step.
        """
        with self._turn:
            if self._mending is not None:
                self._mending.result()
                self._mending = None
            role = ROLES[plan.role]
            fallen = role.of(self._cluster, staged.topic, f"{GROUP_PREFIX}{staged.topic}")
            target = Target(VICTIM, {**staged.environment, VARIABLE: str(plan.then or "")}, number=number)
            if not reached(target, plan):
                return target.wait(within_s=within_s)
            self._cluster.nodes[fallen].kill()
            at_s, rows = time.time(), in_flight(target)
            if plan.with_run:
                target.kill_after(0.0)
            moved = self._moves(role, staged, fallen)
            self._mending = self._pool.submit(self._mend, self._cluster.nodes[fallen])
        attempt = target.wait(within_s=within_s)
        self._count(staged, plan, attempt, at_s)
        struck = {"step": "struck", "strike": str(plan), "rows_in_flight": rows, "moved": moved, "ts": at_s}
        return replace(attempt, steps=(*attempt.steps, Step(struck)))

    def _moves(self, role: Role, staged: Staged, fallen: int) -> bool:
        job = f"{GROUP_PREFIX}{staged.topic}"
        try:
            return until(
                lambda: role.of(self._cluster, staged.topic, job) != fallen, within_s=MOVED_WITHIN_S, what=role.name
            )
        except TimedOut:
            return False

    def _count(self, staged: Staged, plan: KillNode, attempt: Attempt, at_s: float) -> None:
        self.landed[plan.role] += 1
        commits = [step.at_s for step in attempt.steps if step.name == "committed" and step.at_s is not None]
        later = [moment - at_s for moment in commits if moment > at_s]
        if later:
            self.back_after_s[staged.environment["KAFKA_CLIENT"]].append(later[0])

    def _mend(self, node: Node) -> None:
        node.start()
        self._cluster.await_whole()

    def summary(self) -> str:
        """Say how many fell, and how long it took each client to commit again."""
        fell = ", ".join(f"{role} {count}" for role, count in sorted(self.landed.items()))
        back = [
            f"{client} {statistics.median(seconds):.1f} s (at most {max(seconds):.1f})"
            for client, seconds in sorted(self.back_after_s.items())
        ]
        return f"SIGKILLs of brokers: {fell or 'none'}; committed again after: {', '.join(back) or 'not seen'}"


def reached(target: Target, plan: KillNode) -> bool:
    """Wait for the plan's moment; False when the run has ended, or hangs, before it."""
    try:
        target.await_step(
            lambda _: sum(step.name == plan.step for step in list(target.steps)) >= plan.time,
            within_s=STEP_WITHIN_S,
            what=f"{plan.step} number {plan.time}",
            every_s=0.002,  # a commit takes ten times as long: it is to be met
        )
    except (TimedOut, TimeoutError):
        return False
    return True


def in_flight(target: Target) -> int:
    """Return how many rows were sent and not reported as committed, as of the last step."""
    rows = 0
    for step in list(target.steps):
        rows = (step.rows or 0) if step.name == "sent" else 0 if step.name == "committed" else rows
    return rows
