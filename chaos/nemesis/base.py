"""What every nemesis has: a title, what must hold although it strikes, and the proof that it did.

The table of strikes in `chaos/README.md` has a row for each, in the same words; a test holds the two together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from harness.history import Strike


class Nemesis(ABC):
    """Something that goes wrong on purpose, around a run of the processor."""

    title: ClassVar[str]  # a few words that no other nemesis has
    holds: ClassVar[str]  # one sentence

    @property
    def name(self) -> str:
        """Return the title, with the particulars of this strike where there are any."""
        return self.title

    @property
    @abstractmethod
    def struck(self) -> bool:
        """Tell whether the strike is proven to have happened; a run in which it did not proves nothing."""


def strike_of(nemesis: Nemesis) -> Strike:
    """Return the nemesis as the judge wants it: a strike that did not land makes the verdict unknown."""
    return Strike(nemesis.name, nemesis.holds, landed=nemesis.struck)
