"""A bounded call returns, raises or runs out of time; an insisted one asks again only for what passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from processor.bounded import bounded, insisted


class Passing(Exception):
    """Worth asking again."""


class Final(Exception):
    """Not worth asking again."""


def passes(error: Exception) -> bool:
    return isinstance(error, Passing)


@pytest.mark.parametrize("value", [7, None, False, [], Passing()])
def test_what_the_call_returns_is_returned_even_nothing(value: object) -> None:
    assert bounded(lambda: value, timeout_s=10, what="a call") is value


@pytest.mark.parametrize("error", [Final("no"), TimeoutError("its own"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_call_raises_is_raised(error: BaseException) -> None:
    def fails() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        bounded(fails, timeout_s=10, what="a call")
    assert raised.value is error


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Something to wait for that comes at the end of the test."""
    comes = threading.Event()
    yield comes
    comes.set()


def test_call_that_hangs_is_left_behind_in_time_and_named(hang: threading.Event) -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^init_transactions took longer than 0\.05 s$"):
        bounded(lambda: hang.wait(60), timeout_s=0.05, what="init_transactions")
    assert time.monotonic() - began_s < 5
    left = [thread for thread in threading.enumerate() if thread.name == "bounded init_transactions"]
    assert [thread.daemon for thread in left] == [True]  # it does not keep the process alive


def test_call_that_takes_most_of_its_time_is_not_left_behind() -> None:
    assert bounded(lambda: time.sleep(0.1) or "late", timeout_s=10, what="a call") == "late"


def test_error_of_a_call_that_was_left_behind_is_heard_by_nobody(hang: threading.Event) -> None:
    ended = threading.Event()

    def fails_late() -> None:
        hang.wait(60)
        ended.set()
        raise Final

    with pytest.raises(TimeoutError):
        bounded(fails_late, timeout_s=0.01, what="a call")
    hang.set()
    assert ended.wait(10)
    assert bounded(lambda: "next", timeout_s=10, what="a call") == "next"


@dataclass
class FakeTime:
    """Stands in for the time module: sleeping is what makes its clock go on."""

    now_s: float = 100.0
    pauses_s: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)
        self.now_s += pause_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr("processor.bounded.time", fake)
    return fake


class Answers:
    """Gives these answers in turn, the last one for ever; raises those that are errors."""

    def __init__(self, *answers: object) -> None:
        self._answers, self.calls = answers, 0

    def __call__(self) -> object:
        answer = self._answers[min(self.calls, len(self._answers) - 1)]
        self.calls += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


def test_first_answer_is_returned_without_a_pause_even_nothing(clock: FakeTime) -> None:
    for value in ("yes", None, 0):
        call = Answers(value)
        assert insisted(call, passing=passes, timeout_s=0) is value
        assert call.calls == 1
    assert clock.pauses_s == []


def test_passing_errors_are_asked_again_until_an_answer_comes(clock: FakeTime) -> None:
    call = Answers(Passing(), Passing(), Passing(), "yes")
    assert insisted(call, passing=passes, timeout_s=10) == "yes"
    assert clock.pauses_s == [0.02, 0.04, 0.08]


def test_error_that_does_not_pass_is_raised_at_once(clock: FakeTime) -> None:
    for error, calls in ((Final(), 1), (KeyboardInterrupt(), 1)):
        call = Answers(error, "too late")
        with pytest.raises(type(error)):
            insisted(call, passing=passes, timeout_s=10)
        assert call.calls == calls
    assert clock.pauses_s == []


def test_error_that_does_not_pass_is_raised_behind_passing_ones_too(clock: FakeTime) -> None:
    call = Answers(Passing(), Final(), "too late")
    with pytest.raises(Final):
        insisted(call, passing=passes, timeout_s=10)
    assert call.calls == 2


@pytest.mark.parametrize("timeout_s", [0, 0.01, 1, 30])
def test_error_at_hand_is_raised_when_the_time_is_up_and_never_after_it(clock: FakeTime, timeout_s: float) -> None:
    last = Passing("still")
    with pytest.raises(Passing) as raised:
        insisted(Answers(Passing("first"), last), passing=passes, timeout_s=timeout_s)
    assert raised.value is last or timeout_s < 0.02
    assert clock.now_s <= 100 + timeout_s
    assert clock.now_s > 100 + timeout_s - 0.6  # not given up long before
    assert max(clock.pauses_s, default=0) <= 0.5


def test_time_that_the_call_itself_takes_counts(clock: FakeTime) -> None:
    calls = 0

    def slow() -> None:
        nonlocal calls
        calls += 1
        clock.now_s += 4
        raise Passing

    with pytest.raises(Passing):
        insisted(slow, passing=passes, timeout_s=10)
    assert calls == 3
