"""Mutants of the lease and of the end of a run."""
# ruff: noqa: SLF001  # a mutant reaches into what it breaks

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from chaos.mutants.committing import FRESH_IDS, SEND_AND_COMMIT, committed, fresh_fake_producer, sent
from chaos.mutants.real import Real
from chaos.mutants.registry import mutant
from chaos.mutants.trials import (
    Trial,
    broker_gone_for_ever,
    numbered,
    rival_before,
    rival_before_the_second_runs_fence,
)
from processor.errors import AttemptsUsedUp, CheckpointUnavailable, SinkFailed, Superseded
from processor.model import Batch, Checkpoint, Lease, PartitionBounds, Position, Status
from processor.ports import Step

PROCESSOR = "processor.processor.CSVToKafkaProcessor"
REQUIRE_LEASE = "processor.opening.Opening.require_lease"
STORES = ("harness.fakes.checkpoints.FakeCheckpoints", "processor.checkpoint_dynamodb.CheckpointManager")


def _read_only(_original: Any) -> Any:
    def require_lease(self: Any) -> Checkpoint | None:
        checkpoint: Checkpoint | None = self._checkpoints.read()
        return checkpoint

    return require_lease


@mutant(
    REQUIRE_LEASE,
    expected="ZombieWrite",
    trial=Trial(
        numbered,
        ("sink.send:3 crashes before", "sink.send:4 crashes before"),
        "the second run is stopped before its fence while a third one fences, saves and dies",
        rival_before_the_second_runs_fence,
    ),
    real="step:saved:2; the second run SIGSTOP at claimed:1, a third one killed at resumed:1, SIGCONT",
)
def does_not_look_at_the_lease(original: Any) -> Any:
    """Goes on after a fence without asking whether the job is still its own."""
    return _read_only(original)


def _deaf(original: Any) -> Any:
    def write(self: Any, *what: Any, **more: Any) -> None:
        with suppress(Superseded):
            original(self, *what, **more)

    return write


@mutant(
    *(f"{store}.{write}" for store in STORES for write in ("save", "finish")),
    expected="ZombieWrite",
    trial=Trial(
        numbered,
        ("sink.send:4 crashes before",),
        "the run is stopped before its second commit while a newer one commits a batch and dies",
        rival_before("sink.commit", 2),
    ),
    real="SIGSTOP at sent:2, a second run killed at saved:1, SIGCONT",
    also={REQUIRE_LEASE: _read_only},
)
def goes_on_after_it_was_superseded(original: Any) -> Any:
    """Fences the newer run in its turn and goes on, deaf to every refusal."""
    return _deaf(original)


def _is_last(run: Any, batch: Batch) -> bool:
    return batch.end.byte_offset >= int(run._opening.object.size_bytes)


@mutant(
    SEND_AND_COMMIT,
    expected="SilentSuccess",
    trial=Trial(numbered, ("sink.commit:1 crashes before",), interval_rows=100),
    real=Real("step:sent:1", one_batch=True),
)
def completes_before_the_last_commit(_original: Any) -> Any:
    """Marks the job completed when its last rows are sent, before they are committed."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        if _is_last(self, batch):
            self._checkpoints.finish(Status.COMPLETED, rows=batch.end.row)
        next_offset = sent(self, batch)
        committed(self, batch, batch.end)
        return next_offset

    return send_and_commit


@mutant(
    SEND_AND_COMMIT,
    expected="SilentSuccess",
    trial=Trial(numbered, ("sink.commit:5 fails before",)),
    real="the broker is unreachable during the last commit",
)
def ends_well_after_a_failed_last_commit(original: Any) -> Any:
    """Swallows an error of the last commit and ends with 0."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        try:
            next_offset: int | None = original(self, batch)
        except SinkFailed:
            if not _is_last(self, batch):
                raise
            self._sink.discard()
            self._sink.fence()
            next_offset = None
        return next_offset

    return send_and_commit


@mutant(
    f"{PROCESSOR}._run_claimed",
    expected="SilentSuccess",
    trial=Trial(numbered, tuple(f"sink.commit:{nth} fails before" for nth in range(2, 8))),
    real="the broker is killed at sent:2 and stays away",
)
def ends_well_when_attempts_are_used_up(original: Any) -> Any:
    """Logs the last failure and ends with 0."""

    def run_claimed(self: Any) -> Position:
        try:
            end: Position = original(self)
        except AttemptsUsedUp as failure:
            self._tell(Step.FAILED, error=str(failure))
            end = Position(0, 0)
        return end

    return run_claimed


def _look_once(_original: Any) -> Any:
    def look(self: Any) -> PartitionBounds:
        bounds: PartitionBounds = self._sink.bounds()
        return bounds

    return look


def _let_it_be(_original: Any) -> Any:
    return lambda *_: None


@mutant(
    "harness.fakes.partition.FakePartition.init_producer",
    expected="HangingTransaction",
    trial=Trial(numbered, ("sink.send:5 crashes at 1",)),
    real=Real("row:5"),
    also={
        **FRESH_IDS,
        "processor.opening.Opening._await_stable": _look_once,
        "processor.opening.Opening._require_stable": _let_it_be,
        "processor.opening.abort_open": _let_it_be,
    },
)
def leaves_a_transaction_open(original: Any) -> Any:
    """Neither aborts what a dead run left open nor waits for its end."""
    return fresh_fake_producer(original)


@mutant(
    *(f"{store}.claim" for store in STORES),
    expected="Stuck",
    trial=Trial(numbered, ("sink.send:2 crashes before",)),
    real=Real("step:sent:2"),
)
def locks_the_job_for_ever(original: Any) -> Any:
    """Waits for a running owner to end, though it may be dead."""

    def claim(self: Any) -> Lease:
        seen = self.read()
        if seen is not None and seen.status is Status.RUNNING:
            raise CheckpointUnavailable("another run is at work", hint="start the same command again")
        lease: Lease = original(self)
        return lease

    return claim


@mutant(
    f"{PROCESSOR}._wait_before_retry",
    expected="Stuck",
    trial=Trial(
        numbered,
        event="the broker goes before the second commit, for ever",
        play=broker_gone_for_ever,
        expected_exit=os.EX_TEMPFAIL,
    ),
    real="the broker is killed at sent:2 and stays away",
)
def retries_for_ever(original: Any) -> Any:
    """Never gives up."""

    def wait_before_retry(self: Any, failure: Any) -> None:
        self._failures = 0
        original(self, failure)

    return wait_before_retry
