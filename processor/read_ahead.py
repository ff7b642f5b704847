"""How batches are read: beside the commit of the one before (production), or in turn (tests)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator

from processor.model import Batch

BATCHES_AHEAD = 2
_LOOK_AGAIN_S = 0.1


def in_turn(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Read each batch when it is asked for."""
    yield from batches


def prefetch(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """Read up to two batches ahead in a thread; an error comes where its batch would have come.

    Closing the iterator drops what was read ahead and ends the thread.
    """
    slots: queue.Queue[Batch | BaseException | None] = queue.Queue(BATCHES_AHEAD)
    closed = threading.Event()

    def offer(slot: Batch | BaseException | None) -> bool:
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
        while (slot := slots.get()) is not None:
            if isinstance(slot, BaseException):
                raise slot
            yield slot
    finally:
        closed.set()
