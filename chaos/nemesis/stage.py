"""Where the network can go wrong: a broker, S3 and DynamoDB, each behind a proxy of its own.

Runs reach the services through the proxies, harness and judge directly, so that no fault blinds them.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from chaos.proxy import HttpWire, KafkaWire, Proxy
from harness.broker.jvm import JvmBroker
from harness.world import World


class Stage(World):
    """A world whose runs meet three proxies. A context manager."""

    def __init__(self) -> None:
        self.kafka, self.s3, self.dynamodb = Proxy(KafkaWire), Proxy(HttpWire), Proxy(HttpWire)
        self._own_broker = JvmBroker(proxied=self.kafka.address)
        self.kafka.server = self._own_broker.proxied_server
        self._behind = ExitStack()
        super().__init__(broker=self._own_broker)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for part in (self.kafka, self.s3, self.dynamodb, self._own_broker):
                opened.enter_context(part)
            super().__enter__()
            self._behind = opened.pop_all()
        self.s3.server = self.dynamodb.server = self.cloud.environment()["AWS_ENDPOINT_URL"].removeprefix("http://")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._behind.close()

    def clear(self) -> None:
        """Switch every fault off."""
        for proxy in (self.kafka, self.s3, self.dynamodb):
            proxy.switch_off()

    def reset(self) -> None:
        """Switch every fault off and end every connection, those that one of them still keeps waiting too."""
        self.clear()
        for proxy in (self.kafka, self.s3, self.dynamodb):
            proxy.reset_now()

    def environment(
        self, *, topic: str | None = None, source: str | None = None, job_id: str | None = None, partition: int = 0
    ) -> dict[str, str]:
        """Return the variables of a run that meets the proxies; see `World.environment`."""
        return {
            **super().environment(topic=topic, source=source, job_id=job_id, partition=partition),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.address,
            "AWS_ENDPOINT_URL_S3": f"http://{self.s3.address}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{self.dynamodb.address}",
        }
