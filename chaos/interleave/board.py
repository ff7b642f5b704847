"""The board on which schedules are played: a state, the turns that it allows, and the state after each.

Worlds and stops have numbers, a state is a tuple of numbers, and what a turn does to a world and a run is found once.
Whatever breaks a rule raises `Broken` at the turn that broke it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chaos.interleave import rules
from chaos.interleave.runs import Parts, Runs, StopId
from chaos.interleave.schedule import (
    ARRIVALS_MATTER_TO,
    ARRIVES,
    DIES,
    EVENTS_MATTER_TO,
    GOES,
    IS_HELD,
    TAKES_EFFECT,
    faults_of,
    played_as,
)
from chaos.interleave.stage import EXPIRE, Stage, World, events_of
from chaos.interleave.turns import FENCE, Answer
from processor.errors import Temporary

MOST_TURNS_ALONE = 200
WorldId = int


class Broken(Exception):
    """A rule does not hold after this turn."""


class State(NamedTuple):
    """Everything that decides what can happen next. `stops` are those of the runs alive, by their numbers.

    How many faults there were is no part of it: what can happen after more of them can happen after fewer.
    """

    world: WorldId
    stops: tuple[StopId, ...] = ()
    held: tuple[StopId, ...] = ()
    to_start: int = 0
    at_turn: int = 0  # whose turn was last; 0 unless preemptions are counted
    preemptions: int = 0


class Limits(NamedTuple):
    """How far to look. `preemptions` None does not count them: any run may go at any time.

    `may_hold` adds faults in which a request is held up on its way and may arrive at any later time.
    """

    processors: int = 2
    faults: int = 0
    preemptions: int | None = None
    may_hold: bool = False


class Board:
    """Plays turns. One board has one input and one kind of run."""

    def __init__(self, csv: bytes, expected: Sequence[bytes], parts: Parts, limits: Limits, *, merges: bool) -> None:
        self.stage = Stage(csv)
        self.runs = Runs(self.stage, parts, merges=merges)
        self.limits = limits
        self._expected = expected
        self._interval_rows = parts.interval_rows
        self.worlds: list[World] = []
        self._numbers: dict[World, WorldId] = {}
        self._played: dict[tuple[WorldId, StopId, str], tuple[WorldId, StopId | None]] = {}
        self._acted: dict[tuple[WorldId, str], WorldId] = {}
        self._arrived: dict[tuple[WorldId, StopId], tuple[WorldId, Answer]] = {}
        self._finishable: set[WorldId] = set()
        self._shared: dict[tuple[StopId, ...], tuple[StopId, ...]] = {}  # one tuple for all states that hold it
        self._faults: dict[StopId, tuple[str, ...]] = {}

    def first(self) -> State:
        """Return the state before anything has started."""
        return State(self._number(World()), to_start=self.limits.processors)

    def turns(self, state: State, *, faults: bool) -> Iterator[str]:
        """Yield every turn that a state allows, those that are faults only if there may be one."""
        standing = set()
        for at in self._may_go(state):
            stop = self.runs.stops[at]
            standing.add(stop.call)
            if self._preempts(state, stop.run) and state.preemptions == self.limits.preemptions:
                continue
            yield f"{stop.run}"
            if faults:
                yield from self._faults_of(at)
        for event in events_of(self.worlds[state.world]):
            if standing.intersection(EVENTS_MATTER_TO[event]) and (faults or event != EXPIRE):
                yield f":{event}"
        for i, at in enumerate(state.held):
            if standing.intersection(ARRIVALS_MATTER_TO[self.runs.stops[at].call]):
                yield f":{ARRIVES}{i}"

    def after(self, state: State, turn: str, *, faults: int) -> State:
        """Return the state after a turn, `faults` of which there were up to and with it. Raises Broken."""
        number, _, how = turn.partition(":")
        if number:
            reached = self._run_goes(state, int(number), how, faults)
        elif how.startswith(ARRIVES):
            reached = self._held_arrives(state, int(how.removeprefix(ARRIVES)))
        else:
            reached = state._replace(world=self._act(state.world, how))
        return self._without_refused(reached) if reached.held else reached

    def require_finishable(self, world: WorldId) -> None:
        """Let a new run go alone from here, undisturbed. Raises Broken unless it ends with 0 and the job is done."""
        if world in self._finishable:
            return
        way, at = [world], self.runs.start(self.worlds[world].free_number())
        while (stop := self.runs.stops[at]).exit_code is None:
            if len(way) > MOST_TURNS_ALONE:
                raise Broken(f"a run that goes on alone does not end; it stands before {stop.call}")
            now, reached = self._play(way[-1], at, GOES)
            assert reached is not None
            at = reached
            way.append(now)
        for wrong in rules.wrong_when_alone(self.worlds[way[-1]], stop, rows=len(self._expected)):
            raise Broken(wrong)
        self._finishable.add(world)

    def require_good_end(self, state: State, *, faults: int) -> None:
        """Judge a state in which no run is left. Raises Broken."""
        if not (faults or state.stops or state.to_start):
            for wrong in rules.wrong_when_all_have_ended(self.worlds[state.world]):
                raise Broken(wrong)

    def _may_go(self, state: State) -> tuple[StopId, ...]:
        """Return the stops of the runs alive, and of one that has not started: those are all alike."""
        if not state.to_start:
            return state.stops
        alive = [self.runs.stops[at].run for at in (*state.stops, *state.held)]
        return (*state.stops, self.runs.start(self.worlds[state.world].free_number(alive)))

    def _faults_of(self, at: StopId) -> tuple[str, ...]:
        if at not in self._faults:
            stop = self.runs.stops[at]
            faults = faults_of(stop, interval_rows=self._interval_rows)
            kept = (fault for fault in faults if self.limits.may_hold or fault not in IS_HELD)
            self._faults[at] = tuple(f"{stop.run}:{fault}" for fault in kept)
        return self._faults[at]

    def _preempts(self, state: State, run: int) -> bool:
        """Whether it would interrupt another run, one that could go on, to let this one go."""
        if self.limits.preemptions is None or run == state.at_turn:
            return False
        return any(self.runs.stops[at].run == state.at_turn for at in state.stops)

    def _run_goes(self, state: State, run: int, how: str, faults: int) -> State:
        numbers = [self.runs.stops[at].run for at in state.stops]
        starts = run not in numbers
        stops = tuple(sorted((*state.stops, self.runs.start(run)), key=self._run_of)) if starts else state.stops
        place = sorted((*numbers, run)).index(run) if starts else numbers.index(run)
        at = stops[place]
        world, reached = self._play(state.world, at, how)
        again = reached is None  # whoever started a run starts it again when it died, or asked for it
        going_on = () if reached is None else (reached,)
        stop = None if reached is None else self.runs.stops[reached]
        if stop is not None and stop.exit_code is not None:
            again, going_on = stop.exit_code == Temporary.exit_code, ()
            for wrong in rules.wrong_at_end(self.worlds[world], stop, rows=len(self._expected), faults=faults):
                raise Broken(wrong)
        counts = self.limits.preemptions is not None
        after = (*stops[:place], *going_on, *stops[place + 1 :])
        return State(
            world,
            self._shared.setdefault(after, after),
            held=(*state.held, at) if how in IS_HELD else state.held,
            to_start=state.to_start - starts + again,
            at_turn=run if counts else 0,
            preemptions=state.preemptions + (counts and self._preempts(state, run)),
        )

    def _run_of(self, at: StopId) -> int:
        return self.runs.stops[at].run

    def _act(self, world: WorldId, event: str) -> WorldId:
        key = (world, event)
        if key not in self._acted:
            self.stage.put_on(self.worlds[world])
            self.stage.act(event)
            self._acted[key] = self._number(self.stage.take_off())
        return self._acted[key]

    def _held_arrives(self, state: State, i: int) -> State:
        world, _ = self._arrive(state.world, state.held[i])
        return state._replace(world=world, held=(*state.held[:i], *state.held[i + 1 :]))

    def _arrive(self, world: WorldId, at: StopId) -> tuple[WorldId, Answer]:
        key = (world, at)
        if key not in self._arrived:
            self._arrived[key] = self._effect(world, at, GOES)
        return self._arrived[key]

    def _without_refused(self, state: State) -> State:
        """Forget held requests that would be refused: epochs only grow, so they will be refused for ever.

        Each is judged as if it arrived now, so that one which breaks a rule is found where nobody looks any more.
        """
        hopeful = (at for at in state.held if rules.was_taken(self._arrive(state.world, at)[1]))
        return state._replace(held=tuple(hopeful))

    def _play(self, world: WorldId, at: StopId, how: str) -> tuple[WorldId, StopId | None]:
        """Return the world after a call, and where the run stops next: None where it died."""
        key = (world, at, how)
        if key not in self._played:
            self._played[key] = self._play_anew(world, at, how)
        return self._played[key]

    def _play_anew(self, world: WorldId, at: StopId, how: str) -> tuple[WorldId, StopId | None]:
        after, answer = self._effect(world, at, how)
        return after, None if how.startswith(DIES) else self.runs.answered(at, answer)

    def _effect(self, world: WorldId, at: StopId, how: str) -> tuple[WorldId, Answer]:
        stop, before = self.runs.stops[at], self.worlds[world]
        self.stage.put_on(before)
        answer = played_as(how, stop.effect)
        if stop.call == FENCE and how in TAKES_EFFECT:
            self.stage.note_fence(stop.run, stop.owner)
        after = self.stage.take_off()
        if after == before:
            return world, answer
        for wrong in rules.wrong_in_step(before, after, stop):
            raise Broken(wrong)
        return self._number(after), answer

    def _number(self, world: World) -> WorldId:
        """Return the world's number; one that is met for the first time is judged."""
        if world not in self._numbers:
            for wrong in rules.wrong_in_world(world, self.stage.settled(world), self._expected):
                raise Broken(wrong)
            self._numbers[world] = len(self.worlds)
            self.worlds.append(world)
        return self._numbers[world]
