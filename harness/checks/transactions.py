"""The checks of what Kafka's transactions promise beside fencing: isolation, atomicity, and an end. Pure."""

from bisect import bisect_left
from collections.abc import Iterator
from operator import attrgetter

from harness.anomaly import AbortedRead, HangingTransaction, TornTransaction
from harness.checks.case import Case
from harness.history import Records


def find_aborted_reads(case: Case) -> Iterator[AbortedRead]:
    """What the live committed reader saw and the final committed read does not hold; retention is no abort."""
    live, final = case.evidence.live, case.evidence.committed
    if live is None or (live.offsets == final.offsets and live.values == final.values):
        return
    for offset, value in zip(live.offsets, live.values, strict=True):
        if offset < case.evidence.partition.start:
            continue
        at = bisect_left(final.offsets, offset)
        held = final.values[at] if at < len(final) and final.offsets[at] == offset else None
        if held != value:
            yield AbortedRead(offset, value, held)


def find_torn_transactions(case: Case) -> Iterator[TornTransaction]:
    """Commits that took effect in part, an indeterminate one among them: all of it may be visible, or nothing.

    Each commit or abort takes an offset of its own, so neighbouring offsets are one transaction: neighbouring rows
    at neighbouring offsets, one visible and one not, with no border of a batch between them, are a tear. Rows and
    position move in one transaction too: the position is the row after the last visible one.
    """
    if not case.exactly_once:
        return
    uncommitted = case.evidence.uncommitted
    if uncommitted is not None:
        yield from _tears(case, uncommitted.since(case.evidence.first_offset))
    yield from _positions_without_rows(case)
    position, end = case.evidence.position, case.visible_end
    if position is not None and position.good_rows != end:
        detail = f"the position is row {position.good_rows}, but the visible rows end before row {end}"
        yield TornTransaction(end, case.records.offsets[-1] if len(case.records) else None, detail)
    elif position is None and not case.finished and end and case.batches and end not in _borders(case):
        detail = "the visible rows end inside a batch"
        yield TornTransaction(end, case.records.offsets[-1] if len(case.records) else None, detail)


def _positions_without_rows(case: Case) -> Iterator[TornTransaction]:
    """Where a run resumed just behind rows that are not there: what moved the position did not bring its rows."""
    holes = case.differences.missing  # ascending
    for attempt in case.evidence.attempts if holes else ():
        for step in attempt.steps:
            reached = step.next_row if step.name == "resumed" else None
            at = 0 if reached is None else bisect_left(holes, reached, key=attrgetter("row"))
            if reached is not None and at and reached <= holes[at - 1].row + holes[at - 1].rows:
                detail = f"attempt {attempt.number} found the position at row {reached}, and the rows before it gone"
                yield TornTransaction(holes[at - 1].row, None, detail)


def _borders(case: Case) -> set[int]:
    """Every row at which a batch may begin or end, as far as step lines tell."""
    borders = {border for batch in case.batches for border in (batch.row, batch.row_end)}
    for attempt in case.evidence.attempts:
        borders.update(
            step.next_row for step in attempt.steps if step.name in ("resumed", "rebuilt") and step.next_row is not None
        )
    return borders


def _tears(case: Case, uncommitted: Records) -> Iterator[TornTransaction]:
    suspects = _half_visible(case, uncommitted)
    if not suspects:
        return
    pairs = {(uncommitted.values[k], uncommitted.values[k + 1]) for k in suspects}
    rows: dict[tuple[bytes, bytes], list[int]] = {}
    expected = case.evidence.expected
    for row in range(len(expected) - 1):
        if (pair := (expected[row], expected[row + 1])) in pairs:
            rows.setdefault(pair, []).append(row)
    borders = _borders(case)
    for k, visible in suspects.items():
        found = rows.get((uncommitted.values[k], uncommitted.values[k + 1]), [])
        # Two writers may stand side by side without a commit between them; equal rows leave a doubt. Neither convicts.
        if found and not any(row + 1 in borders for row in found):
            seen, unseen = (found[0], found[0] + 1) if visible else (found[0] + 1, found[0])
            detail = f"row {seen} is visible, its neighbour {unseen} in the same transaction is not"
            yield TornTransaction(found[0] + 1, uncommitted.offsets[k + 1], detail)


def _half_visible(case: Case, uncommitted: Records) -> dict[int, bool]:
    """Where one of two neighbouring offsets is visible: index of the first of the two, and whether it is the one.

    Records from the last stable offset on are undecided, and count as neither.
    """
    committed = case.records.offsets
    if committed == uncommitted.offsets:
        return {}
    suspects: dict[int, bool] = {}
    offset_before, visible_before = -2, False
    at, end = 0, len(committed)  # both reads ascend
    for k, offset in enumerate(uncommitted.offsets):
        if offset >= case.evidence.partition.last_stable:
            break
        while at < end and committed[at] < offset:
            at += 1
        visible = at < end and committed[at] == offset
        if offset == offset_before + 1 and visible != visible_before:
            suspects[k - 1] = visible_before
        offset_before, visible_before = offset, visible
    return suspects


def find_hanging_transactions(case: Case) -> Iterator[HangingTransaction]:
    """A job that ended as done and left a transaction open. One that was killed leaves that to the next run."""
    partition = case.evidence.partition
    if case.finished and partition.last_stable < partition.end:
        yield HangingTransaction(partition.last_stable, partition.end)
