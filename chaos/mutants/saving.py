"""Mutants that claim or save wrongly."""
# ruff: noqa: SLF001  # a mutant reaches into what it breaks

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chaos.mutants.committing import SEND_AND_COMMIT, committed, sent
from chaos.mutants.real import Real
from chaos.mutants.registry import Change, mutant
from chaos.mutants.trials import Trial, gappy, numbered, rival_before, started_once_more
from processor.model import Batch, Delivery, Lease, Position, Status

SAVE = "processor.processor.CSVToKafkaProcessor._save"
FAKE = "harness.fakes.checkpoints.FakeCheckpoints"
DYNAMODB = "processor.checkpoint_dynamodb.CheckpointManager"
UPDATE = f"{DYNAMODB}._update"


def _unconditional(*, claims: bool) -> Change:
    """Return the DynamoDB update whose condition always holds, for claims or for all other writes."""

    def make(original: Any) -> Any:
        def update(self: Any, changes: Any, condition: str, values: Any, **more: Any) -> Any:
            if ("epoch" in changes) is claims:
                condition, values = "attribute_exists(job_id) OR attribute_not_exists(job_id)", {}
            return original(self, changes, condition, values, **more)

        return update

    return make


@mutant(
    "harness.fakes.checkpoints._has_epoch",
    expected="CheckpointRegressed",
    trial=Trial(
        numbered,
        ("sink.send:3 crashes before",),
        "a newer run claims, commits two batches and dies between the claim's read and its write",
        rival_before("table.update_item", 1),
    ),
    real="a claim held back in the network while a second run works",
    also={UPDATE: _unconditional(claims=True)},
)
def claims_without_a_condition(_original: Any) -> Any:
    """Writes the next epoch without asking whether somebody else has taken it meanwhile."""
    return lambda _stored, **_facts: True


@mutant(
    "harness.fakes.checkpoints._admits",
    expected="CheckpointRegressed",
    trial=Trial(numbered, ("checkpoints.save:1 crashes late 24",)),
    real="a save held back in the network, delivered after the next run's second save",
    also={UPDATE: _unconditional(claims=False)},
)
def saves_without_a_condition(_original: Any) -> Any:
    """Saves whoever owns the job, and whatever is saved already."""
    return lambda _stored, **_facts: True


def _without_the_jobs_end(original: Any) -> Any:
    def update(self: Any, changes: Any, condition: str, values: Any, **more: Any) -> Any:
        known = {name: value for name, value in values.items() if name != ":completed"}
        return original(self, changes, condition.replace(" AND #status <> :completed", ""), known, **more)

    return update


@mutant(
    "harness.fakes.checkpoints._admits",
    expected="SilentSuccess",
    trial=Trial(
        numbered,
        ("checkpoints.finish:1 fails after", "checkpoints.finish:2 crashes late 13"),
        "the job is started once more after it is done",
        started_once_more,
    ),
    real="the answer to COMPLETED is lost, and FAILED is held back in the network until a newer run has ended with 0",
    also={UPDATE: _without_the_jobs_end},
)
def lets_a_late_failure_take_the_end_back(original: Any) -> Any:
    """Writes FAILED over COMPLETED in the same epoch."""

    def admits(stored: Any, *, lease: Lease, changes: Any) -> Any:
        return original({**stored, "status": Status.RUNNING}, lease=lease, changes=changes)

    return admits


@mutant(
    SEND_AND_COMMIT,
    expected="CheckpointAhead",
    trial=Trial(numbered, ("sink.commit:2 crashes before",)),
    real=Real("step:saved:3"),
)
def saves_before_the_commit(_original: Any) -> Any:
    """Saves the checkpoint after the send and before the commit."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        next_offset = sent(self, batch)
        self._save(batch.end, next_offset)
        committed(self, batch, batch.end)
        return next_offset

    return send_and_commit


@mutant(SAVE, expected="CheckpointAhead", trial=Trial(gappy), real=Real())
def counts_lines_in_the_checkpoint(original: Any) -> Any:
    """Saves how many lines are done where rows are meant, blank ones included."""

    def save(self: Any, position: Position, next_offset: int | None) -> None:
        whole = b"".join(self._source._stored.read(0))
        lines = whole[: position.byte_offset].count(b"\n") - 1  # the header is none
        original(self, replace(position, row=max(lines, position.row)), next_offset)

    return save


@mutant(
    SEND_AND_COMMIT,
    expected="CheckpointAhead",  # the processor refuses to go on from such a checkpoint, before a row is lost
    trial=Trial(numbered, ("sink.send:2 crashes before",), delivery=Delivery.AT_LEAST_ONCE),
    real=Real("step:saved:3"),
)
def saves_before_the_send(original: Any) -> Any:
    """Saves the checkpoint first and sends then: at most once, in the delivery that promises at least once."""

    def send_and_commit(self: Any, batch: Batch) -> int | None:
        self._save(batch.end, None)
        next_offset: int | None = original(self, batch)
        return next_offset

    return send_and_commit


@mutant(SAVE, expected="SilentSuccess", trial=Trial(numbered), real=Real())
def never_saves(_original: Any) -> Any:
    """Marks the job completed without ever having saved a row."""
    return lambda _self, _position, _next_offset: None


def _keeping_the_epoch(*always: object) -> Change:
    """Return the claim that changes the owner alone; `always` is how its store says a condition that holds."""

    def make(original: Any) -> Any:
        def claim(self: Any) -> Lease:
            seen = self.read()
            if seen is None:
                first: Lease = original(self)
                return first
            self._epoch = seen.lease.epoch
            changes = {"epoch": self._epoch, "owner": self._owner, "status": Status.RUNNING}
            self._update(changes, *always)
            return Lease(self._epoch, self._owner)

        return claim

    return make


@mutant(
    f"{FAKE}.claim",
    expected="CheckpointRegressed",
    trial=Trial(numbered, ("sink.send:3 crashes before",)),
    real=Real("step:saved:2"),
    also={f"{DYNAMODB}.claim": _keeping_the_epoch("attribute_exists(job_id)", {})},
)
def claims_the_same_epoch(original: Any) -> Any:
    """Takes the job over without counting the epoch up."""
    return _keeping_the_epoch(lambda _stored: True)(original)
