"""What a benchmark asks of a peer: one run over prepared rows, timed, and one resume where the peer can do that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class PeerUnavailable(Exception):  # a state of the machine rather than a mistake
    """Why a peer cannot run on this machine; the text follows `NOT RUN: <name>,`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The rows of one measurement, ready for every peer, in two files that say the same.

    `csv` is the object that our processor reads, with its header. `lines` has the values that our processor would
    send, one JSON object a line in row order, so that peers which cannot read CSV send equal bytes.
    """

    csv: Path
    lines: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The steady part of a run: this many rows became visible to committed readers in this time.

    The rows that were the first to be seen, all at once, are not among them, nor is the time before that moment.
    """

    rows: int
    seconds: float

    @property
    def rows_per_s(self) -> float:
        """Return the rate. Raises ValueError where all rows were seen at once: the run was too short to be timed."""
        if self.seconds <= 0:
            raise ValueError("all rows became visible at once: too few to measure")
        return self.rows / self.seconds


class Peer(Protocol):
    """A program to compare with. Used as a context manager: what it needs for all its runs is up inside.

    Entering raises PeerUnavailable where the machine lacks something. A peer writes to partition 0 of topics that
    have no other partition. Making the topic, counting what arrived (`count.count_rows`) and some runs before the
    first that counts, so that broker and peer are warm, are the caller's.
    """

    @property
    def name(self) -> str:
        """Return what it is called in a table, with the setting that tells it from its like."""

    @property
    def delivery(self) -> str:
        """Return what it promises with these settings: at-least-once, or exactly-once."""

    @property
    def in_order(self) -> bool:
        """Tell whether it sends every row once, in order; False where it draws as many rows at random."""

    def run(self, prepared: Prepared, topic: str) -> Measured:
        """Move every row into the empty topic; return once all are visible.

        Raises RuntimeError, with what the program said, where it failed, and harness.wait.TimedOut.
        """

    def resume_s(self, prepared: Prepared, topic: str) -> float | None:
        """Kill it in mid-file with SIGKILL, start it again, and let it end.

        Returns the seconds from that start to the first new committed row; None where the program knows no resume.
        Raises as `run` does, and RuntimeError where there were too few rows to be cut short.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
