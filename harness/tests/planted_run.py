"""A run without a fault, as evidence, for tests to plant one fault in: three batches of four rows, one attempt.

The partition it leaves: rows 0 to 3 at offsets 0 to 3, a commit marker at 4, rows 4 to 7 from 5 on, and so on.
"""

from collections.abc import Iterable, Sequence

from harness.history import (
    EXACTLY_ONCE,
    Attempt,
    CheckpointVersion,
    Evidence,
    GroupOffset,
    PartitionEnd,
    Record,
    Records,
    Step,
)

BATCH_ROWS = 4
ROWS = tuple(f'{{"id":"{row}"}}'.encode() for row in range(3 * BATCH_ROWS))
END = len(ROWS) + len(ROWS) // BATCH_ROWS


def offset_of(row: int) -> int:
    """Where the clean run puts a row: every batch before it took one offset for its marker."""
    return row + row // BATCH_ROWS


def clean_records(rows: Iterable[int] = range(len(ROWS))) -> Records:
    return Records.of(Record(offset_of(row), ROWS[row]) for row in rows)


def packed(values: Sequence[bytes]) -> Records:
    """Values at the offsets of a partition without markers."""
    return Records.of(enumerate(values))


def step(
    name: str, *, epoch: int = 1, row: int | None = None, rows: int | None = None, ts: float | None = None
) -> Step:
    fields = {"step": name, "epoch": epoch, "row": row, "rows": rows, "ts": ts}
    return Step({key: value for key, value in fields.items() if value is not None})


def run_steps(first: int, end: int, *, epoch: int = 1, start_s: float | None = None) -> tuple[Step, ...]:
    """The lines of a run that fences, resumes at row `first` and commits up to row `end`; a later epoch is later."""
    start_s = 100.0 * (epoch - 1) if start_s is None else start_s
    steps = [step("fenced", epoch=epoch, ts=start_s), step("resumed", epoch=epoch, row=first, ts=start_s + 0.1)]
    for row in range(first + BATCH_ROWS, end + 1, BATCH_ROWS):
        for name in ("sent", "committed", "saved"):
            rows = None if name == "saved" else BATCH_ROWS
            steps.append(step(name, epoch=epoch, row=row, rows=rows, ts=start_s + row))
    return tuple(steps)


def version(
    number: int, last_line: int, *, epoch: int = 1, planted: bool = False, **more: str | int
) -> CheckpointVersion:
    written: dict[str, str | int] = {"status": "RUNNING", "last_line": last_line, "epoch": epoch}
    return CheckpointVersion(number, written | more, planted)


def clean_versions() -> tuple[CheckpointVersion, ...]:
    saves = [version(number, 4 * number, next_offset=5 * number) for number in (1, 2, 3)]
    return (*saves, version(4, 12, next_offset=15, status="COMPLETED", rows=12))


def clean_run() -> Evidence:
    """A run that the judge must call valid."""
    return Evidence(
        expected=ROWS,
        delivery=EXACTLY_ONCE,
        committed=clean_records(),
        partition=PartitionEnd(0, END, END),
        uncommitted=clean_records(),
        live=clean_records(),
        position=GroupOffset(len(ROWS), '{"v":1,"row":12,"skipped":0}'),
        checkpoints=clean_versions(),
        attempts=(Attempt(1, 0, None, run_steps(0, 12)),),
    )


def compared_only(expected: Sequence[bytes], seen: Sequence[bytes]) -> Evidence:
    """A run of which nothing was watched but the rows: what is left is the comparison."""
    read = packed(tuple(seen))
    end = PartitionEnd(0, len(seen), len(seen))
    return Evidence(tuple(expected), EXACTLY_ONCE, read, end, attempts=(Attempt(1, 0, None),))
