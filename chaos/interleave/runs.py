"""Real runs as a table: where a run stops next, for each stop and each answer to it.

A run is the real `CSVToKafkaProcessor` on fakes. All it learns comes as answers to its calls, so a run that is started
anew and given the same answers stands at the same stop: what it does next is found once and then looked up. Nothing
has to be parked, and millions of schedules cost as many real runs as there are different stops.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeAlias

from chaos.interleave.remembered import remembered
from chaos.interleave.stage import RUN, Stage
from chaos.interleave.turns import Answer, Effect, NoNotes, TurnClock, Turns
from chaos.on_fakes import GROUP, JOB_ID
from harness.fakes import FakeCheckpoints, FakeObject, FakeSink
from processor import read_ahead, save_beside
from processor.csv_source import BatchLimits, CsvSource
from processor.errors import EXIT_DONE, EXIT_UNEXPECTED, ProcessorError
from processor.model import Delivery, SinkSettings, ValueFormat
from processor.opening import JobRules
from processor.processor import CSVToKafkaProcessor

SETTINGS = SinkSettings("fake:9092", "rows", 0, GROUP, Delivery.EXACTLY_ONCE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs are made of; a planted bug is another class in one of these places."""

    interval_rows: int = 1
    sink: type[FakeSink] = FakeSink
    checkpoints: type[FakeCheckpoints] = FakeCheckpoints
    processor: type[CSVToKafkaProcessor] = CSVToKafkaProcessor

    def assemble(self, stage: Stage, turns: Turns, owner: str, clock: TurnClock) -> CSVToKafkaProcessor:
        """Return a run that is ready to start."""
        source = CsvSource(
            FakeObject(stage.key, faults=turns),
            url=stage.key.url,
            value_format=ValueFormat.RAW,
            limits=BatchLimits(interval_rows=self.interval_rows),
            clock=lambda: 0.0,
        )
        return self.processor(
            source,
            self.sink(stage.partition, SETTINGS, faults=turns),
            self.checkpoints(stage.table, job_id=JOB_ID, owner=owner, faults=turns),
            NoNotes(),
            rules=JobRules(Delivery.EXACTLY_ONCE, "shape"),
            read_ahead=read_ahead.in_turn,
            saving=save_beside.in_turn,
            clock=clock,
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """A run that waits for its turn before a call, or has ended."""

    run: int
    answers: tuple[Answer, ...]
    call: str
    effect: Effect
    resends: bool = False
    exit_code: int | None = None
    why: str = ""

    @property
    def owner(self) -> str:
        """Return the run's name in the lease."""
        return owner_of(self.run)


def owner_of(run: int) -> str:
    """Return the name under which a run claims; runs count from 1 in the order of their starts."""
    return f"{RUN}{run}"


def ended(run: Callable[[], object]) -> tuple[int, str]:
    """Run to the end; return the exit code that the command line would give, and the error."""
    try:
        run()
    except ProcessorError as error:
        return error.exit_code, str(error)
    except Exception as error:  # noqa: BLE001  # what __main__ does with a bug
        return EXIT_UNEXPECTED, repr(error)
    return EXIT_DONE, ""


StopId: TypeAlias = int


class Runs:
    """All stops met so far, by number. `merges` False takes two runs for one only if they were told the same."""

    def __init__(self, stage: Stage, parts: Parts, *, merges: bool = True) -> None:
        self.stage, self.parts, self._merges = stage, parts, merges
        self.stops: list[Stop] = []
        self._known: dict[Hashable, StopId] = {}
        self._next: dict[tuple[StopId, Answer], StopId] = {}
        self._first: dict[int, StopId] = {}

    def start(self, run: int) -> StopId:
        """Return where a new run stops first."""
        if run not in self._first:
            self._first[run] = self._find(run, ())
        return self._first[run]

    def answered(self, at: StopId, answer: Answer) -> StopId:
        """Return where a run stops next that is given this answer."""
        key = (at, answer)
        if key not in self._next:
            stop = self.stops[at]
            self._next[key] = self._find(stop.run, (*stop.answers, answer))
        return self._next[key]

    def _find(self, run: int, answers: tuple[Answer, ...]) -> StopId:
        turns = _Recalled(run, answers, self.stage)
        exit_code, why = 0, ""
        processor = self.parts.assemble(self.stage, turns, owner_of(run), turns.clock)
        try:
            exit_code, why = ended(processor.run)
        except _Parked:
            stop, knows = turns.parked, turns.knows
        else:
            stop, knows = Stop(run, answers, "end", _no_effect, exit_code=exit_code, why=why), why
        key = (run, stop.call, stop.resends, stop.exit_code, knows if self._merges else answers)
        if key not in self._known:
            self._known[key] = len(self.stops)
            self.stops.append(stop)
        return self._known[key]


class _Parked(BaseException):  # not an Error: nothing may catch it
    """The answers are used up: here the run stands."""


class _Recalled(Turns):
    """Gives the answers that are known, then notes where the run stands."""

    def __init__(self, run: int, answers: tuple[Answer, ...], stage: Stage) -> None:
        super().__init__()
        self._run, self._answers, self._given = run, answers, 0
        self.clock = TurnClock(stage, self)
        self.parked = Stop(run, (), "start", _no_effect)
        self.knows: Hashable = None

    def answer(self, call: str, effect: Effect) -> Answer:
        if self._given < len(self._answers):
            self._given += 1
            return self._answers[self._given - 1]
        self.parked = Stop(self._run, self._answers, call, effect, self.resends)
        # From the fake that called on outwards: this frame and the one below are the machinery's.
        frame = inspect.currentframe()
        outer = frame.f_back.f_back if frame and frame.f_back else None
        self.knows = remembered(outer, until=ended, now=self.clock.now())
        raise _Parked


def _no_effect(_done: int | None) -> None:
    return None
