"""What a mutant is, how it is applied, and the list of all of them."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from unittest import mock

from chaos.mutants.real import Real
from chaos.mutants.trials import Trial

# Takes what stands at the target, returns what shall stand there.
Change: TypeAlias = Callable[[Any], Any]

REGISTERED: dict[str, Mutant] = {}
_FOR_GOOD = ExitStack()  # never closed: the process dies with it


class NoSuchMutant(ValueError):
    """The name is not in the registry."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug. `broken` says what is wrong, `expected` names the anomaly that convicts it.

    `changes` maps dotted targets to what is put in their place. `trial` brings the bug out on fakes. `real` says how
    it is brought out on a real broker, in words where that takes a strike of another kind.
    """

    name: str
    broken: str
    expected: str
    trial: Trial
    real: Real | str
    changes: Mapping[str, Change] = field(repr=False)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the processor within the block."""
        with planted(self.changes):
            yield


@contextmanager
def planted(changes: Mapping[str, Change]) -> Iterator[None]:
    """Put what the changes make in the place of their targets. Raises AttributeError where a target does not exist."""
    with ExitStack() as stack:
        for target, change in changes.items():
            stack.enter_context(mock.patch(target, change(pkgutil.resolve_name(target))))
        yield


def mutant(
    *targets: str, expected: str, trial: Trial, real: Real | str, also: Mapping[str, Change] | None = None
) -> Callable[[Change], Change]:
    """Register the decorated change for `targets`; its name and its docstring become the mutant's.

    `also` are further changes that belong to the same bug.
    """

    def register(change: Change) -> Change:
        name = change.__name__.replace("_", "-")
        if name in REGISTERED:
            raise ValueError(f"two mutants are called {name}")
        broken = " ".join((change.__doc__ or "").split())
        REGISTERED[name] = Mutant(
            name, broken, expected, trial, real, {**dict.fromkeys(targets, change), **(also or {})}
        )
        return change

    return register


def find(name: str) -> Mutant:
    """Return the mutant of this name. Raises NoSuchMutant."""
    if name not in REGISTERED:
        raise NoSuchMutant(f"{name!r} is none of {', '.join(REGISTERED)}")
    return REGISTERED[name]


def apply(name: str) -> None:
    """Break this process for good: for a victim, which ends with its run. Raises NoSuchMutant."""
    _FOR_GOOD.enter_context(find(name).planted())
