"""Waiting returns what became true, and says what did not."""

from __future__ import annotations

import time
from itertools import count

import pytest

from harness.wait import TimedOut, until


def test_truth_at_once_is_returned_without_waiting() -> None:
    began_s = time.monotonic()
    assert until(lambda: "ready", within_s=60, what="nothing", every_s=60) == "ready"
    assert time.monotonic() - began_s < 1


def test_first_truthy_value_is_returned() -> None:
    numbers = count()
    assert until(lambda: next(numbers), within_s=10, what="a number above zero", every_s=0.001) == 1


def test_timeout_names_what_was_awaited_and_the_last_answer() -> None:
    with pytest.raises(TimedOut, match=r"0\.01 s for the moon.*last answer was \[\]"):
        until(list, within_s=0.01, what="the moon", every_s=0.001)


def test_truth_that_comes_during_the_last_pause_is_still_found() -> None:
    began_s = time.monotonic()
    assert until(lambda: time.monotonic() - began_s > 0.04, within_s=0.05, what="0.04 s", every_s=10)


def test_deadline_is_kept_when_the_pause_is_longer() -> None:
    began_s = time.monotonic()
    with pytest.raises(TimedOut):
        until(lambda: False, within_s=0.05, what="nothing", every_s=60)
    assert time.monotonic() - began_s < 5


def test_error_of_the_predicate_ends_the_waiting() -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        until(broken, within_s=60, what="nothing")
