"""A bar for a person at a terminal: share of the bytes, rows, rate, time to the end.

Sixty lines of our own in the place of a library: rows and bytes move together here, a bar of a library counts one of
them, and the step lines of the same terminal have to go past it.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TextIO

from processor.ports import Observer, Step
from processor.step_lines import LEVELS

WINDOW_S = 30.0  # the rate is that of so long: a retry or a slow broker shows soon, and no single batch does
DRAW_EVERY_S = 0.1
COLUMNS = 80  # at most; and where the terminal does not say
CELLS = 24


class Progress:
    """`ports.Observer` that draws on a terminal, and passes each step on to the inner one.

    A line of the inner one may go to the same terminal: the bar makes room for it. The cursor is left at the bar's
    start, so whatever else is printed there overwrites it.
    """

    def __init__(self, inner: Observer, terminal: TextIO, *, now: Callable[[], float] = time.monotonic) -> None:
        self._inner, self._terminal, self._now = inner, terminal, now
        self._lock = threading.Lock()  # a save tells its step from a thread of its own
        self._size_bytes: int | None = None
        self._seen: deque[tuple[float, int, int]] = deque()  # when, row, byte
        self._drawn, self._drawn_at = 0, float("-inf")

    def step(self, step: Step, **fields: Any) -> None:
        """Pass the step on, and draw; see `ports.Observer`."""
        with self._lock:
            if step is Step.RESUMED:
                self._size_bytes = fields["size_bytes"]
                self._seen.clear()
            if step in {Step.RESUMED, Step.COMMITTED}:
                self._note(fields["row"], fields["byte_offset"])
            if step is Step.DONE and self._seen:
                self._size_bytes = self._size_bytes and fields["byte_offset"]  # blank lines may follow the last row
                self._draw("\n")
            elif step in LEVELS:
                self._write("")
            self._inner.step(step, **fields)
            if self._seen and step is Step.COMMITTED and self._now() >= self._drawn_at + DRAW_EVERY_S:
                self._draw("\r")

    def _note(self, row: int, byte_offset: int) -> None:
        self._seen.append((self._now(), row, byte_offset))
        while len(self._seen) > 2 and self._seen[1][0] < self._now() - WINDOW_S:  # noqa: PLR2004  # a rate takes two
            self._seen.popleft()

    def _draw(self, end: str) -> None:
        self._drawn_at = self._now()
        self._write(bar(self._size_bytes, self._seen[0], self._seen[-1]), end)

    def _write(self, text: str, end: str = "\r") -> None:
        """Write over what is there."""
        text = text[: _columns(self._terminal) - 1]
        try:
            self._terminal.write(text.ljust(self._drawn) + end)
            self._terminal.flush()
        except OSError:  # the terminal has gone; the rows are more important than the bar
            self._terminal = io.StringIO()
        self._drawn = len(text) if end == "\r" else 0


def bar(size_bytes: int | None, first: tuple[float, int, int], last: tuple[float, int, int]) -> str:
    """Return the bar between two sights of the job, each (seconds, row, byte); without a size it has no share."""
    seconds, rows, read = (after - before for before, after in zip(first, last, strict=True))
    rate = f"{rows / seconds:,.0f} rows/s" if seconds > 0 else "- rows/s"
    if not size_bytes:
        return f"{last[1]:,} rows  {last[2] / 1e6:,.1f} MB  {rate}"
    share = last[2] / size_bytes
    full = int(share * CELLS)
    left = timedelta(seconds=round((size_bytes - last[2]) * seconds / read)) if read > 0 and seconds > 0 else "-"
    return f"{100 * share:5.1f} % [{'#' * full}{'.' * (CELLS - full)}] {last[1]:,} rows  {rate}  ETA {left}"


def _columns(terminal: TextIO) -> int:
    try:
        return min(os.get_terminal_size(terminal.fileno()).columns or COLUMNS, COLUMNS)
    except OSError:  # it is none, whatever it said
        return COLUMNS
