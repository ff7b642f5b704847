"""Mutants that go on at the wrong place after a death."""
# ruff: noqa: SLF001  # a mutant reaches into what it breaks

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

from chaos.mutants.real import Gone, Real
from chaos.mutants.registry import Change, mutant
from chaos.mutants.trials import (
    Trial,
    accented,
    alike,
    checkpoint_lost,
    commit_lost,
    gappy,
    lost_checkpoint_made_anew_by_a_run_that_dies,
    numbered,
    position_expires,
    position_put_back,
)
from processor.careful_rows import Slab
from processor.model import Batch, Checkpoint, JobStart, Position
from processor.opening import Opened
from processor.resume import Fresh, GoOn, Rebuild

DECIDE = "processor.opening.decide"
RESUME = "processor.opening.Opening.resume"
BETWEEN_BATCHES = ("sink.send:3 crashes before",)
BEFORE_THE_SECOND_SAVE = ("checkpoints.save:2 crashes before",)
EXPIRED = "the group offset expires before the second run"


def _never(_original: Any) -> Any:
    return lambda *_: False


def _whole(opening: Any) -> bytes:
    return b"".join(opening._source._stored.read(0))


def _resuming_at(byte_of: Callable[[Any, Position], int]) -> Change:
    """Return the opening that goes on at another byte than the position says, once there are rows."""

    def make(original: Any) -> Any:
        def resume(self: Any) -> Opened:
            opened: Opened = original(self)
            if opened.position.row == 0:
                return opened
            return replace(opened, position=replace(opened.position, byte_offset=byte_of(self, opened.position)))

        return resume

    return make


@mutant(
    "processor.csv_source._encoder",
    expected="Phantom",
    trial=Trial(accented, BETWEEN_BATCHES),
    real=Real("step:saved:2"),
)
def counts_characters(original: Any) -> Any:
    """Counts characters where the position counts bytes."""

    def encoder(*settings: Any) -> Any:
        encode = original(*settings)
        further_bytes = 0

        def counted(slab: Slab) -> tuple[list[bytes], list[int]]:
            nonlocal further_bytes
            values, _ = encode(slab)
            counts = []
            for start, end in zip(slab.starts, slab.ends, strict=True):
                row = slab.lines[start - slab.base : end - slab.base]
                further_bytes += len(row) - len(row.decode())
                counts.append(end - further_bytes)
            return values, counts

        return counted

    return encoder


@mutant(RESUME, expected="Duplicate", trial=Trial(numbered, BETWEEN_BATCHES), real=Real("step:saved:2"))
def resumes_one_row_early(original: Any) -> Any:
    """Goes on at the last row that is done."""
    return _resuming_at(lambda opening, p: _whole(opening).rfind(b"\n", 0, p.byte_offset - 1) + 1)(original)


@mutant(RESUME, expected="Lost", trial=Trial(numbered, BETWEEN_BATCHES), real=Real("step:saved:2"))
def resumes_one_row_late(original: Any) -> Any:
    """Goes on after the next row."""
    return _resuming_at(lambda opening, p: _whole(opening).find(b"\n", p.byte_offset) + 1)(original)


@mutant(RESUME, expected="Duplicate", trial=Trial(gappy, BETWEEN_BATCHES), real=Real("step:saved:2"))
def skips_lines_on_resume(original: Any) -> Any:
    """Skips as many lines as rows are done, though a blank line is no row."""

    def after_as_many_lines(opening: Any, position: Position) -> int:
        lines = _whole(opening).splitlines(keepends=True)
        return sum(map(len, lines[: 1 + position.row]))  # the header is the first

    return _resuming_at(after_as_many_lines)(original)


@mutant(DECIDE, expected="Duplicate", trial=Trial(numbered, BEFORE_THE_SECOND_SAVE), real=Real("step:committed:2"))
def resumes_at_the_checkpoint(original: Any) -> Any:
    """Goes on at the checkpoint, in exactly-once too."""

    def decide(delivery: Any, checkpoint: Checkpoint | None, position: Any, **facts: Any) -> Any:
        decision = original(delivery, checkpoint, position, **facts)
        if isinstance(decision, GoOn) and checkpoint is not None and checkpoint.position.row > 0:
            return GoOn(checkpoint.position)
        return decision

    return decide


@mutant(
    "processor.opening.require_counted",
    expected="Duplicate",
    trial=Trial(
        numbered,
        ("sink.send:3 crashes before", "sink.send:4 crashes before"),  # the second death leaves nothing to catch up
        "the third run finds the position one row behind the checkpoint, the fourth one where it was",
        position_put_back,
    ),
    real="step:saved:2, step:resumed:1, then the group's offset is set back by one row",
)
def ignores_a_checkpoint_that_is_ahead(original: Any) -> Any:
    """Goes on at a position behind the checkpoint, wherever the rows between are."""
    return _never(original)


@mutant(
    DECIDE,
    expected="Duplicate",
    trial=Trial(numbered, BETWEEN_BATCHES, "the checkpoint is lost before the second run", checkpoint_lost),
    real=Real("step:saved:2", Gone.ITEM),
)
def starts_anew_without_a_checkpoint(original: Any) -> Any:
    """Takes a job without a checkpoint for a new one, whatever the position says."""

    def decide(delivery: Any, checkpoint: Checkpoint | None, position: Any, **facts: Any) -> Any:
        started = checkpoint is not None and checkpoint.start is not None
        return original(delivery, checkpoint, position if started else None, **facts)

    return decide


@mutant(
    DECIDE,
    expected="Duplicate",
    trial=Trial(numbered, ("checkpoints.save:1 crashes before",), EXPIRED, position_expires),
    real=Real("step:committed:1", Gone.GROUP),
)
def skips_the_rebuild(original: Any) -> Any:
    """Starts with the first row when the position has expired."""

    def decide(*states: Any, source: Any, **facts: Any) -> Any:
        decision = original(*states, source=source, **facts)
        return Fresh(Position(0, source.first_row_byte)) if isinstance(decision, Rebuild) else decision

    return decide


@mutant(
    DECIDE,
    expected="Duplicate",
    trial=Trial(numbered, BEFORE_THE_SECOND_SAVE, EXPIRED, position_expires),
    real=Real("step:committed:2", Gone.GROUP),
)
def rebuilds_from_the_end(original: Any) -> Any:
    """Looks for committed rows from the partition's end on, where there are none."""

    def decide(*states: Any, bounds: Any, **facts: Any) -> Any:
        decision = original(*states, bounds=bounds, **facts)
        return replace(decision, offset=bounds.end) if isinstance(decision, Rebuild) else decision

    return decide


@mutant(
    "harness.fakes.checkpoints.FakeCheckpoints.begin",
    "processor.checkpoint_dynamodb.CheckpointManager.begin",
    expected="SilentSuccess",
    trial=Trial(
        alike,
        BETWEEN_BATCHES,
        "the checkpoint is lost, the run that makes it anew dies before it saves, and the group offset expires",
        lost_checkpoint_made_anew_by_a_run_that_dies,
    ),
    real=Real("step:saved:2", Gone.ITEM, "step:resumed:1", Gone.GROUP),
)
def makes_a_lost_checkpoint_anew_by_two_writes(original: Any) -> Any:
    """Writes the start of the job first, and where its saved rows end with the save after it."""

    def begin(self: Any, start: JobStart, position: Position, **_next_offset: Any) -> None:
        original(self, start, position)

    return begin


def _uncommitted_kafka_python(original: Any) -> Any:
    return lambda **settings: original(**{**settings, "isolation_level": "read_uncommitted"})


def _uncommitted_confluent(original: Any) -> Any:
    return lambda settings: original({**settings, "isolation.level": "read_uncommitted"})


@mutant(
    "harness.fakes.sink.FakeSink.records",
    expected="Lost",
    trial=Trial(numbered, ("sink.send:3 crashes at 1",), EXPIRED, position_expires),
    real=Real("row:5", Gone.GROUP),
    also={
        "processor.kafka_python_reads.KafkaConsumer": _uncommitted_kafka_python,
        "processor.confluent_reads.Consumer": _uncommitted_confluent,
    },
)
def rebuilds_from_uncommitted_records(_original: Any) -> Any:
    """Counts aborted records as rows when it rebuilds the position."""

    def records(self: Any, start_offset: int, **_: bool) -> Iterator[tuple[int, bytes]]:
        return (seen for seen in self._partition.uncommitted() if seen[0] >= start_offset)

    return records


@mutant(
    "processor.opening.match_committed",
    expected="Lost",
    trial=Trial(numbered, BEFORE_THE_SECOND_SAVE, EXPIRED, position_expires),
    real=Real("step:committed:2", Gone.GROUP),
)
def rebuilds_one_row_too_many(original: Any) -> Any:
    """Counts the last committed row twice when it rebuilds the position."""

    def match(records: Any, batches: Iterable[Batch], start: Position) -> tuple[Position, int]:
        held = list(batches)
        reached, last_offset = original(records, iter(held), start)
        for batch in held:
            if batch.start.row <= reached.row < batch.end.row:
                return Position(reached.row + 1, batch.byte_ends[reached.row - batch.start.row]), last_offset
        return reached, last_offset

    return match


@mutant(
    "processor.processor.CSVToKafkaProcessor._resume",
    expected="Duplicate",
    trial=Trial(numbered, ("sink.commit:2 crashes at 1",)),
    real="a commit held back until after the next run's read of the position",
    also={"processor.opening.is_next_row": _never},  # which would find the rows that came in between
)
def reads_the_position_before_fencing(original: Any) -> Any:
    """Reads the position first and fences then, so a dead run's commit can still come in between."""

    def resume(self: Any) -> Any:
        early = self._opening._position()
        with mock.patch.object(self._opening, "_position", return_value=early):
            return original(self)

    return resume


@mutant(
    "processor.opening.is_next_row",
    expected="Duplicate",
    trial=Trial(
        numbered,
        ("checkpoints.save:3 fails before", "sink.send:4 fails before"),
        "Kafka loses the position of the third commit after its answer",
        commit_lost(3, position_only=True),
    ),
    real="a marker that aborts the third position alone, just before the coordinator commits; step:committed:3",
)
def looks_for_no_row_behind_the_position(original: Any) -> Any:
    """Takes the position's word for it that no row behind it is committed."""
    return _never(original)


@mutant(
    "processor.opening.was_taken_back",
    expected="Lost",
    trial=Trial(
        numbered,
        ("sink.send:2 fails at 1",),
        "Kafka loses the first commit after its answer",
        commit_lost(1),
    ),
    real="markers that abort the first transaction just before the coordinator commits it; step:saved:1",
)
def takes_the_checkpoints_word_without_a_position(original: Any) -> Any:
    """Rebuilds behind the rows that the checkpoint counts, though Kafka took them back with the position."""
    return _never(original)


@mutant(
    "processor.opening.abort_open",
    expected="Stuck",
    trial=Trial(
        numbered,
        ("sink.send:4 fails before",),
        "Kafka loses the third commit after its answer, and the rows stay open",
        commit_lost(3),
    ),
    real="a bare producer under our transactional.id leaves a record in a transaction that its coordinator forgot",
)
def waits_for_its_own_lost_transaction(original: Any) -> Any:
    """Waits for somebody to end a transaction that is its own and that nobody else is going to end."""
    return _never(original)
