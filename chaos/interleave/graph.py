"""The states met so far and the turns between them, packed: millions of them fit into memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from chaos.interleave.board import State

UNSEEN = -1


class Circle(Exception):
    """Runs can go on for ever without an end."""


class Graph:
    """States by number, in the order in which they were met; the first one is where everything starts."""

    def __init__(self, first: State) -> None:
        self.states: list[State] = []
        self._numbers: dict[State, int] = {}
        self._turns: dict[str, int] = {}
        self._from = array("I")  # by state: the state that it was met from,
        self._by = array("I")  # and the number of the turn that led here
        self._begin = array("q")  # by state: where in `_targets` its own begin, UNSEEN before it was expanded,
        self._free, self._struck = array("H"), array("H")  # how many follow without a fault, and by one
        self._targets = array("I")
        self.meet(first, 0, "")

    def meet(self, state: State, came_from: int, turn: str) -> int:
        """Return the state's number, a new one if it was not met before."""
        number = self._numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            self._from.append(came_from)
            self._by.append(self._turns.setdefault(turn, len(self._turns)))
            self._begin.append(UNSEEN)
            self._free.append(0)
            self._struck.append(0)
        return number

    def expand(self, number: int, free: list[int], struck: list[int]) -> None:
        """Note which states follow."""
        self._begin[number] = len(self._targets)
        self._free[number], self._struck[number] = len(free), len(struck)
        self._targets.extend((*free, *struck))

    def is_expanded(self, number: int) -> bool:
        """Whether it is known what follows."""
        return self._begin[number] != UNSEEN

    @property
    def turns(self) -> int:
        """The number of turns between all states."""
        return len(self._targets)

    def way_to(self, number: int) -> tuple[str, ...]:
        """Return the turns that led from the start to where this state was first met."""
        names = list(self._turns)
        turns: list[str] = []
        while number:
            turns.append(names[self._by[number]])
            number = self._from[number]
        return tuple(reversed(turns))

    def count_schedules(self, *, faults: int) -> int:
        """Count the complete schedules with up to so many faults. Raises Circle where one need never end."""
        order = self._in_order()
        ways = [0] * len(self.states)
        ways[0], complete = 1, 0
        for _ in range(faults + 1):
            more = [0] * len(ways)  # those that have one more fault behind them
            for number in order:
                here = ways[number]
                if not here:
                    continue
                complete += 0 if self._free[number] else here
                for reached in self._after(number):
                    ways[reached] += here
                for reached in self._after_fault(number):
                    more[reached] += here
            ways = more
        return complete

    def _after(self, number: int) -> array[int]:
        begin = self._begin[number]
        return self._targets[begin : begin + self._free[number]]

    def _after_fault(self, number: int) -> array[int]:
        begin = self._begin[number] + self._free[number]
        return self._targets[begin : begin + self._struck[number]]

    def _in_order(self) -> array[int]:
        """Return all states, each before those that it leads to without a fault."""
        waiting = array("I", bytes(4 * len(self.states)))
        for number in range(len(self.states)):
            for reached in self._after(number):
                waiting[reached] += 1
        order = array("I", (number for number, count in enumerate(waiting) if not count))
        for number in _growing(order):
            for reached in self._after(number):
                waiting[reached] -= 1
                if not waiting[reached]:
                    order.append(reached)
        if len(order) != len(self.states):
            raise Circle(f"{len(self.states) - len(order)} states lie on or behind a circle: some run need never end")
        return order


def _growing(numbers: array[int]) -> Iterator[int]:
    """Yield the numbers, those too that are appended meanwhile."""
    i = 0
    while i < len(numbers):
        yield numbers[i]
        i += 1
