"""The real processor on fakes: one job through its deaths, in a fraction of a millisecond each.

Everything but the ports is what runs in production; reading ahead is done in turn and waiting takes no time, so one
schedule of faults gives one history. The judge is the same as for real runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from harness.fakes import Crash, FakeCheckpoints, FakeCheckpointTable, FakeKey, FakeObject, FakePartition, FakeSink
from harness.fakes.faults import Fault, Faults
from harness.history import Attempt, CheckpointVersion, Evidence, GroupOffset, PartitionEnd, Records, Step, Strike
from harness.record_rule import RecordRule
from harness.workload import Workload
from processor import read_ahead, save_beside
from processor.csv_source import BatchLimits, CsvSource
from processor.errors import EXIT_DONE, EXIT_UNEXPECTED, ProcessorError
from processor.model import BadRows, Delivery, SinkSettings, ValueFormat
from processor.opening import JobRules
from processor.pace import Pace
from processor.ports import Step as StepName
from processor.processor import CSVToKafkaProcessor
from processor.record_parts import RecordParts
from processor.stop import Clock, StopSignal

JOB_ID = "job"
GROUP = f"csv-to-kafka.{JOB_ID}"
SIGKILL = 9
MOST_ATTEMPTS = 12


class FakeClock(Clock):
    """Waiting takes no time, but time passes."""

    def __init__(self, on_pause: Callable[[float], None]) -> None:
        super().__init__(StopSignal())
        self._now = 0.0
        self._on_pause = on_pause

    def now(self) -> float:
        """Return the seconds that were waited."""
        return self._now

    def pause(self, seconds: float) -> None:
        """Let time pass, here and for the broker."""
        self._now += seconds
        self._on_pause(seconds)


@dataclass(slots=True)
class Notes:
    """An observer that keeps the steps."""

    steps: list[Step] = field(default_factory=list)
    ticks: Iterator[int] = field(default_factory=itertools.count)

    def step(self, step: StepName, **fields: object) -> None:
        """Keep a step, with the order of all steps as its clock; see `ports.Observer`."""
        self.steps.append(Step({"step": step.value, "ts": next(self.ticks), **fields}))


class FakeJob:
    """One job in a world of fakes, which outlives its runs."""

    def __init__(
        self,
        workload: Workload,
        *,
        delivery: Delivery = Delivery.EXACTLY_ONCE,
        interval_rows: int = 2,
        faults: Iterable[Fault | str] = (),
        markers_lag: bool = False,
        expected: tuple[bytes, ...] | None = None,
        rule: RecordRule = RecordRule(),  # noqa: B008  # frozen
        bad_rows: BadRows = BadRows.FAIL,
    ) -> None:
        self.workload = workload
        self.rule = rule
        self.expected = rule.expected(workload, "json") if expected is None else expected
        self.delivery = delivery
        self.bad_rows = bad_rows
        longest = {"max_row_bytes": workload.shape.max_row_bytes} if workload.shape.max_row_bytes else {}
        self.limits = BatchLimits(interval_rows=interval_rows, **longest)
        self.pace: Pace | None = None
        self.faults = Faults(faults)
        self.key = FakeKey(workload.csv)
        self.partition = FakePartition(markers_lag=markers_lag)
        self.table = FakeCheckpointTable()
        self.attempts: list[Attempt] = []
        self._numbers = itertools.count(1)  # of attempts as they start: one may end before an older one
        self._ticks = itertools.count()  # one clock for all runs, so that the judge can tell what came first

    def attempt(self, owner: str | None = None) -> Attempt:
        """Run one process of the job to its end, its death or its refusal."""
        number = next(self._numbers)
        notes = Notes(ticks=self._ticks)
        code: int | None = EXIT_DONE
        died: int | None = None
        try:
            self.run(notes, owner or f"run-{number}").run()
        except Crash:
            code, died = None, SIGKILL
        except ProcessorError as error:
            code = error.exit_code
        except AssertionError:
            raise
        except Exception:  # noqa: BLE001  # what __main__ does with a bug
            code = EXIT_UNEXPECTED
        attempt = Attempt(number, code, died, tuple(notes.steps))
        self.attempts.append(attempt)
        return attempt

    def run(self, notes: Notes, owner: str) -> CSVToKafkaProcessor:
        """Return a run that is ready to start."""
        stored = FakeObject(self.key, chunk_bytes=64, faults=self.faults)
        parts = RecordParts(self.rule.key, self.rule.position, self.rule.timestamp)
        letters = "bad" if self.bad_rows is BadRows.DEAD_LETTER else ""
        settings = SinkSettings("fake:9092", "rows", 0, GROUP, self.delivery, parts=parts, dead_letter_topic=letters)
        source = CsvSource(
            stored,
            url=self.key.url,
            value_format=ValueFormat.JSON,
            limits=self.limits,
            parts=parts,
            clock=lambda: 0.0,
        )
        return CSVToKafkaProcessor(
            source,
            FakeSink(self.partition, settings, faults=self.faults),
            FakeCheckpoints(self.table, job_id=JOB_ID, owner=owner, faults=self.faults),
            notes,
            rules=JobRules(self.delivery, f"shape-{self.delivery}", self.bad_rows),
            pace=self.pace,
            read_ahead=read_ahead.in_turn,
            saving=save_beside.in_turn,
            clock=FakeClock(self._pass_time),
        )

    def _pass_time(self, seconds: float) -> None:
        self.partition.pass_time(int(seconds * 1000))
        self.partition.finish_commits()  # the coordinator writes markers without being asked

    @property
    def item(self) -> dict[str, int | str]:
        """The checkpoint as it stands."""
        return self.table.get(JOB_ID) or {}

    def finish(self) -> Attempt:
        """Start the job again until it ends with a code that a restart does not mend."""
        for _ in range(MOST_ATTEMPTS):
            attempt = self.attempt()
            if attempt.exit_code not in (None, 75):
                break
        return self.attempts[-1]

    def evidence(self) -> Evidence:
        """Gather what the judge needs."""
        self.partition.finish_commits()
        bounds = self.partition.bounds()
        offset = self.partition.group_offsets.get(GROUP)
        return Evidence(
            expected=self.expected,
            delivery=self.delivery.value,
            committed=self._told(committed=True),
            uncommitted=self._told(committed=False),
            partition=PartitionEnd(bounds.start, bounds.stable, bounds.end),
            position=None if offset is None else GroupOffset(*offset),
            checkpoints=tuple(
                CheckpointVersion(number, attributes)
                for number, (_, attributes) in enumerate(self.table.versions, start=1)
            ),
            attempts=tuple(self.attempts),
            strikes=tuple(Strike("fault", str(fault), landed=True) for fault in self.faults.struck),
            bad_rows=0 if self.bad_rows is BadRows.FAIL else len(self.workload.bad),
            lost_commits=self.partition.has_lost_commits,
        )

    def _told(self, *, committed: bool) -> Records:
        return Records.of(
            (offset, self.rule.told(c.value, key=c.key, headers=c.headers, at_ms=c.timestamp_ms or 0))
            for offset, c in self.partition.contents(committed=committed)
        )


def every_fault(calls: Iterable[tuple[str, int]]) -> Iterator[Fault]:
    """Yield, for each call, the process's death and the call's failure, before and after the effect, and half-way."""
    for call, nth in calls:
        for ending in ("crashes", "fails"):
            endings = ["before", "after"]
            if call in ("sink.send", "sink.commit"):
                endings.append("at 1")
            if call in ("sink.commit", "checkpoints.claim", "checkpoints.save", "table.update_item"):
                endings += ["late 1", "late 3"]
            yield from (Fault.parse(f"{call}:{nth} {ending} {when}") for when in endings)
