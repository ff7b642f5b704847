"""The checks of how the run ended, and of whether it proves anything. Pure."""

from array import array
from collections.abc import Iterator

from harness.anomaly import SilentSuccess, Stuck, Vacuous
from harness.checks.case import Case
from harness.history import CheckpointVersion

REFUSALS = frozenset({2, 3, 5, 6})  # the exit codes that state a reason which a restart does not take away


def find_silent_successes(case: Case) -> Iterator[SilentSuccess]:
    """The job says that it is done, and rows, position or checkpoint say otherwise (I5)."""
    if not case.finished:
        return
    attempt, rows = case.finished_by, len(case.evidence.expected)
    absent = sum(missing.rows for missing in case.differences.missing) + len(case.differences.replaced)
    if absent:
        yield SilentSuccess(attempt, f"{absent:,} of {rows:,} rows are not in the partition")
    position, version = case.evidence.position, _version_at_the_end(case)
    if case.exactly_once and position is not None and position.good_rows != rows:
        yield SilentSuccess(attempt, f"the position is row {position.good_rows:,} of {rows:,}")
    elif case.exactly_once and position is not None and position.offset != rows + case.evidence.bad_rows:
        bad = case.evidence.bad_rows
        yield SilentSuccess(attempt, f"the position skips {position.offset - rows:,} rows, {bad:,} are bad")
    if version is None or version.attributes is None:
        return
    counted = version.count("rows")
    if not version.completed:
        yield SilentSuccess(attempt, f"the checkpoint says {version.attributes.get('status')}")
    elif counted is not None and counted - (version.count("skipped") or 0) != rows:
        yield SilentSuccess(attempt, f"the checkpoint counts {counted:,} rows, the object has {rows:,}")
    elif counted is not None and counted != rows + case.evidence.bad_rows:
        bad = case.evidence.bad_rows
        yield SilentSuccess(attempt, f"the checkpoint skips {counted - rows:,} rows, {bad:,} are bad")
    elif version.good_rows is not None and version.good_rows < rows:
        yield SilentSuccess(attempt, f"the checkpoint was last saved at row {version.good_rows:,} of {rows:,}")


def _version_at_the_end(case: Case) -> CheckpointVersion | None:
    """The checkpoint as the end of the job left it: a run that claimed it afterwards has not had its say yet."""
    last = case.last_version
    if last is None or last.completed:
        return last
    versions = reversed(case.evidence.checkpoints)
    done = next((version for version in versions if version.completed and not version.planted), None)
    return done if done is not None and (last.count("epoch") or 0) > (done.count("epoch") or 0) else last


def find_stuck(case: Case) -> Iterator[Stuck]:
    """No attempt ended with 0, though the harness started it as often as it may, and none refused.

    Exit 4 is no refusal of the job, because the newer run has to finish; 70, 75, 130, 143 and a signal are none.
    """
    attempts = case.evidence.attempts
    if not attempts or case.finished_by is not None or case.evidence.expected_exit in _exits(case):
        return
    if REFUSALS.isdisjoint(_exits(case)):
        rows = len(case.evidence.expected)
        yield Stuck(len(attempts), attempts[-1].ended, case.visible_end, rows)


def find_vacuous(case: Case) -> Iterator[Vacuous]:
    """Planned strikes that missed, or that came too early to prove anything."""
    for strike in case.evidence.strikes:
        if not strike.landed:
            yield Vacuous(strike.name, f"planned ({strike.planned}), but it did not land")
        elif strike.rows_sent < strike.rows_wanted:
            yield Vacuous(strike.name, f"only {strike.rows_sent} of {strike.rows_wanted} rows were sent before it")


def doubts(case: Case) -> Iterator[str]:
    """What keeps a run without an anomaly from being valid: the evidence cannot carry that verdict."""
    evidence, exits = case.evidence, _exits(case)
    if not evidence.attempts:
        yield "no attempt is recorded: nobody says that the job ran to its end"
    elif evidence.expected_exit not in exits and (case.finished_by is not None or REFUSALS & exits):
        ends = ", ".join(sorted({attempt.ended for attempt in evidence.attempts}))
        yield f"the job had to end with {evidence.expected_exit}, and ended with {ends}"
    if case.gone_rows:
        yield f"the first {case.gone_rows:,} rows are gone with the partition's retention: nobody can judge them"
    if evidence.uncommitted is not None and evidence.uncommitted.offsets != evidence.committed.offsets:
        hidden, first = _not_in(evidence.committed.offsets, evidence.uncommitted.offsets)
        if hidden:
            yield f"{hidden:,} committed records, offset {first} first, are not in the uncommitted read"


def _exits(case: Case) -> set[int]:
    return {a.exit_code for a in case.evidence.attempts if a.signal is None and a.exit_code is not None}


def _not_in(offsets: "array[int]", all_offsets: "array[int]") -> tuple[int, int]:
    """How many of `offsets` are not among the others, and the first such; both ascend, so no set is needed."""
    missing, first, at, end = 0, -1, 0, len(all_offsets)
    for offset in offsets:
        while at < end and all_offsets[at] < offset:
            at += 1
        if at == end or all_offsets[at] != offset:
            missing, first = missing + 1, offset if not missing else first
    return missing, first
