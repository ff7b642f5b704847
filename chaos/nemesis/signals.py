"""What is done to the process itself, or to its identity: signals, a freeze, a stranger with its transactional.id."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import Producer
from kafka import KafkaProducer

from harness.partition import Client
from harness.target import Target
from harness.wait import until

SECONDS_TO_ACT_S = 10.0


def pass_time(seconds: float) -> None:
    """Let time pass where time itself is the strike."""
    with_end = time.monotonic() + seconds
    until(lambda: time.monotonic() >= with_end, within_s=seconds + 1, what="time to pass")


@dataclass
class Signals:
    """Sends signals one after the other; the run must end by them, or it was not struck."""

    numbers: tuple[signal.Signals, ...]
    holds: str
    struck: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """Return the signals; see `Nemesis`."""
        return ", then ".join(number.name for number in self.numbers)

    def strike(self, target: Target, *, within_s: float) -> float:
        """Send the signals, wait for the end, and return the seconds it took. Raises TimeoutError."""
        began = time.monotonic()
        for number in self.numbers:
            pass_time(0.05)  # two at once would be one: a pending signal is not counted
            target.signal(number)
        end = target.wait(within_s=within_s)
        last = self.numbers[-1]
        by_handler = self.numbers[0] is not signal.SIGKILL and end.exit_code == 128 + last
        self.struck = by_handler or end.signal == last
        return time.monotonic() - began


def terminate(number: signal.Signals = signal.SIGTERM) -> Signals:
    """Return one request to end."""
    return Signals((number,), "the run ends its batch, says STOPPED, and the next one goes on")


def terminate_twice() -> Signals:
    """Return a request to end and the impatient second one."""
    return Signals((signal.SIGTERM, signal.SIGTERM), "the second one ends the run at once, whatever it waits for")


def kill_in_drain() -> Signals:
    """Return what an orchestrator does whose patience is at an end."""
    return Signals((signal.SIGTERM, signal.SIGKILL), "dying in the drain is dying: the next run goes on")


@dataclass
class Freeze:
    """SIGSTOP, then SIGCONT. Proven by the steps of a run that was at work: there was none meanwhile."""

    name: str = "frozen past the transaction timeout"
    holds: str = "a run that wakes up as a zombie writes nothing; without a rival it heals by itself"
    struck: bool = field(default=False, init=False)

    def strike(self, target: Target, *, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Freeze the target for so long at least, and do something meanwhile."""
        target.signal(signal.SIGSTOP)
        pass_time(0.2)  # what it had written before has arrived
        before = len(target.steps)
        pass_time(seconds)
        meanwhile()
        self.struck = len(target.steps) == before
        target.signal(signal.SIGCONT)


@dataclass
class RandomKill:
    """SIGKILL from outside, so many seconds after the claim as the seed says."""

    seed: int
    longest_s: float
    struck: bool = field(default=False, init=False)
    holds: str = "wherever a run dies, the next one goes on after the last committed row"

    @property
    def name(self) -> str:
        """Return the seed too: it replays the moment, as far as a machine's speed allows."""
        return f"SIGKILL at a random moment, seed {self.seed}"

    def strike(self, target: Target) -> None:
        """Wait for the claim and the drawn time, then kill."""
        target.await_step(lambda step: step.name == "claimed", within_s=30, what="the claim")
        pass_time(random.Random(self.seed).uniform(0, self.longest_s))
        target.signal(signal.SIGKILL)
        self.struck = target.wait(within_s=SECONDS_TO_ACT_S).signal == signal.SIGKILL


@dataclass
class Stranger:
    """A bare producer takes the job's transactional.id, sends a record, and never commits it."""

    client: Client
    holds: str = "the run finds its lease still its own, shuts the stranger out, and finishes"
    struck: bool = field(default=False, init=False)
    _kept: list[object] = field(default_factory=list, init=False)  # closing would abort, and a stranger does not

    @property
    def name(self) -> str:
        """Return who takes it; see `Nemesis`."""
        return f"transactional.id taken by a bare {self.client} producer"

    def strike(self, bootstrap_servers: str, topic: str, transactional_id: str) -> None:
        """Take the id and leave a transaction open."""
        if self.client == "confluent":
            bare = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": transactional_id})
            bare.init_transactions(SECONDS_TO_ACT_S)
            bare.begin_transaction()
            bare.produce(topic, b"a stranger's", partition=0)
            self._kept.append(bare)
            self.struck = bare.flush(SECONDS_TO_ACT_S) == 0
            return
        other = KafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=transactional_id)
        other.init_transactions()
        other.begin_transaction()
        self._kept.append(other)
        self.struck = other.send(topic, b"a stranger's", partition=0).get(SECONDS_TO_ACT_S).offset >= 0
