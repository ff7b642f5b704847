"""One fixture for each port: a world, on the fake and on each real adapter.

The real ones ask for the fixtures `broker` and `cloud` of harness.plugin only when a test needs them, so the fakes'
half runs on any machine: `pytest harness/tests/contracts -k fake`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.tests.contracts.checkpoint_worlds import CheckpointWorld, FakeCheckpointWorld
from harness.tests.contracts.object_worlds import FakeObjectWorld, ObjectWorld
from harness.tests.contracts.sink_worlds import FakeSinkWorld, SinkWorld

KAFKA_CLIENTS = ("kafka-python", "confluent")
LISTENERS = ("tls", "mtls", "scram")  # of the secured broker; in a session of their own
SINKS = [
    "fake",
    "lagging-fake",
    *(pytest.param(client, marks=pytest.mark.broker) for client in KAFKA_CLIENTS),
    *(
        pytest.param(f"{client} over {listener}", marks=[pytest.mark.broker, pytest.mark.secure])
        for client in KAFKA_CLIENTS
        for listener in LISTENERS
    ),
]
PAIRINGS = [
    pytest.param(("fake", "fake"), id="fake"),
    pytest.param(("lagging-fake", "lagging-fake"), id="lagging-fake"),
    *(
        pytest.param((old, new), id=f"{old}-then-{new}", marks=pytest.mark.broker)
        for old in KAFKA_CLIENTS
        for new in KAFKA_CLIENTS
    ),
    *(
        pytest.param(
            (f"{old} over {listener}", new),
            id=f"{old}-then-{new} over {listener}",
            marks=[pytest.mark.broker, pytest.mark.secure],
        )
        for old in KAFKA_CLIENTS
        for new in KAFKA_CLIENTS
        for listener in LISTENERS
    ),
]


@pytest.fixture(params=SINKS)
def sink_world(request: pytest.FixtureRequest) -> Iterator[SinkWorld]:
    """Make a fresh partition, written by the fake or by one of the real clients."""
    yield from _sink_world(request, request.param)


@pytest.fixture(params=PAIRINGS)
def paired_world(request: pytest.FixtureRequest) -> Iterator[tuple[SinkWorld, str, str]]:
    """Make a fresh partition; with it the client of the older run, and that of the newer one."""
    old, new = request.param
    for world in _sink_world(request, old):
        yield world, old.split(" over ")[0], new


@pytest.fixture(params=["fake", "dynamodb"])
def checkpoint_world(request: pytest.FixtureRequest) -> CheckpointWorld:
    """Make a table without the job."""
    if request.param == "fake":
        return FakeCheckpointWorld()
    from harness.tests.contracts.cloud_worlds import DynamoWorld  # noqa: PLC0415  # the fake needs no boto3

    return DynamoWorld(request.getfixturevalue("cloud"))


@pytest.fixture(params=["fake", "s3"])
def object_world(request: pytest.FixtureRequest) -> ObjectWorld:
    """Make a key without an object, in an unversioned bucket."""
    return _object_world(request, versioned=False)


@pytest.fixture(params=["fake", "s3"])
def versioned_world(request: pytest.FixtureRequest) -> ObjectWorld:
    """Make a key without an object, in a versioned bucket."""
    return _object_world(request, versioned=True)


def _object_world(request: pytest.FixtureRequest, *, versioned: bool) -> ObjectWorld:
    if request.param == "fake":
        return FakeObjectWorld(versioned=versioned)
    from harness.tests.contracts.cloud_worlds import S3World  # noqa: PLC0415  # the fake needs no boto3

    return S3World(request.getfixturevalue("cloud"), versioned=versioned)


def _sink_world(request: pytest.FixtureRequest, client: str) -> Iterator[SinkWorld]:
    if client.endswith("fake"):
        yield FakeSinkWorld(client)
        return
    from harness.tests.contracts.kafka_world import KafkaWorld  # noqa: PLC0415  # the fake needs no Kafka client

    client, _, listener = client.partition(" over ")
    if listener:
        broker = request.getfixturevalue("secure_broker")
        world = KafkaWorld(broker.bootstrap_servers, client, secured=broker.variables(listener))
    else:
        world = KafkaWorld(request.getfixturevalue("broker").bootstrap_servers, client)
    yield world
    world.close()
