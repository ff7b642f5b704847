"""One schedule for real: the runs live side by side, one thread each, and hand the turn over as the schedule says.

Nothing is looked up here, and nothing is put back: one world goes on from turn to turn, under the same rules. It
tells what every call was and how it was answered, and whether exploring by looking up was right.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue

from chaos.interleave import rules
from chaos.interleave.board import MOST_TURNS_ALONE, Broken
from chaos.interleave.explore import rows_of
from chaos.interleave.runs import Parts, Stop, ended, owner_of
from chaos.interleave.schedule import ARRIVES, DIES, GOES, IS_HELD, TAKES_EFFECT, Schedule, is_fault, played_as
from chaos.interleave.stage import Stage, World
from chaos.interleave.turns import FENCE, Answer, Effect, TurnClock, Turns
from harness.fakes import Crash
from processor.errors import Temporary

LONGEST_TURN_S = 30.0  # a turn takes microseconds; longer is a defect of the explorer


@dataclass(slots=True)
class Replayed:
    """What came of a schedule: every turn in words, how each run ended, the world at the end, and what was wrong."""

    trace: list[str] = field(default_factory=list)
    exits: list[tuple[int, int]] = field(default_factory=list)
    world: World = field(default_factory=World)
    wrong: str | None = None


def replay(schedule: Schedule, parts: Parts | None = None) -> Replayed:
    """Play a schedule; the same line always gives the same answer. Stops at the first thing that is wrong."""
    parts = parts or Parts(interval_rows=schedule.interval_rows)
    return _Replay(schedule, parts).play()


class _Replay:
    def __init__(self, schedule: Schedule, parts: Parts) -> None:
        csv, self._expected = rows_of(schedule.rows)
        self._schedule, self._parts = schedule, parts
        self._stage = Stage(csv)
        self._alive: dict[int, _Seat] = {}
        self._held: list[Stop] = []
        self._to_start = schedule.processors
        self._faults = 0
        self._alone: int | None = None  # the number of the run that goes on alone at the end
        self._so_far = Replayed()

    def play(self) -> Replayed:
        try:
            for turn in self._schedule.turns:
                self._faults += is_fault(turn)
                self._turn(turn)
            self._end()
        except Broken as broken:
            self._so_far.wrong = str(broken)
        finally:
            for seat in self._alive.values():
                seat.kill()
        return self._so_far

    def _turn(self, turn: str) -> None:
        number, _, how = turn.partition(":")
        before = self._stage.take_off()
        if number:
            self._run_goes(int(number), how, before)
        elif how.startswith(ARRIVES):
            stop = self._held.pop(int(how.removeprefix(ARRIVES)))
            self._play(stop, GOES, before, f"{stop.call} of run {stop.run} arrives late")
        else:
            self._stage.act(how)
            self._note(turn)
            self._judge_world()
        # As on the board: what would be refused now is refused for ever, and no turn any more.
        self._held = [stop for stop in self._held if self._may_arrive(stop)]

    def _run_goes(self, run: int, how: str, before: World) -> None:
        if run not in self._alive:
            self._alive[run] = _Seat(run, self._stage, self._parts)
            self._to_start -= 1
        seat = self._alive[run]
        stop = seat.stop
        answer = self._play(stop, how, before, f"run {run} {stop.call} {how}".rstrip())
        if how in IS_HELD:
            self._held.append(stop)
        if how.startswith(DIES):
            self._alive.pop(run).kill()
            self._to_start += 1
            return
        seat.give(answer)
        if seat.stop.exit_code is not None:
            self._leave(seat.stop)

    def _leave(self, stop: Stop) -> None:
        del self._alive[stop.run]
        assert stop.exit_code is not None
        self._so_far.exits.append((stop.run, stop.exit_code))
        self._note(f"run {stop.run} ends with {stop.exit_code} {stop.why}".rstrip())
        self._to_start += stop.exit_code == Temporary.exit_code
        rows = len(self._expected)
        if self._alone is not None:
            _raise(rules.wrong_when_alone(self._stage.take_off(), stop, rows=rows))
        else:
            _raise(rules.wrong_at_end(self._stage.take_off(), stop, rows=rows, faults=self._faults))

    def _play(self, stop: Stop, how: str, before: World, words: str) -> Answer:
        answer = played_as(how, stop.effect)
        if stop.call == FENCE and how in TAKES_EFFECT:
            self._stage.note_fence(stop.run, stop.owner)
        self._note(f"{words} -> {answer}")
        after = self._stage.take_off()
        if after != before:
            _raise(rules.wrong_in_step(before, after, stop))
        self._judge_world()
        return answer

    def _may_arrive(self, stop: Stop) -> bool:
        """Judge a held request as if it arrived now, then put the world back; return whether it would have its way."""
        before = self._stage.take_off()
        answer = self._play(stop, GOES, before, f"{stop.call} of run {stop.run}, if it arrived now,")
        self._so_far.trace.pop()  # it broke no rule, so it was not worth a line
        self._stage.put_on(before)
        return rules.was_taken(answer)

    def _judge_world(self) -> None:
        world = self._stage.take_off()
        settled = self._stage.settled(world)
        self._stage.put_on(world)
        self._so_far.world = world
        _raise(rules.wrong_in_world(world, settled, self._expected))

    def _end(self) -> None:
        """Judge the end as the board does: nobody left, then a new run that goes on alone."""
        if not (self._alive or self._to_start or self._faults):
            _raise(rules.wrong_when_all_have_ended(self._stage.take_off()))
        world = self._stage.take_off()
        for seat in self._alive.values():
            seat.kill()
        self._alive.clear()
        self._alone = world.free_number()
        for _ in range(MOST_TURNS_ALONE):
            self._run_goes(self._alone, GOES, self._stage.take_off())
            if not self._alive:
                break
        else:
            raise Broken(
                f"a run that goes on alone does not end; it stands before {self._alive[self._alone].stop.call}"
            )
        self._so_far.world = world

    def _note(self, line: str) -> None:
        self._so_far.trace.append(line)


class _Seat(Turns):
    """A run in a thread of its own that waits at each stop for its answer."""

    def __init__(self, run: int, stage: Stage, parts: Parts) -> None:
        super().__init__()
        self._run = run
        self._stops: SimpleQueue[Stop] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Answer] | None] = SimpleQueue()
        processor = parts.assemble(stage, self, owner_of(run), TurnClock(stage, self))
        threading.Thread(target=self._live, args=(processor.run,), name=owner_of(run), daemon=True).start()
        self.stop = self._stops.get(timeout=LONGEST_TURN_S)

    def give(self, answer: Answer) -> None:
        """Let the run go on to its next stop."""
        self._answers.put((answer,))
        self.stop = self._stops.get(timeout=LONGEST_TURN_S)

    def kill(self) -> None:
        """Let the process die where it stands."""
        self._answers.put(None)

    def answer(self, call: str, effect: Effect) -> Answer:
        """Hand the turn over, and wait to be given an answer; see `Turns`."""
        self._stops.put(Stop(self._run, (), call, effect, self.resends))
        given = self._answers.get()
        if given is None:
            raise Crash(owner_of(self._run))
        return given[0]

    def _live(self, run: object) -> None:
        assert callable(run)
        try:
            exit_code, why = ended(run)
        except Crash:
            return
        self._stops.put(Stop(self._run, (), "end", lambda _: None, exit_code=exit_code, why=why))


def _raise(wrongs: Iterator[str]) -> None:
    for wrong in wrongs:
        raise Broken(wrong)
