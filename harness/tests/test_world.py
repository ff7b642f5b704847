"""One context manager, one command: everything a run talks to, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from harness.broker.leftovers import registry
from harness.partition import offsets
from harness.world import World

pytestmark = pytest.mark.broker
REPOSITORY = Path(__file__).parents[2]
ORDER = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "CHECKPOINT_TABLE",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
]


def test_environment_without_a_topic_is_what_up_prints_in_its_order(world: World) -> None:
    assert list(world.environment()) == ORDER


def test_environment_of_a_run_says_what_to_read_and_where_to_write(world: World) -> None:
    source = world.upload("rows.csv", b"a\n1\n")
    run = world.environment(topic="rows", source=source, job_id="job", partition=2)
    assert source == f"s3://{world.cloud.bucket}/rows.csv"
    assert {name: run[name] for name in run if name not in ORDER} == {
        "KAFKA_TOPIC": "rows",
        "KAFKA_PARTITION": "2",
        "CSV_SOURCE": source,
        "JOB_ID": "job",
    }


def test_topics_of_two_tests_are_never_the_same(world: World) -> None:
    names = [world.create_topic(), world.create_topic()]
    assert names[0] != names[1]
    assert all(offsets(world.broker.bootstrap_servers, name).end == 0 for name in names)


def test_closing_a_world_leaves_a_borrowed_broker_running(world: World) -> None:
    with World(broker=world.broker, cloud=world.cloud):
        pass
    world.create_topic()
    world.upload("rows.csv", b"a\n")


@pytest.mark.parametrize("security", [None, "tls"])
def test_up_prints_the_variables_when_all_is_ready_and_ends_cleanly_on_ctrl_c(security: str | None) -> None:
    order = [*ORDER, "KAFKA_SECURITY_PROTOCOL", "KAFKA_TLS_CA"] if security else ORDER
    up = subprocess.Popen(
        [sys.executable, "-m", "harness", "up", "--broker", "jvm", *(("--security", security) if security else ())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert up.stdout is not None
    lines = [up.stdout.readline().strip() for _ in order]
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert [line.split("=")[0] for line in lines] == [f"export {name}" for name in order]
    secured = {"security.protocol": "SSL", "ssl.ca.location": variables["KAFKA_TLS_CA"]} if security else {}
    admin = AdminClient({"bootstrap.servers": variables["KAFKA_BOOTSTRAP_SERVERS"], "log_level": 0, **secured})
    assert admin.list_topics(timeout=5).brokers
    up.send_signal(signal.SIGINT)
    rest, complaints = up.communicate(timeout=30)
    assert up.returncode == 0, complaints
    assert rest == ""
    assert not list(registry().glob(f"jvm-*-{up.pid}.json")), "a JVM of `up` is still registered"
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)
