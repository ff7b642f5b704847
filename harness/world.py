"""A broker and a cloud as one context manager: everything the processor talks to, on loopback."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from harness.broker import Broker, BrokerKind, open_broker
from harness.cloud import Cloud
from harness.partition import create_topic


class World:
    """Starts what it is not given; closes what it started.

    `World()` opens a broker and a cloud of its own; `World(broker=..., cloud=...)` borrows running ones.
    """

    broker: Broker
    cloud: Cloud

    def __init__(
        self,
        *,
        kind: BrokerKind = "auto",
        broker: Broker | None = None,
        cloud: Cloud | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a world; `kind` and `properties` are for the broker that is opened when none is given."""
        self._properties = properties
        self._kind = kind
        self._given_broker = broker
        self._given_cloud = cloud
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.cloud = self._given_cloud or opened.enter_context(Cloud())
            self.broker = self._given_broker or opened.enter_context(
                open_broker(self._kind, properties=self._properties)
            )
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def environment(
        self, *, topic: str | None = None, source: str | None = None, job_id: str | None = None, partition: int = 0
    ) -> dict[str, str]:
        """Return the variables of a run; without a topic, only those that `harness up` prints, in its order."""
        environment = {"KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers, **self.cloud.environment()}
        if topic is not None:
            environment |= {"KAFKA_TOPIC": topic, "KAFKA_PARTITION": str(partition)}
        if source is not None:
            environment["CSV_SOURCE"] = source
        if job_id is not None:
            environment["JOB_ID"] = job_id
        return environment

    def create_topic(
        self, topic: str | None = None, *, partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> str:
        """Create a topic, under a name never used before if none is given, and return the name."""
        name = topic or fresh_topic()
        create_topic(self.broker.bootstrap_servers, name, partitions=partitions, configs=configs)
        return name

    def upload(self, key: str, body: bytes) -> str:
        """Put an object into the cloud's bucket and return its s3:// URL."""
        return self.cloud.upload(key, body)


def fresh_topic() -> str:
    """Return a topic name that no run has used."""
    return f"rows-{uuid.uuid4().hex[:12]}"
