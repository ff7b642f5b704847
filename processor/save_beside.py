"""How checkpoints are saved: beside the sending of the next batch (production), or in turn (tests, at-least-once)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

from processor.model import Position

Save: TypeAlias = Callable[[Position, int | None], None]


@contextmanager
def in_turn(save: Save) -> Iterator[Save]:
    """Save when asked, before anything else is done."""
    yield save


@contextmanager
def beside(save: Save) -> Iterator[Save]:
    """Save in a thread, one save at a time: asking for the next one waits for the one before.

    What a save raises is raised by the next one, or at the end of the block, in the place of what ended the block. No
    save is under way after the block.
    """
    running: list[Future[None]] = []

    def ask(position: Position, next_offset: int | None) -> None:
        if running:
            running.pop().result()
        running.append(threads.submit(save, position, next_offset))

    with ThreadPoolExecutor(1, thread_name_prefix="save") as threads:
        try:
            yield ask
        finally:
            if running:
                running.pop().result()
