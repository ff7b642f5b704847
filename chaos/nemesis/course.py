"""One job on a real broker, attempt by attempt, with room for a nemesis before, between and within them."""

from __future__ import annotations

import atexit
import signal
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import Any, Self

from chaos.job import VICTIM, Job, gather, strikes_of
from chaos.nemesis.base import Nemesis, strike_of
from chaos.nemesis.inside import SAVES_IN_TURN, SLEEP
from chaos.nursery import Nursery
from chaos.schedule import Plan
from chaos.victim import VARIABLE
from harness.checker import Validity, Verdict, judge
from harness.history import Attempt, Evidence
from harness.partition import LiveReader, group_offset, read
from harness.target import Target
from harness.wait import until
from harness.world import World

WITHIN_S = 30.0


@cache
def nursery() -> Nursery:
    """Return the one nursery of this process."""
    opened = Nursery()
    atexit.register(opened.close)
    return opened


class Course:
    """One job with all its attempts, watched by a live reader. A context manager: nothing of it outlives it."""

    def __init__(self, world: World, job: Job, *, topic: str | None = None) -> None:
        """Make the topic, unless it is there, and upload the object. Behind proxies, runs meet the proxies."""
        self.world, self.job = world, job
        self.topic = topic or world.create_topic()
        self.group = f"csv-to-kafka.{self.topic}"
        self.servers = world.broker.bootstrap_servers
        self.key = f"{self.topic}.csv"
        source = world.upload(self.key, job.csv)
        self.environment = {
            **world.environment(topic=self.topic, source=source, job_id=self.topic),
            "KAFKA_CLIENT": job.client,
            "DELIVERY": job.delivery,
            "COMMIT_INTERVAL_S": "3600",  # batches are cut by rows alone, so that saves and commits can be counted
            **job.rule.settings(),
            **job.settings,
        }
        self.attempts: list[Attempt] = []  # in the order in which they ended
        self.stderr = ""
        self._targets: list[Target] = []

    def __enter__(self) -> Self:
        self._live = LiveReader(self.servers, self.topic)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)
        for target in self._targets:
            target.signal(signal.SIGKILL)  # one that a failed test left asleep, say

    def replace_object(self, csv: bytes, expected: tuple[bytes, ...]) -> None:
        """Let the job be about another object; only before the first attempt."""
        assert not self._targets, "a job keeps its object"
        self.job = replace(self.job, csv=csv, expected=expected)
        self.world.upload(self.key, csv)

    def start(self, plan: Plan | None = None, **settings: str) -> Target:
        """Start the next attempt; `settings` are variables for it alone."""
        # Struck at a step, a victim saves in turn: beside the next batch, its saves would make the moment uncertain.
        turns = SAVES_IN_TURN if plan or SLEEP in settings else {}
        environment = {**self.environment, **turns, VARIABLE: str(plan) if plan else "", **settings}
        target = Target(VICTIM, environment, number=len(self._targets) + 1, start=nursery().start)
        self._targets.append(target)
        return target

    def asleep_at(self, step: str, nth: int = 1, **settings: str) -> Target:
        """Start the next attempt; return when it is stopped, just after it announced the step for the n-th time.

        SIGCONT wakes it.
        """
        target = self.start(None, **{SLEEP: f"{step}:{nth}", **settings})
        target.await_step(lambda told: told.name == "asleep", within_s=WITHIN_S, what=f"{step} number {nth}")
        target.signal(signal.SIGSTOP)
        return target

    def woken(self, sleeper: Target, *, within_s: float = 60.0) -> Attempt:
        """Let an attempt that was stopped go on, wait for its end and keep it."""
        sleeper.signal(signal.SIGCONT)
        return self.end(sleeper, within_s=within_s)

    def end(self, target: Target, *, within_s: float = 60.0) -> Attempt:
        """Wait for the attempt and keep it."""
        self.attempts.append(target.wait(within_s=within_s))
        self.stderr = target.stderr
        return self.attempts[-1]

    def run(self, *, within_s: float = 60.0, **settings: str) -> int | None:
        """Start the next attempt, wait for it, and return its exit code."""
        return self.end(self.start(None, **settings), within_s=within_s).exit_code

    def kill(self, plan: Plan, **settings: str) -> None:
        """Run the next attempt up to its planned death. Raises AssertionError when it did not die there."""
        attempt = self.end(self.start(plan, **settings))
        assert strikes_of([plan], [attempt])[0].landed, f"{plan} missed: {attempt.ended}; {self.stderr}"

    def kill_now(self, target: Target) -> None:
        """SIGKILL an attempt from outside and keep it."""
        target.signal(signal.SIGKILL)
        assert self.end(target).signal == signal.SIGKILL, "it was over before"

    def rows(self) -> list[bytes | None]:
        """Return what committed readers see now."""
        return [record.value for record in read(self.servers, self.topic, isolation="read_committed")]

    def await_live_reader(self) -> None:
        """Return once the live reader has seen all that is visible now."""
        rows = len(self.rows())
        until(lambda: len(self._live.seen()) >= rows, within_s=WITHIN_S, what=f"{rows} rows to be seen live")

    def told(self, step: str, field: str) -> list[Any]:
        """Return a field of each step line of that name in the last attempt."""
        return [line.fields.get(field) for line in self.attempts[-1].steps if line.name == step]

    def position(self) -> tuple[int, str] | None:
        """Return the group offset now."""
        return group_offset(self.servers, self.group, self.topic)

    def checkpoint(self) -> dict[str, Any]:
        """Return the checkpoint item now; empty if there is none."""
        versions = self.world.cloud.checkpoint_versions(self.topic)
        return versions[-1] if versions else {}

    def evidence(self, *nemeses: Nemesis, planted: Collection[int] = ()) -> Evidence:
        """Gather what the job left; `planted` are the numbers of the item's versions that a nemesis wrote."""
        attempts = sorted(self.attempts, key=lambda attempt: attempt.number)
        found = gather(self.world, self.job, self.topic, attempts=attempts, strikes=(), live=self._live)
        marked = tuple(replace(version, planted=version.number in planted) for version in found.checkpoints)
        return replace(found, checkpoints=marked, strikes=tuple(map(strike_of, nemeses)))

    def verdict(self, *nemeses: Nemesis, planted: Collection[int] = ()) -> Verdict:
        """Return the judge's word on it."""
        return judge(self.evidence(*nemeses, planted=planted))

    def assert_finishes(self, *nemeses: Nemesis, planted: Collection[int] = ()) -> None:
        """Run once more: it ends with 0, every nemesis has struck, and the judge finds nothing."""
        assert self.run() == 0, self.stderr
        self.assert_valid(*nemeses, planted=planted)

    def assert_valid(self, *nemeses: Nemesis, planted: Collection[int] = ()) -> None:
        """Have the job judged as it is: every nemesis has struck, and the judge finds nothing."""
        require_struck(*nemeses)
        verdict = self.verdict(*nemeses, planted=planted)
        assert verdict.validity is Validity.VALID, verdict.summary

    def assert_repeats_at_most(self, rows: int, *nemeses: Nemesis, planted: Collection[int] = ()) -> None:
        """In at-least-once: every nemesis has struck, so many rows at most came twice, and nothing else is wrong."""
        require_struck(*nemeses)
        verdict = self.verdict(*nemeses, planted=planted)
        assert verdict.names <= {"Duplicate"}, verdict.summary
        assert verdict.validity is Validity.VALID or verdict.names, verdict.summary
        assert len(self.rows()) <= len(self.job.expected) + rows

    def assert_refuses(self, code: int, says: str, *nemeses: Nemesis, **settings: str) -> None:
        """Run once more: one line on stderr, nothing new is visible, and what is visible is a prefix of the truth."""
        before = self.rows()
        assert self.end(self.start(None, **settings)).exit_code == code, self.stderr
        assert self.stderr.startswith("csv-to-kafka: "), self.stderr
        assert self.stderr.count("\n") == 1, self.stderr
        assert says in self.stderr, self.stderr
        assert self.rows() == before
        assert before == list(self.job.expected[: len(before)])
        require_struck(*nemeses)


def require_struck(*nemeses: Nemesis) -> None:
    """Raise AssertionError with the names of those that did not strike."""
    missed = [nemesis.name for nemesis in nemeses if not nemesis.struck]
    assert not missed, f"did not strike: {missed}"
