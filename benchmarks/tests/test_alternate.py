"""Rounds alternate, the first are thrown away, and one contestant's failure is its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from benchmarks.alternate import Plan, Task
from benchmarks.playback import TIMER, _Clock, play_back
from benchmarks.scale import SCALES, Scale

TWO_AND_ONE = replace(SCALES["quick"], rounds=2, warm_up_rounds=1)


class Stage:
    """Remembers who ran, and gives each run its number."""

    def __init__(self, *, failing: str = "", single: str = "", scale: Scale = TWO_AND_ONE) -> None:
        self.ran: list[str] = []
        self.said: list[str] = []
        self.failing = failing
        tasks = {name: Task(partial(self.run, name), single=name == single) for name in "abc"}
        self.plan = Plan(tasks, scale, say=self.said.append)

    def run(self, name: str) -> int:
        self.ran.append(name)
        if name == self.failing:
            raise RuntimeError(name)
        return len(self.ran)


def test_all_run_when_the_first_is_asked_for_and_every_second_round_goes_backwards() -> None:
    stage = Stage()
    stage.plan.rounds("b")
    assert "".join(stage.ran) == "abc" + "cba" + "abc"
    stage.plan.rounds("a")
    assert len(stage.ran) == 9


def test_warm_up_rounds_are_thrown_away() -> None:
    stage = Stage()
    assert stage.plan.rounds("a") == [6, 7]
    assert stage.plan.rounds("c") == [4, 9]
    assert [line for line in stage.said if "warming up" in line] == stage.said[:3]


def test_who_fails_is_left_out_and_the_others_go_on() -> None:
    stage = Stage(failing="b")
    assert len(stage.plan.rounds("a")) == 2
    with pytest.raises(RuntimeError):
        stage.plan.rounds("b")
    assert stage.ran.count("b") == 1


def test_a_single_one_takes_part_in_the_last_round_alone() -> None:
    stage = Stage(single="b")
    assert stage.plan.rounds("b") == [6]
    assert "".join(stage.ran) == "ac" + "ca" + "abc"


def test_a_plan_of_short_runs_has_so_many_times_the_rounds() -> None:
    runs = iter(range(100))
    plan = Plan({"a": Task(lambda: next(runs))}, TWO_AND_ONE, times=3)
    assert plan.rounds("a") == [3, 4, 5, 6, 7, 8]


def test_where_nothing_is_timed_each_runs_alone() -> None:
    stage = Stage(scale=SCALES["once"])
    assert stage.plan.rounds("b") == [1]
    assert stage.ran == ["b"]


class Benchmark:
    """Times as pytest-benchmark's pedantic mode does."""

    def __init__(self) -> None:
        self.extra_info: dict[str, object] = {}
        self.durations: list[float] = []

    def pedantic(self, target: object, *, setup: object, rounds: int) -> None:
        for _ in range(rounds):
            args, kwargs = setup()  # type: ignore[operator]
            start = TIMER()
            target(*args, **kwargs)  # type: ignore[operator]
            self.durations.append(TIMER() - start)


def test_playback_gives_the_durations_in_their_order() -> None:
    benchmark = Benchmark()
    play_back(benchmark, [1.5, 0.25, 60.0], {"rows": 7})
    assert benchmark.durations == pytest.approx([1.5, 0.25, 60.0])
    assert benchmark.extra_info == {"rows": 7}


def test_the_clock_stands_still_by_itself() -> None:
    clock = _Clock()
    assert clock.read() == clock.read()
