"""Epochs that count again because the item was lost: neither a false alarm, nor a hiding place."""

from dataclasses import replace

import pytest

from harness.checker import Validity, judge
from harness.history import Attempt, CheckpointVersion, Evidence, Step
from harness.tests.planted_run import END, clean_run, run_steps, step, version

RUN = clean_run()


def claimed(owner: str, *, epoch: int, ts: float) -> Step:
    return Step({"step": "claimed", "owner": owner, "epoch": epoch, "ts": ts})


def run(number: int, owner: str | None, first: int, end: int, *, epoch: int, start_s: float) -> Attempt:
    """A run that resumes at row `first`, commits up to `end` and dies, the third one excepted."""
    lines = run_steps(first, end, epoch=epoch, start_s=start_s)
    claim = () if owner is None else (claimed(owner, epoch=epoch, ts=start_s - 1),)
    code, signal = (0, None) if number == 3 else (None, 9)
    return Attempt(number, code, signal, (*claim, *lines))


def lost_after_the_second_run(*owners: str | None, deleted: CheckpointVersion | None) -> Evidence:
    """Epochs 1 and 2, the item is lost, and epoch 1 again: runs a and b commit four rows each, c the last four."""
    attempts = (
        run(1, owners[0], 0, 4, epoch=1, start_s=0),
        run(2, owners[1], 4, 8, epoch=2, start_s=100),
        run(3, owners[2], 8, 12, epoch=1, start_s=200),
    )
    written = (version(1, 4, epoch=1, owner="a"), version(2, 8, epoch=2, owner="b"))
    anew = (version(4, 8, epoch=1, owner="c"), version(5, 12, epoch=1, owner="c", status="COMPLETED", rows=12))
    return replace(RUN, attempts=attempts, checkpoints=(*written, *([deleted] if deleted else []), *anew))


DELETED = [CheckpointVersion(3, None), CheckpointVersion(3, None, planted=True)]
ROLLED_BACK = version(3, 0, epoch=0, planted=True, owner="nobody")


@pytest.mark.parametrize("deleted", [*DELETED, ROLLED_BACK])
@pytest.mark.parametrize("owners", [("a", "b", "c"), (None, None, None)])
def test_epochs_that_count_again_after_the_item_was_lost_are_no_anomaly(
    owners: tuple[str | None, ...], deleted: CheckpointVersion
) -> None:
    verdict = judge(lost_after_the_second_run(*owners, deleted=deleted))
    assert verdict.validity is Validity.VALID, verdict.summary


def test_epochs_that_count_again_of_themselves_are_convicted() -> None:
    verdict = judge(lost_after_the_second_run("a", "b", "c", deleted=None))
    assert verdict.names == {"CheckpointRegressed", "ZombieWrite"}


def test_zombie_of_a_large_epoch_is_convicted_by_a_run_of_the_items_next_life() -> None:
    lost = lost_after_the_second_run("a", "b", "c", deleted=DELETED[0])
    late = (step("sent", epoch=2, row=8, rows=4, ts=250), step("committed", epoch=2, row=8, rows=4, ts=251))
    zombie = replace(lost.attempts[1], steps=(*lost.attempts[1].steps[:3], *late))
    verdict = judge(replace(lost, attempts=(lost.attempts[0], zombie, lost.attempts[2])))
    assert verdict.names == {"ZombieWrite"}
    assert "attempt 2 (epoch 2) committed them although attempt 3 (epoch 1) had fenced" in verdict.summary


def test_version_ahead_of_a_later_run_in_the_items_next_life_is_a_checkpoint_ahead() -> None:
    lost = lost_after_the_second_run("a", "b", "c", deleted=DELETED[0])
    early = version(4, 12, epoch=1, owner="c", next_offset=END)
    claimed_again = version(5, 12, epoch=2, owner="d")
    done = version(6, 12, epoch=2, owner="d", status="COMPLETED", rows=12)
    third = Attempt(3, None, 9, (claimed("c", epoch=1, ts=199), *run_steps(8, 8, epoch=1, start_s=200)))
    last = Attempt(4, 0, None, (claimed("d", epoch=2, ts=299), *run_steps(8, 12, epoch=2, start_s=300)))
    versions = (*lost.checkpoints[:3], early, claimed_again, done)
    verdict = judge(replace(lost, attempts=(*lost.attempts[:2], third, last), checkpoints=versions))
    assert verdict.names == {"CheckpointAhead"}
    assert "saved in epoch 1, and attempt 4 found the position at row 8" in verdict.summary
