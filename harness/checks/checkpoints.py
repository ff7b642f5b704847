"""The checks of the checkpoint: it may be behind the partition, never ahead of it, and it never goes back. Pure."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from harness.anomaly import CheckpointAhead, CheckpointRegressed
from harness.checks.case import Case
from harness.checks.generations import BEFORE_ALL, Generation, lives_of
from harness.history import Attempt, CheckpointVersion


def find_checkpoints_ahead(case: Case) -> Iterator[CheckpointAhead]:
    """Versions and saves that count what was not there. What a nemesis planted is not judged.

    A version is ahead if it counts more rows than are visible at the end, or an offset past the end; if it parts the
    records at `next_offset` elsewhere than at its row; or if a later run, which reads its position after it fenced,
    resumed below it. The last two not where the broker lost commits: what was counted came later, at other offsets. A
    save is ahead if the attempt's own lines tell of it before they tell of the commit.
    """
    clean = not case.differences.repeated and not case.differences.moved and not case.differences.missing[:-1]
    reports = _Reports(case)
    versions = case.evidence.checkpoints
    for life, version in zip(lives_of(versions), versions, strict=True):
        last_line = version.count("last_line")
        if version.planted or last_line is None:
            continue
        detail = _ahead_of_partition(case, version)
        if detail is None and case.exactly_once and not case.evidence.lost_commits:
            detail = reports.ahead_of_resume(version, life)
            if detail is None and clean and not case.gone_rows:
                detail = _parted_elsewhere(case, version)
        if detail is not None:
            yield CheckpointAhead(version.number, last_line, detail)
    for attempt in case.evidence.attempts:
        yield from _saved_too_early(case, attempt)


def _ahead_of_partition(case: Case, version: CheckpointVersion) -> str | None:
    next_offset, end = version.count("next_offset"), case.evidence.partition.end
    if version.good_rows is not None and version.good_rows > case.visible_end:
        return f"only {case.visible_end} rows are visible"
    if next_offset is not None and next_offset > end:
        return f"next_offset {next_offset} is past the end of the partition, {end}"
    return None


class _Reports:
    """What runs report, by generation: the most rows committed up to one, the lowest resume after one."""

    def __init__(self, case: Case) -> None:
        rows = sorted(
            (case.generations.get(batch.attempt, BEFORE_ALL), batch.row_end)
            for batch in case.batches
            if batch.committed
        )
        self._committed_in = [generation for generation, _ in rows]
        self._most_rows = list(accumulate((row_end for _, row_end in rows), max))
        resumes = sorted(_resumes(case), reverse=True)
        self._resumed_in = [generation for generation, _, _ in reversed(resumes)]
        self._lowest = list(accumulate(((row, attempt) for _, row, attempt in resumes), min))[::-1]

    def ahead_of_resume(self, version: CheckpointVersion, life: int) -> str | None:
        """Which later run found its position below the rows of this version, if none was reported as committed."""
        epoch, rows = version.count("epoch"), version.good_rows or 0
        if epoch is None:
            return None
        # Rows reported as committed by then were there to be counted: a later run below them resumed too low.
        by_then = bisect_right(self._committed_in, (life, epoch))
        if by_then and self._most_rows[by_then - 1] >= rows:
            return None
        later = bisect_right(self._resumed_in, (life, epoch))
        if later < len(self._lowest) and self._lowest[later][0] < rows:
            row, attempt = self._lowest[later]
            return f"saved in epoch {epoch}, and attempt {attempt} found the position at row {row}"
        return None


def _resumes(case: Case) -> Iterator[tuple[Generation, int, int]]:
    """Where each run found its position, with its generation before it and its number behind it."""
    for attempt in case.evidence.attempts:
        generation = case.generations.get(attempt.number)
        for step in attempt.steps if generation is not None else ():
            if step.name == "resumed" and step.next_row is not None and generation is not None:
                yield generation, step.next_row, attempt.number


def _parted_elsewhere(case: Case, version: CheckpointVersion) -> str | None:
    next_offset, rows, offsets = version.count("next_offset"), version.good_rows, case.records.offsets
    if next_offset is None or rows is None or rows > len(offsets):
        return None
    if rows and offsets[rows - 1] >= next_offset:
        return f"its last row is at offset {offsets[rows - 1]}, not before its next_offset {next_offset}"
    if rows < len(offsets) and offsets[rows] < next_offset:
        return f"its next_offset {next_offset} is past offset {offsets[rows]}, which holds a row it does not count"
    return None


def _saved_too_early(case: Case, attempt: Attempt) -> Iterator[CheckpointAhead]:
    done_by = ("resumed", "committed") if case.exactly_once else ("resumed", "sent", "committed")
    done = 0
    for step in attempt.steps:
        name = step.name
        row = step.next_row if name == "saved" or name in done_by else None
        if row is None:
            continue
        if name in done_by:
            done = max(done, row)
        elif row > done:
            detail = f"saved before anything beyond row {done} was reported as {done_by[-1]}"
            yield CheckpointAhead(None, row, detail, attempt.number)


def find_checkpoints_regressed(case: Case) -> Iterator[CheckpointRegressed]:
    """Versions behind the one before them, whoever wrote it: a lower epoch may not save, a save may not go back.

    An epoch belongs to one owner, so a claim that does not raise it is behind what it should be.
    """
    before: CheckpointVersion | None = None
    for version in case.evidence.checkpoints:
        for attribute in () if before is None or version.planted else ("epoch", "last_line"):
            was, now = before.count(attribute) if before else None, version.count(attribute)
            least_rise = attribute == "epoch" and before is not None and _changes_owner(before, version)
            if was is not None and now is not None and now < was + least_rise:
                yield CheckpointRegressed(version.number, attribute, was, now, version.count("epoch"))
        before = version


def _changes_owner(before: CheckpointVersion, version: CheckpointVersion) -> bool:
    owners = [(seen.attributes or {}).get("owner") for seen in (before, version)]
    return None not in owners and owners[0] != owners[1]
