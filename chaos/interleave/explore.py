"""Every state that can be reached, the nearest first, so that the first violation is a shortest one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from chaos.interleave.board import Board, Broken, Limits
from chaos.interleave.graph import Graph
from chaos.interleave.runs import Parts
from chaos.interleave.schedule import Schedule, is_fault


def rows_of(rows: int) -> tuple[bytes, list[bytes]]:
    """Return an object of so many rows, and the records that are due for it."""
    values = [b"row-%d" % row for row in range(rows)]
    return b"\n".join([b"name", *values, b""]), values


@dataclass(frozen=True, slots=True)
class Violation:
    """What went wrong, and the schedule that shows it again."""

    what: str
    schedule: Schedule

    def __str__(self) -> str:
        return f"{self.what}\n  replay: python -m chaos.interleave --replay '{self.schedule}'"


@dataclass(frozen=True, slots=True)
class Explored:
    """How much was seen. `interleavings` counts the complete schedules that the states and turns stand for."""

    states: int
    turns: int
    worlds: int
    stops: int
    interleavings: int
    seconds: float
    violation: Violation | None = None

    def __str__(self) -> str:
        return (
            f"{self.states:,} states, {self.turns:,} turns, {self.worlds:,} worlds, {self.stops:,} stops, "
            f"{self.interleavings:,} interleavings, {self.seconds:.1f} s of one core"
        )


class Explorer:
    """Explores one input: all states without a fault, then those after one, and so on, each layer breadth first.

    What was seen after fewer faults is not visited again after more of them: nothing else can happen then.
    """

    def __init__(self, rows: int, parts: Parts, limits: Limits, *, merges: bool = True) -> None:
        csv, expected = rows_of(rows)
        self.board = Board(csv, expected, parts, limits, merges=merges)
        self._rows, self._interval_rows = rows, parts.interval_rows
        self._graph = Graph(self.board.first())

    def explore(self) -> Explored:
        """Visit every state; stop at the first violation."""
        began = time.process_time()
        graph, faults = self._graph, self.board.limits.faults
        violation = None
        layer = [0]
        try:
            for behind in range(faults + 1):
                layer = self._explore_layer(layer, behind)
        except _Found as found:
            violation = found.violation
        return Explored(
            states=len(graph.states),
            turns=graph.turns,
            worlds=len(self.board.worlds),
            stops=len(self.board.runs.stops),
            interleavings=0 if violation else graph.count_schedules(faults=faults),
            seconds=time.process_time() - began,
            violation=violation,
        )

    def _explore_layer(self, layer: list[int], faults: int) -> list[int]:
        """Visit what can be reached from these states without a further fault; return what one more leads to."""
        struck_next: dict[int, None] = {}
        queue = [number for number in layer if not self._graph.is_expanded(number)]
        queued = set(queue)
        for number in queue:  # grows meanwhile
            free, struck = self._expand(number, faults)
            self._graph.expand(number, free, struck)
            struck_next.update(dict.fromkeys(struck))
            for reached in free:
                if reached not in queued and not self._graph.is_expanded(reached):
                    queued.add(reached)
                    queue.append(reached)
        for number in queue:  # afterwards: a schedule that breaks a rule by itself tells more
            self._require_finishable(number)
        return list(struck_next)

    def _expand(self, number: int, faults: int) -> tuple[list[int], list[int]]:
        """Return which states follow without a fault, and which by one."""
        board, state, turn = self.board, self._graph.states[number], ""
        free: list[int] = []
        struck: list[int] = []
        try:
            board.require_good_end(state, faults=faults)
            for turn in board.turns(state, faults=faults < board.limits.faults):
                strikes = is_fault(turn)
                reached = self._graph.meet(board.after(state, turn, faults=faults + strikes), number, turn)
                (struck if strikes else free).append(reached)
        except Broken as broken:
            raise self._found(broken, number, turn) from broken
        return free, struck

    def _require_finishable(self, number: int) -> None:
        try:
            self.board.require_finishable(self._graph.states[number].world)
        except Broken as broken:
            raise self._found(broken, number) from broken

    def _found(self, broken: Broken, number: int, *turns: str) -> _Found:
        way = (*self._graph.way_to(number), *filter(None, turns))
        schedule = Schedule(self.board.limits.processors, self._rows, self._interval_rows, way)
        return _Found(Violation(str(broken), schedule))


class _Found(Exception):
    """Ends the exploration."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.what)
        self.violation = violation
