"""A partition of the fake, or of each real client, for the commands that read one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.tests.contracts.conftest import KAFKA_CLIENTS
from harness.tests.contracts.sink_worlds import FakeSinkWorld, SinkWorld
from harness.tests.ops.planted import Planted


@pytest.fixture(params=["fake", *(pytest.param(client, marks=pytest.mark.broker) for client in KAFKA_CLIENTS)])
def planted(request: pytest.FixtureRequest) -> Iterator[Planted]:
    """A job whose partition a test fills as it likes."""
    if request.param == "fake":
        yield Planted(FakeSinkWorld(request.param))
        return
    from harness.tests.contracts.kafka_world import KafkaWorld  # noqa: PLC0415  # the fake needs no Kafka client

    world: SinkWorld = KafkaWorld(request.getfixturevalue("broker").bootstrap_servers, request.param)
    yield Planted(world)
    world.close()  # type: ignore[attr-defined]
