"""Rounds that alternate: every contestant once, then every contestant again. Pure but for what it is given to run.

A broker gets two to three times faster while it warms up, and a machine has its moods. So the first rounds are thrown
away, every second round goes backwards, and only what was measured in the same rounds is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    def __init__(self, tasks: Mapping[str, Task[Measured]], scale: Scale, say: Callable[[str], None]) -> None:
        self._tasks = dict(tasks)
        self._scale = scale
        self._say = say
        self._measured: dict[str, list[Measured]] = {}
        self._errors: dict[str, Exception] = {}

    def rounds(self, name: str) -> list[Measured]:
        """Return what the task measured, one for each counted round. Raises what the task raised."""
        if self._scale.name == "once":
            return [self._tasks[name].run()]
        if not self._measured:
            self._run_all()
        if name in self._errors:
            raise self._errors[name]
        return self._measured[name]

    def _run_all(self) -> None:
        self._measured = {name: [] for name in self._tasks}
        rounds = self._scale.warm_up_rounds + self._scale.rounds
        for number in range(rounds):
            counted, last = number >= self._scale.warm_up_rounds, number == rounds - 1
            names = [name for name, task in self._tasks.items() if last or not task.single]
            for name in names if number % 2 == 0 else reversed(names):
                if name not in self._errors:
                    self._run(name, f"round {number + 1} of {rounds}", counted=counted)

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
