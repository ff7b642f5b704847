"""Bounds for calls that have none of their own, and for asking again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def bounded(call: Callable[[], T], *, timeout_s: float, what: str) -> T:
    """Run `call` and return or raise what it does, or raise TimeoutError after `timeout_s`.

    A call that ran out of time goes on in a daemon thread: only for objects that are thrown away afterwards.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # noqa: BLE001  # carried over to the caller, whatever it is
            failure.append(error)

    thread = threading.Thread(target=run, name=f"bounded {what}", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure:
        raise failure[0]
    if not outcome:
        msg = f"{what} took longer than {timeout_s:g} s"
        raise TimeoutError(msg)
    return outcome[0]


def insisted(call: Callable[[], T], *, passing: Callable[[Exception], bool], timeout_s: float) -> T:
    """Call until it succeeds; an error that is not passing, or the one at hand after `timeout_s`, is raised."""
    deadline, pause_s = time.monotonic() + timeout_s, 0.02
    while True:
        try:
            return call()
        except Exception as error:
            if not passing(error) or time.monotonic() + pause_s > deadline:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.5)
