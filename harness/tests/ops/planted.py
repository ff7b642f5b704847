"""A job whose partition holds what a test says, while its checkpoint says what the processor would have said."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from harness.fakes import FakeCheckpoints, FakeCheckpointTable, FakeKey, FakeObject
from harness.tests.contracts.sink_worlds import SinkWorld
from processor.csv_source import BatchLimits, CsvSource
from processor.errors import Different
from processor.model import Batch, CommittedPosition, JobStart, Position, Status, ValueFormat
from processor.opening import JobRules
from processor.ops.verify import Verify
from processor.record_parts import RecordParts

HEADER = b"id,text\n"


def row_bytes(row: int) -> bytes:
    return f"{row},text of row {row}\n".encode()


def csv_of(rows: int) -> bytes:
    return HEADER + b"".join(map(row_bytes, range(rows)))


def value_of(row: int) -> bytes:
    return f'{{"id":"{row}","text":"text of row {row}"}}'.encode()


def byte_after(row: int) -> int:
    return len(csv_of(row))


def batch(values: Sequence[bytes], **columns: Any) -> Batch:
    """Records whose rows do not matter."""
    ends = list(range(1, len(values) + 1))
    return Batch(Position(0, 0), Position(len(values), len(values)), values, ends, **columns)


class Planted:
    """Rows of one object; `write` makes the records, `save` the checkpoint, `verify` compares."""

    parts = RecordParts()

    def __init__(self, world: SinkWorld, *, rows: int = 50) -> None:
        self.world = world
        self.rows = rows
        self.key = FakeKey(csv_of(rows))
        self.table = FakeCheckpointTable()
        self.rules = JobRules(world.settings.delivery, "shape")
        self.sink = world.sink()
        self.start_offset = 0
        self.values = [value_of(row) for row in range(rows)]

    def write(
        self, values: Sequence[bytes], *, position: int | None, in_batches_of: int = 20, **columns: Sequence[Any]
    ) -> None:
        """Commit these records, and the position after so many rows with the last of them."""
        self.sink.fence()
        for first in range(0, len(values), in_batches_of):
            some = list(values[first : first + in_batches_of])
            beside = {name: column[first : first + in_batches_of] for name, column in columns.items()}
            next_offset = self.sink.send(batch(some, **beside))
            row = first + len(some)
            if row >= len(values) and position is not None:
                row = position
            self.sink.commit(self.committed(row, next_offset))
        self.world.settle()

    def committed(self, row: int, next_offset: int | None) -> CommittedPosition:
        """Say for Kafka what the processor would have said."""
        assert next_offset is not None
        pins = FakeObject(self.key).describe(None)[0]
        size_bytes = FakeObject(self.key).describe(None)[1]
        position = Position(row, min(byte_after(row), size_bytes))
        return CommittedPosition(position, pins, self.rules.shape, next_offset - 1)

    def save(self, *, row: int, status: Status, next_offset: int | None = None) -> None:
        """Make the checkpoint that the job would have made."""
        checkpoints = self.checkpoints()
        checkpoints.claim()
        pins = FakeObject(self.key).describe(None)[0]
        start = JobStart(self.key.url, pins, self.rules.shape, self.sink.describe(), self.start_offset)
        checkpoints.begin(start, Position(0, 0))
        if row:
            end = self.sink.bounds().end if next_offset is None else next_offset
            checkpoints.save(Position(row, byte_after(row)), next_offset=end)
        if status is not Status.RUNNING:
            checkpoints.finish(status, rows=row if status is Status.COMPLETED else None)

    def complete(self, values: Sequence[bytes], **columns: Sequence[Any]) -> None:
        """Write records for a job that says it is done."""
        self.write(values, position=self.rows, **columns)
        self.save(row=self.rows, status=Status.COMPLETED)

    def checkpoints(self) -> FakeCheckpoints:
        return FakeCheckpoints(self.table, job_id="job", owner="run-1")

    def verify(self, *, most: int = 10) -> tuple[int, str]:
        """Return the exit code, and everything that is printed."""
        out = io.StringIO()
        source = CsvSource(
            FakeObject(self.key),
            url=self.key.url,
            value_format=ValueFormat.JSON,
            limits=BatchLimits(),
            parts=self.parts,
        )
        sink = self.world.sink(parts=self.parts)
        try:
            Verify(source, sink, self.checkpoints(), rules=self.rules, name="job", out=out, most=most).run()
        except Different as error:
            return error.exit_code, out.getvalue() + str(error)
        return 0, out.getvalue()
