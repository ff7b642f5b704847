"""What the checks share: the evidence, and what is worked out from it once. Pure.

Rows are counted here in rows that become records: where a policy skips bad rows, the skipped ones are taken off.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from harness.checks.differences import Differences, Missing, find_differences
from harness.checks.generations import Generation, generations_of
from harness.history import EXACTLY_ONCE, Attempt, CheckpointVersion, Evidence, Records

TELLING = frozenset({"resumed", "sent", "committed"})  # the steps that tell of batches


@dataclass(frozen=True, slots=True)
class SentBatch:
    """The rows [row, row_end) that one attempt reports as sent, and whether it reports them as committed.

    The commit came after `sent_at_s`, the clock of the `sent` line, and before `committed_at_s`.
    """

    attempt: int
    epoch: int | None
    row: int
    row_end: int
    sent_at_s: float | None
    committed_at_s: float | None
    committed: bool


@dataclass(frozen=True, slots=True)
class Case:
    """The evidence as the checks read it.

    `records` is the final committed read from the job's first offset on. `gone_rows` are rows at the head whose
    records the cluster has deleted by its retention: nobody can judge them. `batches` are in the order in which the
    attempts tell of them, `generations` by the number of the attempt.
    """

    evidence: Evidence
    records: Records
    differences: Differences
    gone_rows: int
    batches: tuple[SentBatch, ...]
    generations: Mapping[int, Generation]
    batches_by_row: tuple[SentBatch, ...]
    most_rows_of_a_batch: int

    @property
    def exactly_once(self) -> bool:
        """True if transactions were promised: what they promise is judged then, and only then."""
        return self.evidence.delivery == EXACTLY_ONCE

    @property
    def finished_by(self) -> int | None:
        """The first attempt that ended with 0."""
        return next((a.number for a in self.evidence.attempts if a.signal is None and a.exit_code == 0), None)

    @property
    def last_version(self) -> CheckpointVersion | None:
        """The checkpoint as it stood at the end, unless a nemesis had the last word."""
        versions = self.evidence.checkpoints
        return versions[-1] if versions and not versions[-1].planted else None

    @property
    def finished(self) -> bool:
        """True if the job says that it is done, by its exit code or by its checkpoint."""
        version = self.last_version
        return self.finished_by is not None or (version is not None and version.completed)

    @property
    def tail(self) -> Missing | None:
        """The rows missing at the end of the object, whether they were due or not."""
        rows = len(self.evidence.expected)
        missing = self.differences.missing
        return missing[-1] if missing and missing[-1].row + missing[-1].rows == rows else None

    @property
    def visible_end(self) -> int:
        """The row after the last one that is visible."""
        return len(self.evidence.expected) if self.tail is None else self.tail.row

    @property
    def due_rows(self) -> int:
        """How many rows have to be visible: all of a finished job, else those it reports as committed."""
        if self.finished:
            return len(self.evidence.expected)
        position = self.evidence.position
        reported = max((batch.row_end for batch in self.batches if batch.committed), default=0)
        return max(reported, position.good_rows if position is not None and self.exactly_once else 0)

    def senders(self, row: int) -> tuple[int, ...]:
        """The attempts that report `row` as sent."""
        senders: set[int] = set()
        at = bisect_right(self.batches_by_row, row, key=attrgetter("row"))
        while at and self.batches_by_row[at - 1].row > row - self.most_rows_of_a_batch:
            at -= 1
            if row < self.batches_by_row[at].row_end:
                senders.add(self.batches_by_row[at].attempt)
        return tuple(sorted(senders))


def open_case(evidence: Evidence) -> Case:
    """The case that this evidence makes: compared once, for all checks."""
    records = evidence.committed.since(evidence.first_offset)
    differences = find_differences(evidence.expected, records.values)
    gone = 0
    first = differences.missing[0] if differences.missing else None
    if first is not None and first.row == 0 and first.index == 0 and evidence.partition.start > evidence.first_offset:
        gone = first.rows
        differences = replace(differences, missing=differences.missing[1:])
    batches = _batches(evidence.attempts)
    return Case(
        evidence,
        records,
        differences,
        gone,
        batches,
        generations_of(evidence.attempts, evidence.checkpoints),
        tuple(sorted(batches, key=attrgetter("row"))),
        max((batch.row_end - batch.row for batch in batches), default=0),
    )


def _batches(attempts: Sequence[Attempt]) -> tuple[SentBatch, ...]:
    """Every batch that the step lines tell of. A `sent` line without `rows` reaches back to the line before it."""
    batches: list[SentBatch] = []
    for attempt in attempts:
        reached = 0
        pending: SentBatch | None = None
        for step in attempt.steps:
            row_end = step.next_row if step.name in TELLING else None
            if row_end is None:
                continue
            row = reached if step.rows is None else row_end - step.rows
            if step.name == "committed" and pending is not None and pending.row_end == row_end:
                batches.append(replace(pending, committed=True, committed_at_s=step.at_s))
                pending = None
            else:
                batches.extend([pending] if pending else [])
                pending = None
                if step.name != "resumed":
                    done = step.name == "committed"
                    sent_at_s, done_at_s = (None, step.at_s) if done else (step.at_s, None)
                    pending = SentBatch(attempt.number, step.epoch, row, row_end, sent_at_s, done_at_s, committed=done)
            reached = row_end
        batches.extend([pending] if pending else [])
    return tuple(batches)
