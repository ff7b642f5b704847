"""Beyond what can be visited whole: schedules drawn from a seed, under the same rules."""

from __future__ import annotations

import random
import time

from chaos.interleave.board import Board, Broken, Limits, State
from chaos.interleave.explore import Explored, Violation, rows_of
from chaos.interleave.runs import Parts
from chaos.interleave.schedule import Schedule, is_fault
from chaos.interleave.stage import World

FAULT_RATE = 0.1


class Walker:
    """Draws schedules for one input. Limits bound the faults of one schedule."""

    def __init__(self, rows: int, parts: Parts, limits: Limits, *, seed: int) -> None:
        csv, expected = rows_of(rows)
        self.board = Board(csv, expected, parts, limits, merges=True)
        self._rows, self._parts = rows, parts
        self._rng = random.Random(seed)
        self._seen: set[State] = set()

    def explore(self, schedules: int) -> Explored:
        """Draw so many schedules, each to its end; stop at the first violation."""
        began = time.process_time()
        turns, violation, drawn = 0, None, 0
        while drawn < schedules and violation is None:
            schedule, violation, _ = self.draw()
            turns += len(schedule.turns)
            drawn += 1
        return Explored(
            states=len(self._seen),
            turns=turns,
            worlds=len(self.board.worlds),
            stops=len(self.board.runs.stops),
            interleavings=drawn,
            seconds=time.process_time() - began,
            violation=violation,
        )

    def draw(self) -> tuple[Schedule, Violation | None, World]:
        """Draw one schedule; return it, what went wrong at its last turn if anything did, and the world before that."""
        board, state, faults, turns = self.board, self.board.first(), 0, list[str]()
        try:
            while True:
                self._seen.add(state)
                board.require_finishable(state.world)
                board.require_good_end(state, faults=faults)
                possible = list(board.turns(state, faults=faults < board.limits.faults))
                if not possible:
                    return self._schedule(turns), None, board.worlds[state.world]
                turns.append(self._choose(possible))
                faults += is_fault(turns[-1])
                state = board.after(state, turns[-1], faults=faults)
        except Broken as broken:
            schedule = self._schedule(turns)
            return schedule, Violation(str(broken), schedule), board.worlds[state.world]

    def _choose(self, possible: list[str]) -> str:
        """Choose a fault now and then, wherever it is possible; else one of the others."""
        faults = [turn for turn in possible if is_fault(turn)]
        calm = [turn for turn in possible if not is_fault(turn)]
        return self._rng.choice(faults if faults and (not calm or self._rng.random() < FAULT_RATE) else calm)

    def _schedule(self, turns: list[str]) -> Schedule:
        return Schedule(self.board.limits.processors, self._rows, self._parts.interval_rows, tuple(turns))
