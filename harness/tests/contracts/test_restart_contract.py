"""`ports.Checkpoints.restart`: one write that moves the job back or on, under the lease that it was asked with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.tests.contracts.checkpoint_worlds import CheckpointWorld
from harness.tests.contracts.job import BEGINNING, LATER, START, lease_of
from processor.errors import CheckpointUnavailable, Superseded
from processor.model import Lease, Position, Status
from processor.ports import Checkpoints

ANEW = replace(START, start_offset=40, start_row=3, resets=2)
MOVED = Position(3, 36)


def completed(world: CheckpointWorld) -> Checkpoints:
    run = world.run("me")
    run.claim()
    run.begin(START, BEGINNING)
    run.save(LATER, next_offset=29)
    run.finish(Status.COMPLETED, rows=10)
    return run


@pytest.mark.parametrize("to", [MOVED, Position(0, 12), Position(30, 400)], ids=["back", "to the start", "forwards"])
def test_a_restart_comes_back_with_an_epoch_of_its_own(checkpoint_world: CheckpointWorld, to: Position) -> None:
    run = completed(checkpoint_world)
    start = replace(ANEW, start_row=to.row)
    assert run.restart(start, to) == Lease(2, "me")
    checkpoint = checkpoint_world.run("other").read()
    assert checkpoint is not None
    assert (checkpoint.start, checkpoint.position, checkpoint.next_offset) == (start, to, 40)
    assert (checkpoint.lease, checkpoint.status) == (Lease(2, "me"), Status.STOPPED)
    assert (checkpoint.rows, checkpoint.error) == (None, None)


def test_what_follows_a_restart_is_saved_under_its_lease(checkpoint_world: CheckpointWorld) -> None:
    run = completed(checkpoint_world)
    run.restart(ANEW, MOVED)
    run.save(Position(5, 60), next_offset=44)
    checkpoint = run.read()
    assert checkpoint is not None
    assert (checkpoint.position, checkpoint.start) == (Position(5, 60), ANEW)


def test_a_job_that_never_began_can_be_restarted(checkpoint_world: CheckpointWorld) -> None:
    run = checkpoint_world.run("me")
    run.claim()
    run.restart(ANEW, MOVED)
    checkpoint = run.read()
    assert checkpoint is not None
    assert (checkpoint.start, checkpoint.position) == (ANEW, MOVED)


def test_a_restart_is_refused_after_a_newer_claim(checkpoint_world: CheckpointWorld) -> None:
    run = completed(checkpoint_world)
    checkpoint_world.run("rival").claim()
    before = checkpoint_world.stored()
    with pytest.raises(Superseded):
        run.restart(ANEW, MOVED)
    assert checkpoint_world.stored() == before


def test_a_save_of_before_a_restart_is_refused_after_it(checkpoint_world: CheckpointWorld) -> None:
    old = completed(checkpoint_world)
    run = checkpoint_world.run("reset")
    run.claim()
    run.restart(ANEW, MOVED)
    with pytest.raises(Superseded):
        old.save(LATER, next_offset=29)
    assert lease_of(run) == Lease(3, "reset")


def test_a_restart_whose_answer_was_lost_is_recognised(checkpoint_world: CheckpointWorld) -> None:
    run, lose = checkpoint_world.run_that_loses("me", answer="UpdateItem")
    run.claim()
    run.begin(START, BEGINNING)
    lose()
    assert run.restart(ANEW, MOVED) == Lease(2, "me")
    assert checkpoint_world.answers_lost == 1
    assert lease_of(run) == Lease(2, "me")
    run.save(Position(5, 60), next_offset=44)


def test_a_restart_of_an_item_that_is_gone_makes_none(checkpoint_world: CheckpointWorld) -> None:
    run = completed(checkpoint_world)
    checkpoint_world.delete()
    with pytest.raises(CheckpointUnavailable):
        run.restart(ANEW, MOVED)
    assert checkpoint_world.stored() is None


def test_an_item_without_row_and_resets_is_one_of_before_there_were_any(checkpoint_world: CheckpointWorld) -> None:
    run = completed(checkpoint_world)
    old = dict(checkpoint_world.stored() or {})
    for name in ("start_row", "resets", "claimed_at", "claimed_line"):
        del old[name]
    checkpoint_world.put(old)
    checkpoint = run.read()
    assert checkpoint is not None
    assert checkpoint.start == START
