"""What can happen next, and how it is written down: one word for each turn, one line for a schedule.

::

    2              run 2 makes the call it stands before
    2:fails        the call fails without effect; its client gives up
    2:lost         it takes effect, the answer is lost, the client gives up
    2:resent       it takes effect, the answer is lost, the client of the table sends the request once more
    2:held         it fails, but the request is on its way and may arrive later
    2:held-resent  as held, and the client of the table sends the request once more
    2:at-1         it fails with one record written; for a commit, `at-0`, with the position in the open transaction
    2:dies         it takes effect, and the process dies; before the effect is: after the one before
    2:dies-held    it dies with the request on its way
    2:dies-at-1    it dies with one record written
    :arrives-0     the oldest request that was held arrives (1: the one after it)
    :expire        open transactions outlive their timeout
    :rows          a decided commit's marker reaches the partition
    :position      and the group offset, in either order
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from chaos.interleave.runs import Stop
from chaos.interleave.stage import EXPIRE, SHOW_POSITION, SHOW_ROWS
from chaos.interleave.turns import (
    BOUNDS,
    COMMIT,
    FENCE,
    GET,
    PAUSE,
    POSITION,
    RECORDS,
    SEND,
    UPDATE,
    Answer,
    Effect,
    Failed,
    played,
)

GOES, FAILS, LOST, RESENT, HELD, HELD_RESENT = "", "fails", "lost", "resent", "held", "held-resent"
DIES, DIES_HELD = "dies", "dies-held"
AT, DIES_AT = "at-", "dies-at-"
ARRIVES = "arrives-"
WRITES = (UPDATE, FENCE, SEND, COMMIT)
READS_OF_LOG = (BOUNDS, RECORDS)
# What the cluster does by itself commutes with every call but these, so it happens just before one of them or never.
# A fence is not among them for events: it ends and aborts everything itself.
EVENTS_MATTER_TO = {
    EXPIRE: (SEND, COMMIT, *READS_OF_LOG),
    SHOW_ROWS: READS_OF_LOG,
    SHOW_POSITION: (POSITION,),
}
ARRIVALS_MATTER_TO = {
    UPDATE: (GET, UPDATE),
    FENCE: (SEND, COMMIT, POSITION, *READS_OF_LOG),
    SEND: (FENCE, SEND, COMMIT, POSITION, *READS_OF_LOG),
    COMMIT: (FENCE, SEND, COMMIT, POSITION, *READS_OF_LOG),
}
TAKES_EFFECT = (GOES, LOST, RESENT, DIES)
IS_HELD = (HELD, HELD_RESENT, DIES_HELD)
_LINE = re.compile(r"processors=(?P<processors>\d+) rows=(?P<rows>\d+) interval=(?P<interval>\d+): (?P<turns>.*)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One interleaving from the start: how many runs are started, on which input, and the turns in order."""

    processors: int
    rows: int
    interval_rows: int
    turns: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> Schedule:
        """Read the line that `str` writes."""
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"not a schedule: {line!r}")
        processors, rows, interval_rows = (int(found[name]) for name in ("processors", "rows", "interval"))
        return cls(processors, rows, interval_rows, tuple(found["turns"].split()))

    def __str__(self) -> str:
        counts = f"processors={self.processors} rows={self.rows} interval={self.interval_rows}"
        return f"{counts}: {' '.join(self.turns)}"


def faults_of(stop: Stop, *, interval_rows: int) -> tuple[str, ...]:
    """Return every way in which the call that a run stands before can end badly, each that differs to anybody.

    A process that dies before or in a read might have died at its last effect; a read that was lost has failed.
    """
    if stop.call == PAUSE:
        return ()
    if stop.call not in WRITES:
        return (FAILS,)
    faults = [FAILS, LOST, HELD, DIES, DIES_HELD]
    if stop.call == UPDATE and not stop.resends:
        faults += [RESENT, HELD_RESENT]
    parts = {SEND: range(1, interval_rows), COMMIT: range(1)}.get(stop.call, range(0))
    return (*faults, *(f"{how}{done}" for done in parts for how in (AT, DIES_AT)))


def is_fault(turn: str) -> bool:
    """Whether a turn is something going wrong; calls, markers and requests that arrive late are not."""
    number, _, how = turn.partition(":")
    return how != GOES if number else how == EXPIRE


def played_as(how: str, effect: Effect) -> Answer:
    """Play a call as a turn says, and return the answer to it; a process that dies never hears of it."""
    if how == GOES:
        return played(effect)
    if how in (LOST, RESENT, DIES):
        played(effect)
    elif how.startswith((AT, DIES_AT)):
        played(effect, int(how.rpartition("-")[2]))
    elif how not in (FAILS, HELD, HELD_RESENT, DIES_HELD):
        raise ValueError(f"not a turn: {how!r}")
    return Failed(for_good=how not in (RESENT, HELD_RESENT))
