"""Rounds that alternate: every contestant once, then every contestant again.

A broker gets two to three times faster while it warms up, and a machine has its moods. So the first rounds are thrown
away, every second round goes backwards, and only what was measured in the same rounds is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from benchmarks.scale import Scale

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Task(Generic[Measured]):
    """One contestant of a plan. A `single` one takes part in the last round alone, because it takes so long."""

    run: Callable[[], Measured]
    single: bool = False


class Plan(Generic[Measured]):
    """Runs all tasks in alternating rounds when the first of them is asked for.

    A task that fails is left out from then on, and its error raised when it is asked for; the others go on. In the
    scale `once` each task runs alone, when it is asked for.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[Measured]],
        scale: Scale,
        *,
        times: int = 1,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Plan `times` as many rounds as the scale has; each single run is told to `say`."""
        self._tasks = dict(tasks)
        self._once = scale.name == "once"
        self._warm_up_rounds = times * scale.warm_up_rounds
        self._rounds = self._warm_up_rounds + times * scale.rounds
        self._say = say or (lambda _line: None)
        self._measured: dict[str, list[Measured]] = {}
        self._errors: dict[str, Exception] = {}

    def rounds(self, name: str) -> list[Measured]:
        """Return what the task measured, one for each counted round. Raises what the task raised."""
        if self._once:
            return [self._tasks[name].run()]
        if not self._measured:
            self._run_all()
        if name in self._errors:
            raise self._errors[name]
        return self._measured[name]

    def _run_all(self) -> None:
        self._measured = {name: [] for name in self._tasks}
        for number in range(self._rounds):
            counted, last = number >= self._warm_up_rounds, number == self._rounds - 1
            names = [name for name, task in self._tasks.items() if last or not task.single]
            for name in names if number % 2 == 0 else reversed(names):
                if name not in self._errors:
                    self._run(name, f"round {number + 1} of {self._rounds}", counted=counted)

    def _run(self, name: str, number: str, *, counted: bool) -> None:
        try:
            measured = self._tasks[name].run()
        except Exception as error:  # noqa: BLE001  # raised where the task is asked for
            self._errors[name] = error
            self._say(f"{number}: {name}: FAILED, {error!r}")
            return
        self._say(f"{number}{'' if counted else ', warming up'}: {name}: {measured}")
        if counted:
            self._measured[name].append(measured)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a piece of work took."""
    began = perf_counter()
    work()
    return perf_counter() - began
