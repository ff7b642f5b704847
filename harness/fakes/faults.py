"""When a fake misbehaves: a schedule of faults, consulted at each named call.

A call is named `port.method` (`sink.commit`, `checkpoints.save`, `object.read`) or, one level below,
`table.get_item` and `table.update_item`. A fault is one line of text and back::

    sink.commit:2 fails before       the second commit raises and has no effect
    sink.commit:2 fails after        it took effect, only the answer is lost
    sink.send:1 crashes at 3         the process dies with three records written
    sink.commit:2 crashes late 4     it takes effect just before the fourth call after it, of whatever name

To explore every schedule: run once without faults, read `Faults.calls`, and strike each in turn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from processor.errors import ProcessorError

T = TypeVar("T")
_TEXT = re.compile(
    r"(?P<call>[a-z_.]+):(?P<nth>\d+) (?P<ending>fails|crashes) (?P<when>before|after|at|late)( (?P<n>\d+))?"
)


class Crash(BaseException):  # not an Error: nothing may catch it but the test that planted it
    """The process dies here. What it wrote outside itself lives on; nothing of its memory may be used again."""


class Ending(StrEnum):
    """How a struck call ends: with the port's ordinary error, or with the process."""

    FAILS = "fails"
    CRASHES = "crashes"


@dataclass(frozen=True, slots=True)
class Fault:
    """The `nth` call (from 1) of the name `call` ends badly, after `done` units of its effect.

    `done` 0 means before any effect, None means the whole effect with its answer lost. Units in between are records
    for `sink.send`, stages for `sink.commit` (see FakePartition.commit), chunks for `object.read`; every other call
    has a single unit. With `late_calls` the whole effect comes just before the call that many calls later.
    """

    call: str
    nth: int
    ending: Ending
    done: int | None = 0
    late_calls: int = 0

    def __post_init__(self) -> None:
        if self.nth < 1 or (self.done or 0) < 0 or self.late_calls < 0:
            raise ValueError(f"calls count from 1, effects from 0: {self!r}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read the line that `str` writes."""
        found = _TEXT.fullmatch(text)
        if found is None or (found["n"] is not None) != (found["when"] in ("at", "late")):
            raise ValueError(f"not a fault: {text!r}")
        done, late_calls = {"before": (0, 0), "after": (None, 0)}.get(found["when"], (None, 0))
        if found["when"] == "at":
            done = int(found["n"])
        elif found["when"] == "late":
            late_calls = int(found["n"])
        return cls(found["call"], int(found["nth"]), Ending(found["ending"]), done, late_calls)

    def __str__(self) -> str:
        if self.late_calls:
            when = f"late {self.late_calls}"
        else:
            when = {0: "before", None: "after"}.get(self.done, f"at {self.done}")
        return f"{self.call}:{self.nth} {self.ending} {when}"


class Faults:
    """One schedule for all fakes of a world. It counts every call, whether struck or not.

    `calls` is the history, (name, nth) in order; `struck` the faults that took place. A fault that is not in
    `struck` at the end missed, and proves nothing.
    """

    def __init__(self, schedule: Iterable[Fault | str] = ()) -> None:
        faults = [Fault.parse(fault) if isinstance(fault, str) else fault for fault in schedule]
        self._planned = {(fault.call, fault.nth): fault for fault in faults}
        if len(self._planned) != len(faults):
            raise ValueError(f"two faults for one call: {list(map(str, faults))}")
        self._events: dict[tuple[str, int], Callable[[], object]] = {}
        self._late: list[tuple[int, Callable[[], object]]] = []
        self._counts: Counter[str] = Counter()
        self.calls: list[tuple[str, int]] = []
        self.struck: list[Fault] = []

    @property
    def missed(self) -> list[Fault]:
        """Faults whose call has not come yet."""
        return list(self._planned.values())

    def strike_next(self, call: str, how: str, *, nth: int = 1) -> None:
        """Plan a fault for the next call of a name, or the nth from now; `how` is the text after it: "fails after"."""
        fault = Fault.parse(f"{call}:{self.count(call) + nth} {how}")
        self._planned[fault.call, fault.nth] = fault

    def count(self, call: str) -> int:
        """How many calls of a name have come."""
        return self._counts[call]

    @property
    def held_up(self) -> int:
        """How many effects are still on their way."""
        return len(self._late)

    def forget(self) -> None:
        """Let nothing happen that is only planned; what was held up on its way still arrives."""
        self._planned.clear()
        self._events.clear()

    def before(self, call: str, nth: int, happens: Callable[[], object]) -> None:
        """Let the world act just before a call: a rival claims, transactions expire, the object is replaced."""
        self._events[call, nth] = happens

    def around(self, call: str, effect: Callable[[int | None], T], *, failure: Callable[[str], ProcessorError]) -> T:
        """Run `effect(None)` and return its answer, unless a fault strikes this call.

        A struck call runs `effect(done)` as far as the fault lets it, then raises Crash or `failure(why)`. The
        effect must carry all it needs: when it comes late, its process may be gone.
        """
        fault = self._planned.pop(self._arrive(call), None)
        if fault is None:
            return effect(None)
        self.struck.append(fault)
        if fault.late_calls:
            self._late.append((len(self.calls) + fault.late_calls, lambda: effect(None)))
        elif fault.done != 0:
            with suppress(ProcessorError):  # refused or done, nobody hears of it
                effect(fault.done)
        if fault.ending is Ending.CRASHES:
            raise Crash(str(fault))
        raise failure(f"injected: {fault}")

    def _arrive(self, call: str) -> tuple[str, int]:
        """Count the call and let happen what was to happen before it, which may be calls of their own."""
        self._counts[call] += 1
        arrived = (call, self._counts[call])
        self.calls.append(arrived)
        if self._late:
            self._deliver()
        if happens := self._events.pop(arrived, None):
            happens()
        return arrived

    def _deliver(self) -> None:
        """Let what was held up until now take effect."""
        due = [effect for at, effect in self._late if at <= len(self.calls)]
        self._late = [(at, effect) for at, effect in self._late if at > len(self.calls)]
        for effect in due:
            with suppress(ProcessorError):  # whoever sent it is not listening any more
                effect()
