"""What a run that stopped still remembers, as one value: two runs of one name that remember the same are one state.

Read off the stack: for every frame between the stop and `run()`, where it stands and what its locals hold, generators
included; for the objects of the processor and its fakes, their attributes. Whatever is of an unknown kind raises, so
that nothing is left out by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import FrameType, FunctionType, GeneratorType, MethodType

from chaos.interleave.stage import Stage
from chaos.interleave.turns import NoNotes, Turns
from harness.fakes import FakeCheckpoints, FakeCheckpointTable, FakePartition, FakeSink
from processor.csv_source import CsvSource
from processor.encoded_rows import encoded_rows
from processor.opening import Opening
from processor.pace import Pace
from processor.processor import CSVToKafkaProcessor
from processor.stop import Clock, StopSignal

PLAIN = (type(None), bool, int, float, str, bytes, Enum)
# Code is told by its frame; what it closes over are locals of frames too. The stage is the world, not the run.
NOT_REMEMBERED = (
    FunctionType,
    MethodType,
    partial,
    type,
    Stage,
    Turns,
    Clock,
    StopSignal,
    Pace,  # without a limit it makes nobody wait, whatever it has counted
    CsvSource,
    NoNotes,
    FakePartition,
    FakeCheckpointTable,
)
# An iterator of C code says nothing, but how far it came shows in the generator that draws from it; and so does how far
# the parser came, in the one that gathers its rows.
ITERATORS: tuple[type, ...] = (map, type(iter(())), type(iter([])), type(iter(range(0))))
PARSERS = (encoded_rows.__code__,)
WALKED = (CSVToKafkaProcessor, Opening, FakeSink, FakeCheckpoints)
ONLY_TOLD = frozenset({"wait_s", "began", "sent"})  # random or read off the clock, and good for a log line alone
COUNTED = "_attempt"  # what matters is whether it is the first
DEADLINE = "deadline"  # counts from now: when a wait began makes no difference


class UnknownKind(BaseException):  # not an Error: the run that is looked at must not catch it
    """Something is remembered of which the walk cannot tell whether it matters."""


def remembered(frame: FrameType | None, *, until: Callable[..., object], now: float) -> Hashable:
    """Return what the stack from `frame` out to the function `until` remembers."""
    walk = _Walk(now)
    stack: list[Hashable] = []
    while frame is not None and frame.f_code is not until.__code__:
        stack.append(walk.frame(frame))
        frame = frame.f_back
    return tuple(stack)


class _Walk:
    """One walk over everything reachable; each object is described once."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._met: set[int] = set()

    def frame(self, frame: FrameType) -> Hashable:
        """Describe where a frame stands and what it holds."""
        return (frame.f_code.co_qualname, frame.f_lasti, self._named(frame.f_locals))

    def _named(self, values: Mapping[str, object]) -> Hashable:
        return tuple((name, self._named_value(name, value)) for name, value in values.items() if name not in ONLY_TOLD)

    def _named_value(self, name: str, value: object) -> Hashable:
        if name == DEADLINE and isinstance(value, float):
            return value - self._now
        return bool(value) if name == COUNTED else self._value(value)

    def _value(self, value: object) -> Hashable:
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, tuple | list):
            return tuple(map(self._value, value))
        if isinstance(value, dict):
            return self._named({str(name): held for name, held in value.items()})
        if is_dataclass(value):
            return (type(value).__name__, *(self._value(getattr(value, field.name)) for field in fields(value)))
        return self._living(value)

    def _living(self, value: object) -> Hashable:
        """Describe what is no mere value: an error, a generator, an object of the processor."""
        if isinstance(value, BaseException):
            return (type(value).__name__, str(value))
        if isinstance(value, GeneratorType):
            return self._generator(value)
        return self._object(value)

    def _generator(self, generator: GeneratorType[object, object, object]) -> Hashable:
        if generator.gi_code in PARSERS:
            return generator.gi_code.co_qualname
        frame = generator.gi_frame
        return "exhausted" if frame is None else self.frame(frame)

    def _object(self, value: object) -> Hashable:
        if isinstance(value, NOT_REMEMBERED + ITERATORS):
            return type(value).__name__
        if id(value) in self._met:
            return type(value).__name__
        if isinstance(value, WALKED):
            self._met.add(id(value))
            return (type(value).__name__, self._named(vars(value)))
        if isinstance(value, closing):
            return self._named(vars(value))
        raise UnknownKind(f"a run remembers a {type(value)}, of which this walk knows nothing")
