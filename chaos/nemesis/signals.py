"""What is done to the process itself: signals that ask, signals that kill, and a freeze."""

from __future__ import annotations

import random
import signal
import time
from typing import ClassVar

from chaos.nemesis.base import Nemesis
from chaos.nemesis.course import WITHIN_S, Course
from harness.partition import offsets
from harness.target import Target
from harness.wait import until


def pass_time(seconds: float) -> None:
    """Let time pass where time itself is the strike."""
    with_end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= with_end, within_s=seconds + 1, what="time to pass", every_s=0.01)


class Signals(Nemesis):
    """Sends signals one after the other; the run must end by the last of them, or it was not struck."""

    numbers: ClassVar[tuple[signal.Signals, ...]]
    struck = False

    def strike(self, target: Target, *, within_s: float) -> None:
        """Send the signals, wake the run if it sleeps, and wait for its end. Raises TimeoutError."""
        for number in self.numbers:
            pass_time(0.05)  # two at once would be one: a pending signal is not counted
            target.signal(number)
        target.signal(signal.SIGCONT)
        end, last = target.wait(within_s=within_s), self.numbers[-1]
        self.struck = end.signal == last or (last != signal.SIGKILL and end.exit_code == 128 + last)


class Terminated(Signals):
    """One request to end."""

    title = "SIGTERM"
    holds = "the run ends its batch within the drain, says STOPPED, exits 143, and the next one goes on"
    numbers = (signal.SIGTERM,)


class Interrupted(Signals):
    """The same by Ctrl-C."""

    title = "SIGINT"
    holds = "as SIGTERM, with exit code 130"
    numbers = (signal.SIGINT,)


class TerminatedTwice(Signals):
    """A request to end and the impatient second one."""

    title = "SIGTERM twice"
    holds = "the second one ends the run at once, whatever it waits for"
    numbers = (signal.SIGTERM, signal.SIGTERM)


class KilledInDrain(Signals):
    """What an orchestrator does whose patience is at an end."""

    title = "SIGTERM, then SIGKILL in the drain"
    holds = "dying in the drain is dying: the next run goes on after the last committed row"
    numbers = (signal.SIGTERM, signal.SIGKILL)


class RandomKill(Nemesis):
    """SIGKILL from outside, so many seconds after the claim as the seed says."""

    title = "SIGKILL from outside at a random moment"
    holds = "wherever a run dies, the next one goes on after the last committed row"
    struck = False

    def __init__(self, seed: int, *, longest_s: float) -> None:
        self._seed, self._longest_s = seed, longest_s

    @property
    def name(self) -> str:
        """Return the seed too: it replays the moment, as far as a machine's speed allows."""
        return f"{self.title}, seed {self._seed}"

    def strike(self, target: Target) -> None:
        """Wait for the claim and the drawn time, then kill."""
        target.await_step(lambda step: step.name == "claimed", within_s=WITHIN_S, what="the claim")
        pass_time(random.Random(self._seed).uniform(0, self._longest_s))
        target.signal(signal.SIGKILL)
        self.struck = target.wait(within_s=WITHIN_S).signal == signal.SIGKILL


class Frozen(Nemesis):
    """SIGSTOP in an open transaction until the coordinator has timed it out; the test wakes the run again."""

    title = "SIGSTOP past the transaction timeout, then SIGCONT"
    holds = "a run without a rival repeats the batch and finishes; one with a rival writes nothing and exits 4"
    struck = False

    def strike(self, course: Course, run: Target) -> None:
        """Keep the run asleep until its transaction is aborted. It sleeps already, or waits at a gate."""
        run.signal(signal.SIGSTOP)
        before, rows = offsets(course.servers, course.topic), len(course.rows())
        assert before.stable < before.end, "there is no open transaction to time out"

        def is_aborted() -> bool:
            now = offsets(course.servers, course.topic)
            return now.stable == now.end

        until(is_aborted, within_s=WITHIN_S, what="the transaction to time out")
        after = offsets(course.servers, course.topic)
        # The abort's marker and nothing else came behind the open records, and none of them is visible.
        self.struck = after.end == before.end + 1 and len(course.rows()) == rows
