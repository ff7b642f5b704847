"""Asking a run to end, and a clock whose waits listen to it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from processor.errors import Stopped


class StopSignal:
    """Set by a signal handler; the run looks at it between batches and in every wait."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._number = 0
        self._asked_at = math.inf
        self._idle_since = -math.inf

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

    @contextmanager
    def commit_at_hand(self) -> Iterator[None]:
        """Say that a batch is being sent and committed: in the meantime a request to end has to wait."""
        self._idle_since = math.inf
        try:
            yield
        finally:
            self._idle_since = time.monotonic()

    @property
    def is_commit_at_hand(self) -> bool:
        """Return whether a batch is being sent and committed."""
        return self._idle_since == math.inf

    def deadline(self, *, drain_s: float, wrap_up_s: float) -> float:
        """Return when the run must have ended, by `time.monotonic`; infinity before it was asked.

        That is `wrap_up_s` after the request, or after the commit at hand then, but `drain_s` after it at the latest.
        """
        return min(self._asked_at + drain_s, max(self._asked_at, self._idle_since) + wrap_up_s)

    def check(self) -> None:
        """Raise Stopped once asked."""
        if self._asked.is_set():
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
