"""Times a run from outside, the same way for every peer: by what a committed reader could see, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from confluent_kafka import KafkaException

from benchmarks.peers.peer import Measured
from harness.growth import Growth
from harness.wait import until

EVERY_S = 0.01
ALL_VISIBLE_WITHIN_S = 90.0
NEW_ROW_WITHIN_S = 300.0


class Watch:
    """Looks at the end of a topic a hundred times a second, in a thread, from entering to leaving.

    A sample costs the broker one small request, the same for every peer.
    """

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._committed = Growth(bootstrap_servers, topic, "read_committed")
        self._written = Growth(bootstrap_servers, topic, "read_uncommitted")
        self._start = self._committed.end()
        self._samples: list[tuple[float, int]] = []
        self._failure: KafkaException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name=f"watch {topic}", daemon=True)

    @property
    def grown(self) -> int:
        """Return by how many offsets the topic has visibly grown since the beginning."""
        return self._samples[-1][1] - self._start if self._samples else 0

    def measured(self, rows: int) -> Measured:
        """Return the steady part of a run that has sent so many rows, and nothing else.

        Offsets that hold commit markers are taken to be spread evenly among the rows. Raises TimedOut where a
        transaction stays open, and KafkaException where the broker went away meanwhile.
        """
        end = until(self._decided_end, within_s=ALL_VISIBLE_WITHIN_S, what="all that was written to be visible")
        until(lambda: self.grown >= end - self._start, within_s=10, what="the watch to see the end")
        began_s, began = next(sample for sample in self._samples if sample[1] > self._start)
        ended_s, _ = next(sample for sample in self._samples if sample[1] >= end)
        return Measured(round(rows * (end - began) / (end - self._start)), ended_s - began_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _decided_end(self) -> int:
        """Return the end once all before it is visible, until then 0."""
        if self._failure is not None:
            raise self._failure
        end = self._committed.end()
        return end if end > self._start and end == self._written.end() else 0

    def _look(self) -> None:
        try:
            while not self._stopping.wait(EVERY_S):
                self._samples.append((time.monotonic(), self._committed.end()))
        except KafkaException as failure:
            self._failure = failure


def time_to_new_row(
    bootstrap_servers: str, topic: str, rows: int, *, kill: Callable[[], None], start: Callable[[], None]
) -> float:
    """Kill a peer once its first rows are visible; return the seconds from its new start to the next ones.

    Raises RuntimeError where all `rows` were sent before the kill, and TimedOut.
    """
    committed = Growth(bootstrap_servers, topic, "read_committed")
    written = Growth(bootstrap_servers, topic, "read_uncommitted")
    until(lambda: committed.end() > 0, within_s=NEW_ROW_WITHIN_S, what="the first rows", every_s=0.005)
    kill()
    end = written.end()
    if committed.end() >= rows:
        raise RuntimeError(f"all {rows:,} rows were sent before the kill")
    began_s = time.monotonic()
    start()
    # What the dead one had written comes to light first, or one more offset is the marker that aborts it.
    until(lambda: committed.end() > end + 1, within_s=NEW_ROW_WITHIN_S, what="a new row", every_s=EVERY_S)
    return time.monotonic() - began_s
