"""The broker dies, restarts, freezes or stays away, at a moment of the victim's own.

A gate of the proxy stops the run's request just then, the broker is struck, and the gate opens when it is back.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.nemesis.base import Nemesis
from chaos.nemesis.network import Gate, Moment
from chaos.nemesis.signals import pass_time
from harness.broker import Broker

MOMENT_WITHIN_S = 60.0
FROZEN_FOR_S = 4.0  # longer than the run waits for a commit


@dataclass(slots=True)
class When:
    """A moment in the life of a transaction, as the proxy sees it. `answer`: the request has had its effect."""

    name: str
    request: str
    answer: bool = False


IN_TRANSACTION = When("in mid-transaction", "AddOffsetsToTxn")  # all records acknowledged, nothing committed
BEFORE_COMMIT = When("with EndTxn on its way", "EndTxn")
AFTER_COMMIT = When("with the answer to EndTxn on its way", "EndTxn", answer=True)


class BrokerNemesis(Nemesis):
    """Strikes the broker once, when each of the given jobs has reached the moment for the n-th time."""

    struck = False

    def __init__(self, when: When, topics: Sequence[str], *, nth: int = 3) -> None:
        self.when = when
        self.gates = [Gate(Moment(when.request, nth, needs=topic.encode()), answer=when.answer) for topic in topics]

    @property
    def name(self) -> str:
        """Return what happens, and when; see `Nemesis`."""
        return f"{self.title} {self.when.name}"

    def strike(self, broker: Broker) -> None:
        """Wait for the moment, strike, and let everything go on. Raises TimedOut when the moment does not come."""
        try:
            for gate in self.gates:
                gate.await_strike(within_s=MOMENT_WITHIN_S)
            self._strike(broker)
            self.struck = True
        finally:
            for gate in self.gates:
                gate.lift()

    @abstractmethod
    def _strike(self, broker: Broker) -> None:
        """Do it; raise where it was not done."""


class BrokerKilled(BrokerNemesis):
    """SIGKILL, and a start."""

    title = "broker killed by SIGKILL and started"
    holds = "what was acknowledged is there after the restart, and the run goes on by itself"

    def _strike(self, broker: Broker) -> None:
        broker.kill()  # raises unless it was SIGKILL that ended it
        broker.start()


class BrokerStopped(BrokerNemesis):
    """A clean stop, and a start."""

    title = "broker stopped cleanly and started"
    holds = "a restart costs some seconds, and no row"

    def _strike(self, broker: Broker) -> None:
        broker.stop()  # raises unless it ended cleanly
        broker.start()


class BrokerFrozen(BrokerNemesis):
    """Frozen for longer than the run waits for a commit."""

    title = "broker paused and woken"
    holds = "a broker that answers late commits nothing that the run gave up"

    def _strike(self, broker: Broker) -> None:
        broker.pause()
        try:
            pass_time(FROZEN_FOR_S)
        finally:
            broker.resume()


class BrokerGone(BrokerNemesis):
    """Killed, and not started again until somebody does."""

    title = "broker killed and gone for good"
    holds = "the run uses up its attempts and ends with 75, and a start after the broker's goes on"

    def _strike(self, broker: Broker) -> None:
        broker.kill()
