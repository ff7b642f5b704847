"""Trials: a workload and a strike on fakes, which bring a mutant out and leave the unbroken processor valid."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TypeAlias

from chaos.on_fakes import GROUP, JOB_ID, FakeJob
from harness.fakes import Crash, GroupOffset
from harness.history import Evidence
from harness.record_rule import RecordRule
from harness.workload import RowRange, Shape, Workload, generate
from processor.errors import EXIT_DONE
from processor.model import BadRows, Delivery

Play: TypeAlias = Callable[[FakeJob], None]

NONE_NEEDED = "none needed"
PATIENCE_FENCES = 50  # a run that fences so often without an end is killed by whoever watches it


class StrikeMissed(RuntimeError):
    """A planned fault found no call to strike."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A workload, what strikes, and how the job is played to its end.

    `faults` are lines of `harness.fakes.faults`; `event` says in words what `play` does beside starting runs.
    `expected_exit` is how the job has to end under this strike, `rule` what its records hold beside values.
    """

    workload: Callable[[], Workload]
    faults: tuple[str, ...] = ()
    event: str = ""
    play: Play | None = None  # None is `finish`
    interval_rows: int = 2
    delivery: Delivery = Delivery.EXACTLY_ONCE
    expected_exit: int = EXIT_DONE
    rule: RecordRule = RecordRule()  # noqa: RUF009  # frozen

    def perform(self) -> Evidence:
        """Run the job in a new world and gather the evidence. Raises StrikeMissed, for such a run proves nothing."""
        workload = self.workload()
        job = FakeJob(
            workload,
            delivery=self.delivery,
            interval_rows=self.interval_rows,
            faults=self.faults,
            bad_rows=BadRows.SKIP if workload.bad else BadRows.FAIL,
            rule=self.rule,
        )
        (self.play or finish)(job)
        if job.faults.missed:
            raise StrikeMissed(f"{', '.join(map(str, job.faults.missed))} in {len(job.attempts)} attempts")
        return replace(job.evidence(), expected_exit=self.expected_exit)

    @property
    def strike(self) -> str:
        """What strikes, as one phrase."""
        return "; ".join([*self.faults, *([self.event] if self.event else [])]) or NONE_NEEDED


# -- workloads -------------------------------------------------------------------------------------------------------


@cache
def numbered() -> Workload:
    """Nine rows that all differ: two columns, ASCII, nothing quoted, no blank lines."""
    return written("numbered", ("id", "word"), [(f"{row}", f"word-{row}") for row in range(9)])


@cache
def unended() -> Workload:
    """The numbered rows, the last one without a line end."""
    whole = numbered()
    last = replace(whole.ranges[-1], line_end=whole.ranges[-1].end)
    return replace(whole, name="unended", csv=whole.csv[:-1], ranges=(*whole.ranges[:-1], last))


@cache
def accented() -> Workload:
    """Nine rows of one column with a character of two bytes in each."""
    return written("accented", ("word",), [(f"caf\u00e9-{row}-ab",) for row in range(9)])


@cache
def gappy() -> Workload:
    """Nine rows with a blank line after each second one."""
    return written("gappy", ("id", "word"), numbered().rows, blank_after=range(1, 9, 2))


@cache
def repeating() -> Workload:
    """Eight rows, each equal to its neighbour."""
    return written("repeating", ("id", "word"), [(f"{row // 2}", "twice") for row in range(8)])


@cache
def alike() -> Workload:
    """Nine rows that are all the same."""
    return written("alike", ("word",), [("same",)] * 9)


@cache
def timed() -> Workload:
    """Nine rows with a moment each, in no order."""
    moments = [f"2024-02-{1 + 7 * row % 9:02}T12:00:00.{row:03}+01:00" for row in range(9)]
    return written("timed", ("id", "at"), [(f"{row}", moment) for row, moment in enumerate(moments)])


@cache
def spoiled() -> Workload:
    """The numbered rows with bad ones at both ends, between them one by one, and as many as two batches hold."""
    good = [f"{row},word-{row}\n".encode() for row in range(9)]
    bad = [b"short\n", b"1,2,3\n", b'"4"x,5\n', b"6,\xff\n", b'"7\n\n",8,9\n', b"10,x\ry\n"]
    lines = [*bad[:1], *good[:3], *bad[1:2], *good[3:6], *bad[:5], *good[6:8], bad[5], good[8], *bad[2:4]]
    csv = b"id,word\n"
    ranges, faults = list[RowRange](), list[RowRange]()
    for line in lines:
        place = RowRange(len(csv), len(csv) + len(line) - 1, len(csv) + len(line))
        (ranges if line in good else faults).append(place)
        csv += line
    return Workload("spoiled", 0, Shape(columns=2), csv, ("id", "word"), numbered().rows, tuple(ranges), tuple(faults))


@cache
def mixed() -> Workload:
    """Sixty rows of everything: BOM, CRLF, quotes, newlines in cells, many scripts, empty cells, blank lines."""
    return generate(11, rows=60, shape=Shape(columns=3, line_ends=("\n", "\r\n"), bom=True, last_newline=False))


def written(
    name: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, blank_after: Collection[int] = ()
) -> Workload:
    """Write rows that need no quotes."""
    csv = ",".join(header).encode() + b"\n"
    ranges = []
    for row, cells in enumerate(rows):
        text = ",".join(cells).encode()
        ranges.append(RowRange(len(csv), len(csv) + len(text), len(csv) + len(text) + 1))
        csv += text + (b"\n\n" if row in blank_after else b"\n")
    return Workload(name, 0, Shape(columns=len(header)), csv, header, tuple(rows), tuple(ranges))


def _changed(csv: bytes) -> bytes:
    """Return another object of the same size, whose rows lie at the same bytes."""
    header, _, rows = csv.partition(b"\n")
    return header + b"\n" + rows.replace(b"word", b"WORD")


# -- how a job is played ---------------------------------------------------------------------------------------------


def finish(job: FakeJob) -> None:
    """Start the job until it is done."""
    job.finish()


def position_expires(job: FakeJob) -> None:
    """The group offset is gone when the second run starts."""
    job.attempt()
    job.partition.expire_group_offsets()
    job.finish()


def checkpoint_lost(job: FakeJob) -> None:
    """The checkpoint is gone when the second run starts."""
    job.attempt()
    job.table.delete(JOB_ID)
    job.finish()


def lost_checkpoint_made_anew_by_a_run_that_dies(job: FakeJob) -> None:
    """The checkpoint is gone when the second run starts; it dies before its save, and the position expires."""
    job.attempt()
    job.table.delete(JOB_ID)
    job.faults.strike_next("checkpoints.save", "crashes before")
    job.attempt()
    job.partition.expire_group_offsets()
    job.finish()


def commit_lost(nth: int, *, position_only: bool = False) -> Play:
    """Return the play in which Kafka loses what it has answered as the n-th commit, and the next send fails."""

    def play(job: FakeJob) -> None:
        job.partition.markers_lag = True
        lose = partial(job.partition.lose_commits, visible=position_only)
        job.faults.before("sink.send", nth + 1, lose)
        job.finish()

    return play


def position_put_back(job: FakeJob) -> None:
    """The third run finds the position one row behind the checkpoint, the fourth one where it was."""
    job.attempt()
    job.attempt()
    offsets, row = job.partition.group_offsets, int(job.item["last_line"]) - 1
    was = offsets[GROUP]
    place = {"row": row, "byte_offset": job.workload.ranges[row].start}
    offsets[GROUP] = GroupOffset(row, json.dumps(json.loads(was.metadata) | place))
    job.attempt()
    offsets[GROUP] = was
    job.finish()


def replaced_in_mid_run(job: FakeJob) -> None:
    """The object becomes another one of the same size, and after the run the old one again."""
    before = job.workload.csv
    job.faults.before("sink.send", 2, lambda: job.key.put(_changed(before)))
    job.attempt()
    job.key.put(before)
    job.finish()


def replaced_between_runs(job: FakeJob) -> None:
    """The second run finds another object of the same size, the third one the old object."""
    job.attempt()
    job.key.put(_changed(job.workload.csv))
    job.attempt()
    job.key.put(job.workload.csv)
    job.finish()


def started_once_more(job: FakeJob) -> None:
    """The job is started until it is done, and then once more."""
    job.finish()
    job.attempt()


def rival_before(call: str, nth: int) -> Play:
    """Return the play in which an older run stands before a call while a newer one runs to its end or death."""

    def play(job: FakeJob) -> None:
        job.faults.before(call, nth, lambda: job.attempt("newer"))
        job.attempt("older")
        job.finish()

    return play


def rival_before_the_second_runs_fence(job: FakeJob) -> None:
    """The second run stands between claim and fence while a third one runs to its end or death."""
    job.attempt()
    rival_before("sink.fence", 2)(job)


def broker_gone_for_ever(job: FakeJob) -> None:
    """The broker goes in mid-batch; the run has to end by itself, or is killed for not ending."""

    def lose_patience() -> None:
        raise Crash(f"killed after {PATIENCE_FENCES} fences")

    def go() -> None:
        job.partition.reachable = False

    job.faults.before("sink.commit", 2, go)
    job.faults.before("sink.fence", PATIENCE_FENCES, lose_patience)
    job.attempt()
