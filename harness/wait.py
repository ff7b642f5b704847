"""Waiting for something to become true, with a deadline and a name for what was awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(Exception):  # reads as what happened: `except TimedOut`
    """The deadline passed before the awaited thing became true."""


def until(predicate: Callable[[], T], *, within_s: float, what: str, every_s: float = 0.05) -> T:
    """Return the first truthy value of `predicate`; it is asked at once, every `every_s`, and a last time at the end.

    Raises TimedOut, which names `what`. What `predicate` raises is passed on.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        last_try = time.monotonic() >= deadline_s
        value = predicate()
        if value:
            return value
        if last_try:
            raise TimedOut(f"waited {within_s:g} s for {what}; the last answer was {value!r}")
        time.sleep(min(every_s, max(0.0, deadline_s - time.monotonic())))
