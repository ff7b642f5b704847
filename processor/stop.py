"""Asking a run to end, and a clock whose waits listen to it."""

from __future__ import annotations

import math
import threading
import time

from processor.errors import Stopped


class StopSignal:
    """Set by a signal handler; the run looks at it between batches and in every wait."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._number = 0
        self._asked_at = self._heard_at = math.inf

    def ask(self, signal_number: int) -> bool:
        """Ask the run to end after the batch at hand; return whether it had been asked before."""
        again = self._asked.is_set()
        if not again:
            self._asked_at = time.monotonic()
        self._number = signal_number
        self._asked.set()
        return again

    @property
    def number(self) -> int:
        """Return the signal that asked, 0 before one has."""
        return self._number

    def ms_since_asked(self) -> int:
        """Return how long ago it was first asked, in milliseconds; only for after it was."""
        return round((time.monotonic() - self._asked_at) * 1000)

    @property
    def asked_at(self) -> float:
        """Return when it was first asked, by `time.monotonic`; infinity before."""
        return self._asked_at

    @property
    def heard_at(self) -> float:
        """Return when the run first took note, which it does when no commit is at hand; infinity before."""
        return self._heard_at

    def check(self) -> None:
        """Raise Stopped once asked."""
        if self._asked.is_set():
            self._heard_at = min(self._heard_at, time.monotonic())
            raise Stopped(self._number)

    def wait(self, seconds: float) -> None:
        """Wait, or raise Stopped as soon as asked."""
        self._asked.wait(seconds)
        self.check()


class Clock:
    """Time as the processor knows it; tests bring one of their own."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop

    def now(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait; raises Stopped as soon as a signal asks for the end."""
        self._stop.wait(seconds)
