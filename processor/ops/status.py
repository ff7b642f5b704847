"""`status`: what the checkpoint table says of a job, with what can be worked out from it; pure.

What cannot be known is None, and `unknown` for a person: no rate from a run that has saved nothing, no end foretold
for a run that may be dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from processor.model import Checkpoint, CommittedPosition, ForeignPosition, Status
from processor.resume import Found

STALE_S = 60.0  # a healthy run saves every few seconds: a batch is full, or five seconds are over
SHORTEST_S = 1.0  # a rate over less says nothing
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Job:
    """One item. `checkpoint` is None where it is not one of ours, and `why` says so.

    Times are by the clock of the machine that ran the job; None in an item that does not have them.
    """

    job_id: str
    checkpoint: Checkpoint | None
    saved_at: datetime | None = None
    claimed_at: datetime | None = None
    claimed_row: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One job. The fields and their order are those of a line of `status --json`; None is what is not known.

    `rows_per_s` is the average from the last run's claim to its last save, `stale` a job that is RUNNING and has not
    saved for STALE_S, `position_row` Kafka's position, and `rows_ahead` how far that is ahead of the checkpoint.
    """

    job_id: str
    status: str | None
    epoch: int | None
    source: str | None
    partition: int | None
    rows_done: int | None
    rows_total: int | None
    rows_skipped: int | None
    bytes_done: int | None
    bytes_total: int | None
    percent: float | None
    rows_per_s: float | None
    saved_at: str | None
    saved_s_ago: float | None
    stale: bool
    eta_s: float | None
    position_row: int | None
    rows_ahead: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was asked beside the table: None where nobody was, or there was no answer; `why` says which."""

    size_bytes: int | None = None
    position: Found = None
    position_asked: bool = False
    why: tuple[str, ...] = ()


def report(job: Job, looked: Looked, now: datetime) -> Report:
    """Work out what there is to say."""
    checkpoint = job.checkpoint
    if checkpoint is None:
        nothing = dict.fromkeys(Report.__dataclass_fields__)
        return Report(**nothing | {"job_id": job.job_id, "stale": False, "error": job.why})  # type: ignore[arg-type]
    at, size_bytes = checkpoint.position, looked.size_bytes
    completed = checkpoint.status is Status.COMPLETED
    age_s = None if job.saved_at is None else max(0.0, (now - job.saved_at).total_seconds())
    stale = checkpoint.status is Status.RUNNING and (age_s is None or age_s > STALE_S)
    rate = _rows_per_s(job)
    eta_s = None
    if checkpoint.status is Status.RUNNING and not stale and rate and size_bytes and at.row and at.byte_offset:
        rows_left = (size_bytes - at.byte_offset) * at.row / at.byte_offset
        eta_s = round(max(0.0, rows_left) / rate, 1)
    position_row = looked.position.position.row if isinstance(looked.position, CommittedPosition) else None
    return Report(
        job_id=job.job_id,
        status=checkpoint.status.value,
        epoch=checkpoint.lease.epoch,
        source=checkpoint.start.source_url if checkpoint.start else None,
        partition=checkpoint.start.destination.partition if checkpoint.start else None,
        rows_done=at.row,
        rows_total=checkpoint.rows if completed else None,
        rows_skipped=at.skipped,
        bytes_done=at.byte_offset,
        bytes_total=size_bytes,
        percent=100.0 if completed else round(100 * at.byte_offset / size_bytes, 1) if size_bytes else None,
        rows_per_s=None if rate is None else round(rate, 1),
        saved_at=None if job.saved_at is None else job.saved_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        saved_s_ago=None if age_s is None else round(age_s, 1),
        stale=stale,
        eta_s=eta_s,
        position_row=position_row,
        rows_ahead=None if position_row is None else position_row - at.row,
        error=checkpoint.error,
    )


def _rows_per_s(job: Job) -> float | None:
    """Return the last run's average, from its claim to its last save."""
    if job.checkpoint is None or job.claimed_at is None or job.claimed_row is None or job.saved_at is None:
        return None
    rows, seconds = job.checkpoint.position.row - job.claimed_row, (job.saved_at - job.claimed_at).total_seconds()
    return rows / seconds if rows > 0 and seconds >= SHORTEST_S else None


def page(found: Report, looked: Looked) -> list[str]:
    """Return the lines for one job."""
    if found.status is None:
        return [f"job       {found.job_id}", f"error     {found.error}"]
    total = UNKNOWN if found.bytes_total is None else f"{found.bytes_total:,}"
    percent = UNKNOWN if found.percent is None else f"{found.percent:.1f} %"
    rows_total = "" if found.rows_total is None else f" of {found.rows_total:,}"
    skipped = f", {found.rows_skipped:,} bad ones skipped" if found.rows_skipped else ""
    lines = [
        f"job       {found.job_id}",
        f"source    {found.source or UNKNOWN}",
        f"status    {found.status}, epoch {found.epoch}, saved {_ago(found.saved_s_ago)}",
        f"rows      {found.rows_done:,}{rows_total}{skipped}",
        f"bytes     {found.bytes_done:,} of {total}, {percent}",
        f"rate      {_rate(found.rows_per_s)}",
        f"eta       {_eta(found)}",
        f"position  {_position(found, looked)}",
    ]
    if found.stale:
        lines.append("note      RUNNING without a save for so long: if no run is alive, start the same command again")
    lines += [f"note      {why}" for why in looked.why]
    return [*lines, f"error     {' '.join(found.error.split())}"] if found.error else lines


def table(found: Sequence[Report], looked: Sequence[Looked]) -> list[str]:
    """Return the lines for many jobs: a line each, columns as wide as they need to be; then what could not be asked.

    AHEAD is how many rows Kafka's position is ahead of the checkpoint.
    """
    head = ("JOB", "STATUS", "ROWS", "DONE", "AHEAD", "ROWS/S", "SAVED", "ETA", "ERROR")
    rows = [
        (
            one.job_id,
            "?" if one.status is None else f"{one.status}{'?' if one.stale else ''}",
            "" if one.rows_done is None else f"{one.rows_done:,}",
            "?" if one.percent is None else f"{one.percent:.1f} %",
            "?" if one.rows_ahead is None else f"{one.rows_ahead:,}",
            "?" if one.rows_per_s is None else f"{one.rows_per_s:,.0f}",
            _ago(one.saved_s_ago),
            _eta(one) if one.status == Status.RUNNING else "",
            " ".join((one.error or "").split())[:60],
        )
        for one in sorted(found, key=lambda one: one.job_id)
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    notes = sorted({f"note: {why}" for look in looked for why in look.why})
    return [*("  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)), *notes]


def _rate(rows_per_s: float | None) -> str:
    return UNKNOWN if rows_per_s is None else f"{rows_per_s:,.0f} rows/s, the last run's average"


def _eta(found: Report) -> str:
    if found.status != Status.RUNNING:
        return "no run is at work"
    return UNKNOWN if found.eta_s is None else _duration(found.eta_s)


def _ago(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{_duration(seconds)} ago"


def _position(found: Report, looked: Looked) -> str:
    if not looked.position_asked:
        return f"{UNKNOWN}: Kafka was not asked"
    if isinstance(looked.position, ForeignPosition):
        return f"not ours: {looked.position.why}"
    if found.position_row is None or found.rows_ahead is None:
        return "none in Kafka: no row committed, expired, or at-least-once"
    if found.rows_ahead == 0:
        return f"row {found.position_row:,}, where the checkpoint is"
    direction = "ahead of" if found.rows_ahead > 0 else "BEHIND"
    return f"row {found.position_row:,}, {abs(found.rows_ahead):,} rows {direction} the checkpoint"


def _duration(seconds: float) -> str:
    """Say a duration in its two largest units."""
    if seconds < 60:  # noqa: PLR2004  # seconds of a minute
        return f"{seconds:.0f} s"
    minutes = int(seconds) // 60
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days} d {hours_left} h"
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {int(seconds) % 60} s"
