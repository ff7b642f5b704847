"""The broker dies, restarts or freezes at a moment of the victim's own: in mid-transaction or in mid-commit.

A gate of the proxy stops the run's request just then, the broker is struck, and the gate opens when it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaos.nemesis.network import Gate, Moment
from harness.broker import Broker
from harness.wait import TimedOut, until

MOMENT_WITHIN_S = 60.0
FROZEN_FOR_S = 4.0


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens to the broker. On return it serves again."""

    name: str
    holds: str
    strike: Callable[[Broker], None]


def _kill(broker: Broker) -> None:
    broker.kill()  # raises unless it was SIGKILL that ended it
    broker.start()


def _stop(broker: Broker) -> None:
    broker.stop()  # raises unless it ended cleanly
    broker.start()


def _freeze(broker: Broker) -> None:
    """Freeze for longer than the run waits for a commit, and prove that nothing is answered meanwhile."""
    broker.pause()
    try:
        until(lambda: False, within_s=FROZEN_FOR_S, what="the frozen time to pass")
    except TimedOut:
        pass
    finally:
        broker.resume()


KILL = Blow("broker killed by SIGKILL", "what was acknowledged is there after the restart, and the run goes on", _kill)
STOP = Blow("broker stopped cleanly and started", "a rolling restart costs some seconds, and no row", _stop)
FREEZE = Blow("broker frozen and woken", "a broker that answers late commits nothing that the run gave up", _freeze)


@dataclass(slots=True)
class When:
    """A moment in the life of a transaction, as the proxy sees it. `answer`: the request has had its effect."""

    name: str
    request: str
    answer: bool = False


IN_TRANSACTION = When("in mid-transaction", "AddOffsetsToTxn")  # all records acknowledged, nothing committed
BEFORE_COMMIT = When("with EndTxn on its way", "EndTxn")
AFTER_COMMIT = When("with the answer to EndTxn on its way", "EndTxn", answer=True)


@dataclass
class BrokerNemesis:
    """Strikes the broker once, when each of the given jobs has reached the moment for the n-th time."""

    blow: Blow
    when: When
    topics: Sequence[str]
    nth: int = 3
    struck: bool = field(default=False, init=False)
    gates: list[Gate] = field(init=False)

    def __post_init__(self) -> None:
        self.gates = [
            Gate(Moment(self.when.request, self.nth, needs=topic.encode()), answer=self.when.answer)
            for topic in self.topics
        ]

    @property
    def name(self) -> str:
        """Return what happens, and when; see `Nemesis`."""
        return f"{self.blow.name} {self.when.name}"

    @property
    def holds(self) -> str:
        """Return what must hold; see `Nemesis`."""
        return self.blow.holds

    def strike(self, broker: Broker) -> None:
        """Wait for the moment, strike, and let everything go on. Raises TimedOut when the moment does not come."""
        try:
            for gate in self.gates:
                gate.await_strike(within_s=MOMENT_WITHIN_S)
            self.blow.strike(broker)
            self.struck = True
        finally:
            for gate in self.gates:
                gate.lift()
