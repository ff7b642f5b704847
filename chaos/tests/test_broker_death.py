"""The broker dies by SIGKILL in the middle of a run and comes back: the run finishes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaos.job import Job, gather
from chaos.tests.conftest import PROCESSOR
from harness.broker import Broker, open_broker
from harness.checker import Validity, judge
from harness.cloud import Cloud
from harness.partition import Client, LiveReader
from harness.plugin import broker_kind
from harness.target import Target
from harness.world import World

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def mortal() -> Iterator[Broker]:
    """A broker of our own: other tests do not expect theirs to die."""
    with open_broker(broker_kind()) as broker:
        yield broker


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_a_run_outlives_its_broker(mortal: Broker, cloud: Cloud, rows_6000: Job, client: Client) -> None:
    job = replace(rows_6000, client=client)
    with World(broker=mortal, cloud=cloud) as world:
        topic = world.create_topic()
        environment = {
            **world.environment(topic=topic, source=world.upload("rows.csv", job.csv), job_id=topic),
            "KAFKA_CLIENT": client,
            "CHECKPOINT_INTERVAL": "20",
        }
        with LiveReader(mortal.bootstrap_servers, topic) as live:
            run = Target(PROCESSOR, environment)
            run.await_step(lambda step: (step.next_row or 0) >= 1000, within_s=30, what="row 1000")
            mortal.kill()
            mortal.start()
            end = run.wait(within_s=150)
            evidence = gather(world, job, topic, attempts=[end], strikes=(), live=live)
    assert end.exit_code == 0, run.stderr
    assert "retrying" in [step.name for step in end.steps] or client == "kafka-python"
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
