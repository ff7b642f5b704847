"""What everything is measured on: one warm broker, moto's DynamoDB, the object server; all on this machine.

A topic lives for one run and keeps some 64 MB, so that 10 GB of rows need no 10 GB of disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.made_csv import MadeCsv
from benchmarks.object_server import ObjectServer
from benchmarks.open_peers import OpenPeers
from harness.consumers import admin_client
from harness.world import World

BUCKET = "made"
TOPIC_CONFIGS = {
    "segment.bytes": str(32 * 2**20),
    "retention.bytes": str(64 * 2**20),
    "file.delete.delay.ms": "1000",
}
EVERYTHING_KEPT = {**TOPIC_CONFIGS, "retention.bytes": "-1"}
BROKER_PROPERTIES = {"log.retention.check.interval.ms": "1000"}  # five minutes by default, gigabytes at our rates
DELETED_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts, open."""

    world: World
    objects: ObjectServer
    peers: OpenPeers

    @contextmanager
    def topic(self, configs: Mapping[str, str] = TOPIC_CONFIGS) -> Iterator[str]:
        """Make a topic with one partition, and delete it in the end: nothing of it is left to be written to disk."""
        name = self.world.create_topic(configs=configs)
        try:
            yield name
        finally:
            admin = admin_client(self.world.broker.bootstrap_servers)
            admin.delete_topics([name], operation_timeout=DELETED_WITHIN_S)[name].result(timeout=DELETED_WITHIN_S)

    def environment(self, made: MadeCsv, topic: str, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a run; the topic's name is the job's."""
        return {
            **self.world.environment(topic=topic, source=f"s3://{BUCKET}/{made.key}", job_id=topic),
            **self.objects.environment(),
            **settings,
        }
