"""Where a run stops: before each call that can touch what others see, until it is given an answer.

`Turns` sits in the one seam that every fake has, `Faults.around`. A stop is one request: a call of the sink, a
request to the table (a port call of the checkpoints makes several), a wait. Calls that nobody else can notice, and
whose answer nobody else can change, are no stops: they commute with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

from chaos.interleave.stage import Stage
from harness.fakes import Faults
from processor.errors import ProcessorError, SinkFailed, SinkFenced
from processor.ports import Step
from processor.stop import Clock, StopSignal

T = TypeVar("T")
Effect: TypeAlias = Callable[[int | None], object]

PAUSE = "clock.pause"
GET, UPDATE = "table.get_item", "table.update_item"
FENCE, SEND, COMMIT = "sink.fence", "sink.send", "sink.commit"
POSITION, BOUNDS, RECORDS = "sink.position", "sink.bounds", "sink.records"
# The object and the topic never change here; a discarded producer stays as it is for everyone else; a port call of
# the checkpoints is the sum of its requests.
NO_STOPS = ("object.", "checkpoints.", "sink.describe", "sink.discard")
COARSE_WAIT_S = 4.0  # a wait may last longer than asked for; coarse ones reach a bound in few looks


@dataclass(frozen=True, slots=True)
class Fenced:
    """The answer of a coordinator that shut the producer out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The port's own error. `for_good` False lets the client of the table send the request once more, as botocore."""

    for_good: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """An error of the fake that no schedule asked for: the caller broke a rule."""

    why: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """An item of the table."""

    attributes: tuple[tuple[str, int | str], ...]

    def __str__(self) -> str:
        told = ("epoch", "owner", "last_line", "next_offset", "status")
        return ", ".join(f"{name} {value}" for name, value in self.attributes if name in told)


@dataclass(frozen=True, slots=True)
class Records:
    """What an iterator would have yielded."""

    records: tuple[tuple[int, bytes], ...]


Answer: TypeAlias = object  # one of the above, or the plain value: hashable, and given to as many runs as ask


def played(effect: Effect, done: int | None = None) -> Answer:
    """Play a call and return its answer, errors too."""
    try:
        value = effect(done)
    except SinkFenced:
        return Fenced()
    except ProcessorError as error:
        return Refused(str(error))
    if isinstance(value, dict):
        return Attributes(tuple(sorted(value.items())))
    if isinstance(value, Iterator):
        return Records(tuple(value))
    return value


class Turns(Faults):
    """One run's stops. A subclass says where the answers come from."""

    def __init__(self) -> None:
        super().__init__()
        self.resends = False  # the request at hand is the client's second and last try
        self._given_up = False

    def answer(self, call: str, effect: Effect) -> Answer:
        """Return the answer to the call that the run stands before."""
        raise NotImplementedError

    def around(self, call: str, effect: Callable[[int | None], T], *, failure: Callable[[str], ProcessorError]) -> T:
        """Stop before the call, then return or raise its answer; see `Faults.around`."""
        if call.startswith(NO_STOPS):
            return effect(None)
        if self._given_up:
            self._given_up, self.resends = False, False
            raise failure("it stays silent")
        found = self.answer(call, effect)
        first_try = call in (GET, UPDATE) and not self.resends
        self.resends = False
        if isinstance(found, Fenced):
            raise SinkFenced("another producer took over", hint="read the lease")
        if isinstance(found, Refused):
            raise SinkFailed(found.why, hint="the fake refused it")
        if isinstance(found, Failed):
            self.resends = first_try
            self._given_up = first_try and found.for_good
            raise failure("no answer")
        return cast("T", _thawed(found))


class TurnClock(Clock):
    """A wait takes no time, but it is a turn: meanwhile the coordinator ends the commits it has decided."""

    def __init__(self, stage: Stage, turns: Turns) -> None:
        super().__init__(StopSignal())
        self._stage, self._turns = stage, turns
        self._now = 0.0

    def now(self) -> float:
        """Return the seconds that were waited."""
        return self._now

    def pause(self, seconds: float) -> None:
        """Give the others time."""
        del seconds  # all waits are alike
        partition = self._stage.partition
        self._turns.around(PAUSE, lambda _: partition.finish_commits(), failure=lambda why: SinkFailed(why, hint=""))
        self._now += COARSE_WAIT_S


class NoNotes:
    """An observer that forgets."""

    def step(self, step: Step, **fields: object) -> None:
        """Take no note; see `ports.Observer`."""


def _thawed(answer: Answer) -> object:
    if isinstance(answer, Attributes):
        return dict(answer.attributes)
    if isinstance(answer, Records):
        return iter(answer.records)
    return answer
