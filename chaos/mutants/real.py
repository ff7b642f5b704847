"""How a mutant is brought out on a real broker: kills at planned places, and what is taken away between two runs."""

from __future__ import annotations

from enum import StrEnum

from chaos.schedule import Plan, parse


class Gone(StrEnum):
    """What somebody takes away after a run has ended."""

    ITEM = "the item is deleted"
    GROUP = "the group is deleted"


class Real:
    """Moves in their order: a plan for CHAOS_STRIKE is a run that dies there. Then the job is started until it ends."""

    def __init__(self, *moves: str, one_batch: bool = False) -> None:
        """Take the moves, a plan in words. Raises ValueError for words that are none."""
        self.moves: tuple[Plan | Gone, ...] = tuple(move if isinstance(move, Gone) else parse(move) for move in moves)
        self.one_batch = one_batch

    def __str__(self) -> str:
        told = "; ".join(map(str, self.moves)) or "none needed"
        return f"{told}, one batch" if self.one_batch else told
