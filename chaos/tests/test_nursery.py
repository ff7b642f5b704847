"""The nursery: what is born there lives, dies and speaks as a process of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from chaos.nursery import Nursery
from harness.target import Target

NOBODY_THERE = {
    "CSV_SOURCE": "s3://bucket/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "CHECKPOINT_TABLE": "checkpoints",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


def test_victims_live_side_by_side_and_each_ends_in_its_own_way(nursery: Nursery) -> None:
    waits = Target((), NOBODY_THERE, number=1, start=nursery.start)
    mistaken = Target((), {**NOBODY_THERE, "CSV_SOURCE": "/rows.csv"}, number=2, start=nursery.start)
    assert mistaken.wait(within_s=30).exit_code == 2
    assert "is not s3://bucket/key" in mistaken.stderr
    waits.signal(signal.SIGKILL)
    end = waits.wait(within_s=30)
    assert (end.exit_code, end.signal) == (None, signal.SIGKILL)
    assert not waits.stderr


def test_an_environment_is_the_victims_alone(nursery: Nursery) -> None:
    for source in ("/first.csv", "/second.csv"):
        victim = Target((), {**NOBODY_THERE, "CSV_SOURCE": source}, start=nursery.start)
        assert victim.wait(within_s=30).exit_code == 2
        assert source in victim.stderr


def test_a_nursery_that_is_gone_bears_nobody() -> None:
    with Nursery() as gone:
        pass
    with pytest.raises(OSError):
        Target((), NOBODY_THERE, start=gone.start)
