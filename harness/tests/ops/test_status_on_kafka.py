"""`status` beside a real broker: it tells a position that is ahead, for the jobs that write to the topic given."""

from __future__ import annotations

import json
import os
from unittest import mock

import pytest

from harness.workload import generate
from harness.world import World
from processor.__main__ import main

pytestmark = pytest.mark.broker


def run(world: World, topic: str, job_id: str, *words: str) -> int:
    source = world.upload(f"{job_id}.csv", generate(5, rows=30).csv)
    with mock.patch.dict(os.environ, world.environment(topic=topic, source=source, job_id=job_id)):
        return main([*words])


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_rows_that_kafka_has_and_the_checkpoint_does_not_count_are_told(
    world: World, client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    topics = {"job-a": world.create_topic(), "job-b": world.create_topic()}
    for job_id, topic in topics.items():
        assert run(world, topic, job_id, "run", "--client", client) == 0
        world.cloud.dynamodb.update_item(
            TableName=world.cloud.table,
            Key={"job_id": {"S": job_id}},
            UpdateExpression="SET last_line = :rows",
            ExpressionAttributeValues={":rows": {"N": "20"}},
        )
    capsys.readouterr()
    given = ["status", "--all", "--topic", topics["job-a"], "--client", client]
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": world.broker.bootstrap_servers}
    with mock.patch.dict(os.environ, world.cloud.environment() | kafka):
        assert main([*given, "--json"]) == 0
        found = {said["job_id"]: said for said in map(json.loads, capsys.readouterr().out.splitlines())}
        assert (found["job-a"]["position_row"], found["job-a"]["rows_ahead"]) == (30, 10)
        assert (found["job-b"]["position_row"], found["job-b"]["rows_ahead"]) == (None, None)
        assert main(given) == 0
    printed = capsys.readouterr().out
    assert f"note: topic '{topics['job-a']}' is not where the job writes to" in printed
