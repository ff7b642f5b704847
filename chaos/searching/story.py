"""A story: one job, what strikes it and its runs, as one line that plays the same whenever it is played.

::

    rows=3 interval=1 csv=0 lag=no exactly-once: sink.commit:2 crashes before; run; checkpoint-lost; run

Each part is a fault of `harness.fakes.faults`, an event, or `run`, which plays one run to its end. The number in
`sink.commit:2` counts the calls of that name from the part on, whichever run makes them. An event happens at once, or
just before such a call: `position-expires before sink.send:1`. `csv` is 0 for numbered rows, 1 for rows that are all
the same, else the seed of a generated object. After the last part the job is left alone and has to finish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from chaos.mutants.trials import written
from chaos.on_fakes import GROUP, JOB_ID, FakeJob
from harness.fakes import GroupOffset
from harness.history import Evidence, Records
from harness.workload import Workload, generate, pick_shape
from processor.errors import EXIT_DONE, Contradiction, SourceChanged, Superseded
from processor.model import Delivery

RUN = "run"
NUMBERED, ALIKE = 0, 1
_STORY = re.compile(
    r"rows=(?P<rows>\d+) interval=(?P<interval>\d+) csv=(?P<csv>\d+) lag=(?P<lag>yes|no) (?P<delivery>[a-z-]+):"
    r"(?P<parts>.*)"
)
_FAULT = re.compile(r"(?P<call>[a-z_.]+):(?P<nth>\d+) (?P<how>(fails|crashes) .+)")
_EVENT = re.compile(r"(?P<event>[a-z-]+)( before (?P<call>[a-z_.]+):(?P<nth>\d+))?")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a job is made of: its object, the rows of one transaction, and whether a commit's markers are slow."""

    rows: int = 3
    interval_rows: int = 1
    csv_seed: int = NUMBERED
    markers_lag: bool = False
    delivery: Delivery = Delivery.EXACTLY_ONCE

    def __str__(self) -> str:
        lag = "yes" if self.markers_lag else "no"
        return f"rows={self.rows} interval={self.interval_rows} csv={self.csv_seed} lag={lag} {self.delivery}"


class Story:
    """One job as far as it has been told."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        workload, self.expected = _object(setting.csv_seed, setting.rows)
        self.job = FakeJob(
            workload,
            delivery=setting.delivery,
            interval_rows=setting.interval_rows,
            markers_lag=setting.markers_lag,
            expected=self.expected,
        )
        self.parts: list[str] = []
        self.happened: list[str] = []  # events whose moment came
        self.position_expired = False  # and not been written anew
        self.is_replaced = False  # the object, by another one
        self.put_back: tuple[GroupOffset, GroupOffset] | None = (
            None  # the position: what it was, and what it was put to
        )
        self._live: list[tuple[int, bytes]] = []

    @classmethod
    def parse(cls, line: str) -> tuple[Setting, tuple[str, ...]]:
        """Read the line that `str` writes: the setting, and the parts to be played."""
        found = _STORY.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"not a story: {line!r}")
        rows, interval, csv_seed = (int(found[name]) for name in ("rows", "interval", "csv"))
        setting = Setting(rows, interval, csv_seed, found["lag"] == "yes", Delivery(found["delivery"]))
        return setting, tuple(part.strip() for part in found["parts"].split(";") if part.strip())

    def __str__(self) -> str:
        return f"{self.setting}: {'; '.join(self.parts)}"

    def play(self, part: str) -> None:
        """Play one part more."""
        self.parts.append(part)
        if part == RUN:
            self.job.attempt()
        elif fault := _FAULT.fullmatch(part):
            self.job.faults.strike_next(fault["call"], fault["how"], nth=int(fault["nth"]))
        elif (event := _EVENT.fullmatch(part)) and event["event"] in EVENTS:
            self._happens(event["event"], event["call"], int(event["nth"] or 0))
        else:
            raise ValueError(f"no part of a story: {part!r}")
        self._read_on()

    def finish(self) -> None:
        """Leave the job alone, the object as it is: start it until it ends with a code that a restart does not mend.

        A claim of a dead run may still arrive and end one run with 4.
        """
        self.job.faults.forget()
        for _ in range(1 + self.job.faults.held_up):
            if self.job.finish().exit_code != Superseded.exit_code:
                break
        self._read_on()

    @property
    def is_put_back(self) -> bool:
        """Whether the position is the one that it was put back to from outside, and no commit is about to move it."""
        partition = self.job.partition
        if self.put_back is None or partition.is_settling:
            return False
        return partition.group_offsets.get(GROUP) == self.put_back[1]

    @property
    def due_exit(self) -> int:
        """How the job has to end as things stand."""
        if self.is_replaced:
            return SourceChanged.exit_code
        return Contradiction.exit_code if self.is_put_back else EXIT_DONE

    def mend(self) -> None:
        """Undo what was changed from outside: the job's object, and its position where it is still the changed one."""
        if self.is_replaced:
            self.job.key.put(self.job.workload.csv)
        if self.is_put_back and self.put_back is not None:
            self.job.partition.group_offsets[GROUP] = self.put_back[0]
        self.is_replaced, self.put_back = False, None

    def evidence(self) -> Evidence:
        """Gather what the judge needs, and what a live reader saw after each part."""
        return replace(self.job.evidence(), live=Records.of(self._live))

    def _happens(self, name: str, call: str | None, nth: int) -> None:
        def event() -> None:
            self.happened.append(name)
            EVENTS[name](self)

        if call is None:
            event()
        else:
            self.job.faults.before(call, self.job.faults.count(call) + nth, event)

    def _read_on(self) -> None:
        first = self._live[-1][0] + 1 if self._live else 0
        self._live += self.job.partition.committed(first)


@lru_cache(maxsize=4096)
def _object(csv_seed: int, rows: int) -> tuple[Workload, tuple[bytes, ...]]:
    """Return the object and its records."""
    if csv_seed in (NUMBERED, ALIKE):
        cells = [(f"row-{row}" if csv_seed == NUMBERED else "row",) for row in range(rows)]
        workload = written("numbered" if csv_seed == NUMBERED else "alike", ("word",), cells)
    else:
        workload = generate(csv_seed, rows=rows, shape=replace(pick_shape(Random(csv_seed)), huge_rows=0))
    return workload, workload.values("json")


# -- events ----------------------------------------------------------------------------------------------------------
# One that would leave nobody a way to know where the job stands does not happen: both of its places lost at once.


def _second_run(story: Story) -> None:
    story.job.attempt()


def _transactions_time_out(story: Story) -> None:
    story.job.partition.pass_time(60_000)


def _markers_arrive(story: Story) -> None:
    story.job.partition.finish_commits()


def _position_expires(story: Story) -> None:
    partition = story.job.partition
    partition.finish_commits()
    if GROUP in partition.group_offsets and "start_offset" in story.job.item:
        partition.expire_group_offsets()
        story.position_expired = True


def _checkpoint_lost(story: Story) -> None:
    partition = story.job.partition
    partition.finish_commits()
    if story.is_put_back:
        return
    if story.job.item and (GROUP in partition.group_offsets or not any(partition.committed())):
        story.job.table.delete(JOB_ID)


def _object_replaced(story: Story) -> None:
    partition = story.job.partition
    partition.finish_commits()
    if not story.is_replaced and any(partition.committed()):  # before a row is committed, it is simply another job
        story.is_replaced = True
        story.job.key.put(story.job.workload.csv + b"another\n")


def _position_put_back(story: Story) -> None:
    partition, item = story.job.partition, story.job.item
    partition.finish_commits()
    was, row = partition.group_offsets.get(GROUP), int(item.get("last_line", 0)) - 1
    if was is not None and row >= 0 and not story.is_put_back:
        byte_offset = story.job.workload.ranges[row].start
        metadata = json.dumps(json.loads(was.metadata) | {"row": row, "byte_offset": byte_offset})
        story.put_back = (was, GroupOffset(row, metadata))
        partition.group_offsets[GROUP] = story.put_back[1]


EVENTS: dict[str, Callable[[Story], None]] = {
    "second-run": _second_run,
    "transactions-time-out": _transactions_time_out,
    "markers-arrive": _markers_arrive,
    "position-expires": _position_expires,
    "checkpoint-lost": _checkpoint_lost,
    "object-replaced": _object_replaced,
    "mended": Story.mend,
    "position-put-back": _position_put_back,
}
