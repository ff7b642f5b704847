"""How batches are read: beside the commit of the one before (production), or in turn (tests)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

from processor.model import Batch

Slot: TypeAlias = Batch | BaseException | None  # the next batch, what came in its place, or the end

BATCHES_AHEAD = 2
_LOOK_AGAIN_S = 0.1


def in_turn(batches: Iterator[Batch], _check: Callable[[], None]) -> Generator[Batch, None, None]:
    """Read each batch when it is asked for."""
    yield from batches


def prefetch(batches: Iterator[Batch], check: Callable[[], None]) -> Generator[Batch, None, None]:
    """Read up to two batches ahead in a thread; an error comes where its batch would have come.

    While it waits for a batch it calls `check`, which may raise: a source that is silent must not outlast a signal.
    Closing the iterator drops what was read ahead and ends the thread.
    """
    slots: queue.Queue[Slot] = queue.Queue(BATCHES_AHEAD)
    closed = threading.Event()

    def offer(slot: Slot) -> bool:
        while not closed.is_set():
            try:
                slots.put(slot, timeout=_LOOK_AGAIN_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for batch in batches:
                if not offer(batch):
                    return
            offer(None)
        except BaseException as error:  # noqa: BLE001  # carried over to the loop, whatever it is
            offer(error)

    threading.Thread(target=read, name="read-ahead", daemon=True).start()
    try:
        while (slot := _next(slots, check)) is not None:
            if isinstance(slot, BaseException):
                raise slot
            yield slot
    finally:
        closed.set()


def _next(slots: queue.Queue[Slot], check: Callable[[], None]) -> Slot:
    while True:
        try:
            return slots.get(timeout=_LOOK_AGAIN_S)
        except queue.Empty:
            check()
