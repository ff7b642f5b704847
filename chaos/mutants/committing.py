"""Mutants that send or commit wrongly, or misread what a commit that failed has done."""

from __future__ import annotations

import uuid
from typing import Any

from chaos.batches import cut
from chaos.mutants.real import Real
from chaos.mutants.registry import mutant
from chaos.mutants.trials import Trial, numbered, rival_before
from processor.errors import SinkFailed
from processor.model import UNKNOWN_OFFSET, Batch, Position
from processor.ports import Step

SEND_AND_COMMIT = "processor.processor.CSVToKafkaProcessor._send_and_commit"
FAKE, KAFKA_PYTHON, CONFLUENT = (
    "harness.fakes.sink.FakeSink",
    "processor.sink_kafka_python.KafkaPythonSink",
    "processor.sink_confluent.ConfluentSink",
)


def sent(self: Any, batch: Batch) -> int | None:
    """Send a batch and announce it, as the processor does."""
    next_offset: int | None = self._sink.send(batch)
    self._tell(Step.SENT, batch.end, rows=len(batch.values))
    return next_offset


def committed(self: Any, batch: Batch, position: Position) -> None:
    """Commit what was sent of a batch, with this position, and announce it."""
    self._sink.commit(self._opening.committed(position, UNKNOWN_OFFSET))
    self._failures = 0
    self._tell(Step.COMMITTED, batch.end, rows=len(batch.values))


def fresh_producer_settings(original: Any) -> Any:
    """Return the settings of a producer that nobody will ever fence."""

    def settings(self: Any) -> dict[str, Any]:
        chosen: dict[str, Any] = original(self)
        for name in {"transactional_id", "transactional.id"} & chosen.keys():
            chosen[name] += f".{uuid.uuid4().hex}"
        return chosen

    return settings


def fresh_fake_producer(original: Any) -> Any:
    """Return the coordinator's answer to a client that asks under a new id each time."""

    def init_producer(self: Any, transactional_id: str | None, **settings: Any) -> Any:
        fresh = transactional_id and f"{transactional_id}.{uuid.uuid4().hex}"
        return original(self, fresh, **settings)

    return init_producer


FRESH_IDS = {
    f"{KAFKA_PYTHON}._producer_settings": fresh_producer_settings,
    f"{CONFLUENT}._producer_settings": fresh_producer_settings,
}


@mutant(
    "harness.fakes.partition.FakePartition.init_producer",
    expected="ZombieWrite",
    trial=Trial(
        numbered,
        event="the run is stopped before its second send while a newer one finishes the job",
        play=rival_before("sink.send", 2),
    ),
    real="SIGSTOP at read:2, a second run to its end, SIGCONT",
    also=FRESH_IDS,
)
def draws_a_random_transactional_id(original: Any) -> Any:
    """Makes each producer under a transactional id of its own, so that nobody is shut out."""
    return fresh_fake_producer(original)


@mutant(
    SEND_AND_COMMIT,
    expected="Duplicate",
    trial=Trial(numbered, ("sink.commit:4 crashes before",)),
    real=Real("step:committed:3"),
)
def commits_each_row(_original: Any) -> Any:
    """Commits each row in a transaction of its own, and the position with the last one only."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        rest, next_offset = batch, None
        while len(rest.values) > 1:
            first, rest = cut(rest, 1)
            sent(self, first)
            committed(self, first, batch.start)
        next_offset = sent(self, rest)
        committed(self, rest, batch.end)
        return next_offset

    return send_and_commit


@mutant(
    SEND_AND_COMMIT,
    expected="Duplicate",
    trial=Trial(numbered, ("sink.commit:4 crashes before",)),
    real=Real("step:committed:2"),
)
def commits_the_position_later(_original: Any) -> Any:
    """Commits the rows first, and then the position by itself."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        next_offset = sent(self, batch)
        committed(self, batch, batch.start)
        self._sink.commit(self._opening.committed(batch.end, UNKNOWN_OFFSET))
        return next_offset

    return send_and_commit


@mutant(
    SEND_AND_COMMIT, expected="Lost", trial=Trial(numbered, ("sink.commit:4 crashes before",)), real=Real("step:sent:2")
)
def commits_the_position_earlier(original: Any) -> Any:
    """Commits the position by itself first, and then the rows."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        self._sink.commit(self._opening.committed(batch.end, UNKNOWN_OFFSET))
        next_offset: int | None = original(self, batch)
        return next_offset

    return send_and_commit


@mutant(
    SEND_AND_COMMIT,
    expected="TornTransaction",
    trial=Trial(numbered, ("sink.commit:1 crashes after",), interval_rows=100),
    real=Real("step:committed:1", one_batch=True),
)
def commits_half_a_batch_with_the_whole_position(_original: Any) -> Any:
    """Commits a batch in two transactions, and the position of all of it with the first."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        rest = batch
        if len(batch.values) > 1:
            first, rest = cut(batch, len(batch.values) // 2)
            sent(self, first)
            committed(self, first, batch.end)
        next_offset = sent(self, rest)
        committed(self, rest, batch.end)
        return next_offset

    return send_and_commit


@mutant(
    f"{FAKE}.send",
    expected="Duplicate",
    trial=Trial(numbered, ("sink.send:2 fails at 1",)),
    real="not on a real broker: both clients refuse a send after an error",
)
def sends_again_without_an_abort(original: Any) -> Any:
    """Sends a batch again in the same transaction when the first try failed on its way."""

    def send(self: Any, batch: Batch) -> int | None:
        producer = self._producer
        try:
            next_offset: int | None = original(self, batch)
        except SinkFailed:
            self._producer = producer
            next_offset = original(self, batch)
        return next_offset

    return send


def _keep_the_producer(original: Any) -> Any:
    def take(self: Any, what: str) -> Any:
        self.held = original(self, what)
        return self.held

    return take


def _abort_and_keep(original: Any) -> Any:
    def fence(self: Any) -> None:
        if self._producer is None:
            original(self)
        elif self._in_transaction:
            self._producer.abort_transaction()
            self._in_transaction = False

    return fence


@mutant(
    f"{FAKE}.fence",
    expected="TornTransaction",
    trial=Trial(numbered, ("sink.commit:2 fails late 17", "sink.commit:4 crashes before")),
    real="an EndTxn held back in the network, delivered in mid-batch",
    also={
        f"{FAKE}._take_producer": _keep_the_producer,
        f"{KAFKA_PYTHON}.fence": _abort_and_keep,
        f"{KAFKA_PYTHON}.discard": lambda _original: lambda _self: None,
        f"{CONFLUENT}.fence": _abort_and_keep,
        f"{CONFLUENT}.discard": lambda _original: lambda _self: None,
    },
)
def reuses_the_producer_after_an_error(original: Any) -> Any:
    """Aborts and goes on with the same producer, so a late end of the old transaction decides the new one."""

    def fence(self: Any) -> None:
        held = getattr(self, "held", None)
        if held is None:
            original(self)
            return
        self._partition.abort(held)
        self._producer = held

    return fence


@mutant(
    SEND_AND_COMMIT,
    expected="Lost",
    trial=Trial(numbered, ("sink.commit:2 fails before",)),
    real="the broker is unreachable during a commit",
)
def takes_a_failed_commit_for_done(original: Any) -> Any:
    """Goes on with the next batch when a commit fails."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        try:
            next_offset: int | None = original(self, batch)
        except SinkFailed:
            self._sink.discard()
            self._sink.fence()
            next_offset = None
        return next_offset

    return send_and_commit


@mutant(
    SEND_AND_COMMIT,
    expected="Duplicate",
    trial=Trial(numbered, ("sink.commit:2 fails after",)),
    real="the answer to a commit is lost",
)
def takes_a_failed_commit_for_undone(original: Any) -> Any:
    """Sends the batch again when a commit fails, without a look at the position."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        try:
            next_offset: int | None = original(self, batch)
        except SinkFailed:
            self._sink.discard()
            self._sink.fence()
            next_offset = original(self, batch)
        return next_offset

    return send_and_commit


@mutant(SEND_AND_COMMIT, expected="Duplicate", trial=Trial(numbered), real=Real())
def sends_a_batch_twice(original: Any) -> Any:
    """Sends and commits the first batch a second time."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        if batch.start.row == 0:
            original(self, batch)
        next_offset: int | None = original(self, batch)
        return next_offset

    return send_and_commit
