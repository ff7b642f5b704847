"""Fixtures of the benchmarks: how much, on what, and what the results say about the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task
from benchmarks.contestants import CONTESTANTS
from benchmarks.object_server import ObjectServer
from benchmarks.open_peers import OpenPeers
from benchmarks.runs import Run
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import BROKER_PROPERTIES, Stage
from harness.broker import BrokerUnavailable, open_broker
from harness.broker.jars import kafka_version
from harness.cloud import Cloud
from harness.plugin import broker_kind, not_run
from harness.world import World

_load_before = [os.getloadavg()[0]]  # of the last minute: whoever else was at work here, in numbers
PACKAGES = ("boto3", "confluent-kafka", "kafka-python", "orjson", "polars", "pytest-benchmark")


@pytest.fixture(scope="session")
def scale() -> Scale:
    """How much is measured."""
    return chosen_scale()


@pytest.fixture(scope="session")
def stage(scale: Scale, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Broker, DynamoDB and S3 for all benchmarks; where nothing is timed, the broker of all other tests."""
    kind = broker_kind()
    with ExitStack() as opened:
        if scale.name == "once":
            broker = request.getfixturevalue("broker")
        else:
            properties = None if kind == "external" else BROKER_PROPERTIES
            try:
                broker = opened.enter_context(open_broker(kind, properties=properties))
            except BrokerUnavailable as why:
                not_run(kind, what=f"benchmarks on a {kind} broker", why=why)
        cloud = opened.enter_context(Cloud())
        world = opened.enter_context(World(broker=broker, cloud=cloud))
        peers = opened.enter_context(OpenPeers(broker.bootstrap_servers))
        yield Stage(world, opened.enter_context(ObjectServer()), peers)


@pytest.fixture(scope="session")
def end_to_end(stage: Stage, scale: Scale, request: pytest.FixtureRequest) -> Plan[Run]:
    """All contestants that were chosen, in rounds that alternate."""
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    chosen = [one for one in CONTESTANTS if one.name in asked]
    return Plan({one.name: Task(partial(one.run, stage, one.made(scale))) for one in chosen}, scale, say=print)


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add what decides about rates and is not in there yet."""
    machine_info |= {
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "platform": platform.platform(),
        "load": {"before": _load_before[0], "after": os.getloadavg()[0]},
        "scale": chosen_scale().name,
        "broker": f"{broker_kind()}, Apache Kafka {kafka_version()}" if broker_kind() != "external" else "external",
        "versions": {name: version(name) for name in PACKAGES},
    }
