"""Two processes on one job: the newer wins, the older goes, and a mistaken one does not disturb."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from chaos.job import Job, gather
from chaos.tests.conftest import Start
from harness.broker import Broker
from harness.broker.jvm import JvmBroker
from harness.checker import Validity, judge
from harness.history import Attempt, Step
from harness.partition import LiveReader, create_topic
from harness.target import Target
from harness.world import World

pytestmark = pytest.mark.broker
SLOWLY = {"CHECKPOINT_INTERVAL": "20"}


def committed(step: Step) -> bool:
    return step.name == "committed"


def judged(world: World, job: Job, topic: str, *attempts: Attempt) -> None:
    with LiveReader(world.broker.bootstrap_servers, topic) as live:
        evidence = gather(world, job, topic, attempts=attempts, strikes=(), live=live)
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.parametrize(("older", "newer"), [("kafka-python", "confluent"), ("confluent", "kafka-python")])
def test_the_newer_of_two_runs_finishes_and_the_older_exits_4(
    world: World, topic: str, start: Start, rows_6000: Job, older: str, newer: str
) -> None:
    first = start(rows_6000.csv, KAFKA_CLIENT=older, **SLOWLY)
    first.await_step(committed, within_s=30, what="the first commit")
    second = start(None, number=2, KAFKA_CLIENT=newer, **SLOWLY)
    ends = first.wait(within_s=60), second.wait(within_s=60)
    assert [attempt.exit_code for attempt in ends] == [4, 0], (first.stderr, second.stderr)
    assert "belongs to a newer run" in first.stderr
    judged(world, rows_6000, topic, *ends)


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_a_zombie_that_wakes_up_after_the_newer_run_is_done_writes_nothing(
    world: World, topic: str, start: Start, rows_6000: Job, client: str
) -> None:
    zombie = start(rows_6000.csv, KAFKA_CLIENT=client, **SLOWLY)
    zombie.await_step(committed, within_s=30, what="the first commit")
    zombie.signal(signal.SIGSTOP)
    second = start(None, number=2, KAFKA_CLIENT=client)
    newer = second.wait(within_s=60)
    zombie.signal(signal.SIGCONT)
    older = zombie.wait(within_s=60)
    assert (older.exit_code, newer.exit_code) == (4, 0), (zombie.stderr, second.stderr)
    judged(world, rows_6000, topic, older, newer)


@pytest.fixture(scope="module")
def other_broker() -> Iterator[Broker]:
    with JvmBroker() as broker:
        yield broker


def test_mistaken_runs_are_refused_before_they_claim_and_the_healthy_one_goes_on(
    world: World, topic: str, start: Start, rows_6000: Job, other_broker: Broker
) -> None:
    create_topic(other_broker.bootstrap_servers, topic)
    healthy = start(rows_6000.csv, **SLOWLY)
    healthy.await_step(committed, within_s=30, what="the first commit")
    healthy.signal(signal.SIGSTOP)
    mistakes: dict[str, tuple[Target, int]] = {
        "another cluster": (start(None, KAFKA_BOOTSTRAP_SERVERS=other_broker.bootstrap_servers), 6),
        "another object": (start(b"a,b\n1,2\n", key="other.csv"), 6),
        "another format": (start(None, VALUE_FORMAT="raw"), 6),
        "another delivery": (start(None, DELIVERY="at-least-once"), 6),
        "no such topic": (start(None, KAFKA_TOPIC="no-such-topic"), 2),
        "no such object": (start(None, key="no-such.csv"), 3),
    }
    for what, (mistaken, code) in mistakes.items():
        assert mistaken.wait(within_s=60).exit_code == code, f"{what}: {mistaken.stderr}"
    assert {version["epoch"] for version in world.cloud.checkpoint_versions(topic)} == {1}
    healthy.signal(signal.SIGCONT)
    end = healthy.wait(within_s=60)
    assert end.exit_code == 0, healthy.stderr
    assert [step.name for step in end.steps].count("fenced") == 1
    judged(world, rows_6000, topic, end)
