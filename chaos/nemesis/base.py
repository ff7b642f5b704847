"""What every nemesis has: a name, what must hold when it strikes, and the proof that it did."""

from __future__ import annotations

from typing import Protocol

from harness.history import Strike


class Nemesis(Protocol):
    """Something that goes wrong once, on purpose, around a run of the processor."""

    @property
    def name(self) -> str:
        """Return a few words that no other nemesis has."""

    @property
    def holds(self) -> str:
        """Return one sentence: what must hold although it strikes."""

    @property
    def struck(self) -> bool:
        """Tell whether the strike is proven to have happened; a run in which it did not proves nothing."""


def strike_of(nemesis: Nemesis, *, attempt: int | None = None) -> Strike:
    """Return the nemesis as the judge wants it: a strike that did not land makes the verdict unknown."""
    return Strike(nemesis.name, nemesis.holds, landed=nemesis.struck, attempt=attempt)
