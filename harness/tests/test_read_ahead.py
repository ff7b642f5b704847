"""Reading ahead changes no order, hides no error, stays within its bound and ends when it is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress

import pytest

from harness.wait import until
from processor.model import Batch, Position
from processor.read_ahead import BATCHES_AHEAD, in_turn, prefetch

Strategy = Callable[[Iterator[Batch]], Generator[Batch, None, None]]
STRATEGIES = pytest.mark.parametrize("strategy", [in_turn, prefetch], ids=["in_turn", "prefetch"])


class Broken(Exception):
    """What the source raises."""


def batch(number: int) -> Batch:
    return Batch(Position(number, number), Position(number + 1, number + 1), [b"%d" % number], [number + 1])


class Reading:
    """A source of `count` batches, or endless, that knows how many were asked for and whether it was let go."""

    def __init__(self, count: int = 10**9, *, then: BaseException | None = None) -> None:
        self.asked, self.let_go = 0, threading.Event()
        self._count, self._then = count, then

    def batches(self) -> Iterator[Batch]:
        try:
            for number in range(self._count):
                self.asked += 1
                yield batch(number)
            if self._then is not None:
                raise self._then
        finally:
            self.let_go.set()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = readers()  # of other tests, perhaps
    yield
    until(lambda: set(readers()) <= set(before), within_s=10, what="the end of every thread", every_s=0.01)


@STRATEGIES
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_every_batch_comes_once_and_in_order(strategy: Strategy, count: int) -> None:
    assert list(strategy(Reading(count).batches(), lambda: None)) == [batch(number) for number in range(count)]


@STRATEGIES
@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("kind", [Broken, KeyboardInterrupt, SystemExit])
def test_error_comes_where_its_batch_would_have_come(strategy: Strategy, count: int, kind: type[BaseException]) -> None:
    error, got = kind("cut"), []
    with pytest.raises(kind) as raised:
        for each in strategy(Reading(count, then=error).batches(), lambda: None):
            got += [each]
    assert raised.value is error
    assert got == [batch(number) for number in range(count)]


def test_error_waits_behind_batches_that_nobody_has_taken_yet() -> None:
    reading = Reading(2, then=Broken())
    batches = prefetch(reading.batches(), lambda: None)
    assert next(batches) == batch(0)
    assert reading.let_go.wait(10)
    assert next(batches) == batch(1)
    with pytest.raises(Broken):
        next(batches)
    assert list(batches) == []


def test_prefetch_reads_beside_the_consumer_and_at_most_two_batches_and_the_one_in_hand_ahead() -> None:
    reading, most = Reading(), BATCHES_AHEAD + 1
    with closing(prefetch(reading.batches(), lambda: None)) as batches:
        for taken in range(1, 4):
            next(batches)
            until(lambda taken=taken: reading.asked == taken + most, within_s=10, what="reading ahead", every_s=0.005)
        time.sleep(0.3)  # longer than one look for room
        assert reading.asked == 3 + most


def test_in_turn_asks_for_a_batch_only_when_it_is_wanted() -> None:
    reading = Reading()
    with closing(in_turn(reading.batches(), lambda: None)) as batches:
        assert reading.asked == 0
        for taken in (1, 2, 3):
            next(batches)
            assert reading.asked == taken


def test_prefetch_that_nobody_iterates_reads_nothing_and_has_no_thread() -> None:
    reading, before = Reading(), readers()
    with closing(prefetch(reading.batches(), lambda: None)):
        assert readers() == before
    assert reading.asked == 0


@STRATEGIES
@pytest.mark.parametrize("taken", [1, 4])
def test_closing_drops_what_was_read_ahead_and_lets_the_source_go(strategy: Strategy, taken: int) -> None:
    reading = Reading()
    with closing(strategy(reading.batches(), lambda: None)) as batches:
        for _ in range(taken):
            next(batches)
    assert reading.let_go.wait(10)
    assert reading.asked <= taken + BATCHES_AHEAD + 1
    assert list(batches) == []


def test_closing_does_not_wait_for_a_source_that_hangs() -> None:
    answer = threading.Event()

    def hanging() -> Iterator[Batch]:
        yield batch(0)
        answer.wait(30)
        yield batch(1)

    began_s = time.monotonic()
    with closing(prefetch(hanging(), lambda: None)) as batches:
        next(batches)
    assert time.monotonic() - began_s < 5
    answer.set()


def test_error_in_the_consumer_ends_the_thread() -> None:
    before = readers()
    with suppress(Broken), closing(prefetch(Reading().batches(), lambda: None)) as batches:
        for _ in batches:
            assert len(readers()) == len(before) + 1
            raise Broken
    until(lambda: set(readers()) <= set(before), within_s=10, what="the end of the thread", every_s=0.01)
