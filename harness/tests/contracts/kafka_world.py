"""The world of a sink on a real Kafka broker. The hands here use confluent-kafka, whichever client is tested."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import cast

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from harness import partition, wait
from harness.dead_letters import dead_letters
from harness.tests.contracts.sink_worlds import SinkWorld, Whole
from processor.model import SinkSettings
from processor.ports import Sink
from processor.secret_places import read_secrets
from processor.settings import load
from processor.sink_confluent import ConfluentSink
from processor.sink_kafka_python import KafkaPythonSink

ANSWER_S = 30.0
# A transaction is undecided, or a group's coordinator is only just coming up.
NOT_YET = frozenset({
    KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
})  # fmt: skip
SINKS = {"kafka-python": KafkaPythonSink, "confluent": ConfluentSink}


def with_security(settings: SinkSettings, variables: Mapping[str, str]) -> SinkSettings:
    """Return the settings with address and security of a processor that has these variables."""
    needed = {"CSV_SOURCE": "s3://bucket/key", "KAFKA_TOPIC": settings.topic, "CHECKPOINT_TABLE": "checkpoints"}
    loaded = load({}, {**needed, **variables})
    security = read_secrets(loaded.sink.security, loaded.secret_places, variables)
    return replace(settings, bootstrap_servers=loaded.sink.bootstrap_servers, security=security)


class KafkaWorld(SinkWorld):
    """A topic of its own on a running broker. `close` when done."""

    def __init__(self, bootstrap_servers: str, client: str, *, secured: Mapping[str, str] | None = None) -> None:
        """Make the topic. `secured` are the settings of a sink that goes by another listener than the hands here."""
        self.client = client
        unique = uuid.uuid4().hex[:8]
        self.settings = SinkSettings(bootstrap_servers, f"rows-{unique}", 0, f"csv-to-kafka.contract-{unique}")
        if secured is not None:
            self.settings = with_security(self.settings, secured)
        self._servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._sinks: list[Sink] = []
        self._stranger: Producer | None = None
        self._more_topics: list[str] = []
        partition.create_topic(self._servers, self.settings.topic)

    def close(self) -> None:
        """Let go of every client and remove the topic."""
        for sink in self._sinks:
            sink.discard()
        for future in self._admin.delete_topics([self.settings.topic, *self._more_topics]).values():
            future.result(ANSWER_S)

    def make(self, settings: SinkSettings, client: str) -> Sink:
        sink = cast("Sink", SINKS[client](settings))
        self._sinks.append(sink)
        return sink

    def read(self, *, committed: bool) -> list[bytes]:
        isolation: partition.Isolation = "read_committed" if committed else "read_uncommitted"
        return [record.value or b"" for record in partition.read(*self._address, isolation=isolation)]

    def read_whole(self) -> list[Whole]:
        found = partition.read(*self._address, isolation="read_committed")
        return [Whole(record.value, record.key, record.headers, record.timestamp_ms) for record in found]

    def append_time_topic(self) -> None:
        self._configure(self.settings.topic, "message.timestamp.type", "LogAppendTime")

    @property
    def bad_topic(self) -> str:
        topic = f"{self.settings.topic}-bad"
        if topic not in self._more_topics:
            partition.create_topic(self._servers, topic)
            self._more_topics.append(topic)
        return topic

    def dead_letters(self) -> list[tuple[bytes, dict[str, bytes]]]:
        return dead_letters(self._servers, self.bad_topic)

    def reset_group(self, offset: int, metadata: str) -> None:
        group = {"bootstrap.servers": self._servers, "group.id": self.settings.transactional_id}
        place = TopicPartition(self.settings.topic, self.settings.partition, offset, metadata)
        with closing(Consumer({**group, "enable.auto.commit": False})) as consumer:
            consumer.commit(offsets=[place], asynchronous=False)

    def open_strangers_transaction(self, values: list[bytes]) -> None:
        stranger = Producer({"bootstrap.servers": self._servers, "transactional.id": f"stranger-{uuid.uuid4().hex}"})
        stranger.init_transactions(ANSWER_S)
        stranger.begin_transaction()
        for value in values:
            stranger.produce(self.settings.topic, value, partition=self.settings.partition)
        assert stranger.flush(ANSWER_S) == 0
        self._stranger = stranger

    def abort_strangers_transaction(self) -> None:
        assert self._stranger is not None
        self._stranger.abort_transaction(ANSWER_S)

    def settle(self) -> None:
        wait.until(self._is_settled, within_s=ANSWER_S, what="the markers of decided transactions")

    def outlast_transactions(self, timeout_ms: int) -> None:
        # the coordinator looks for timed-out transactions every 10 s by default
        wait.until(self._is_settled, within_s=timeout_ms / 1000 + 30, what="the coordinator to abort the transaction")

    def delete_before(self, offset: int) -> None:
        for future in self._admin.delete_records([self._place(offset)]).values():
            future.result(ANSWER_S)

    def recreate_topic(self) -> None:
        for future in self._admin.delete_topics([self.settings.topic]).values():
            future.result(ANSWER_S)
        wait.until(lambda: not self._topic_exists(), within_s=ANSWER_S, what="the topic to be gone")
        partition.create_topic(self._servers, self.settings.topic)

    def compact_topic(self) -> None:
        self._configure(self.settings.topic, "cleanup.policy", "compact")

    def configure_bad_topic(self, setting: str, value: str) -> None:
        self._configure(self.bad_topic, setting, value)

    def _configure(self, topic: str, setting: str, value: str) -> None:
        entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for future in self._admin.incremental_alter_configs([resource]).values():
            future.result(ANSWER_S)

    def unreachable(self) -> Sink:
        return self.sink(bootstrap_servers="127.0.0.1:1")  # a port where nothing listens

    @property
    def _address(self) -> tuple[str, str, int]:
        return self._servers, self.settings.topic, self.settings.partition

    def _is_settled(self) -> bool:
        """Tell whether records and group offsets are both free of undecided transactions: each has its own marker."""
        bounds = partition.offsets(*self._address)
        if bounds.stable < bounds.end:
            return False
        place = TopicPartition(self.settings.topic, self.settings.partition)
        wanted = ConsumerGroupTopicPartitions(self.settings.transactional_id, [place])
        try:
            found = self._admin.list_consumer_group_offsets([wanted], require_stable=True, request_timeout=2)
            places = found[self.settings.transactional_id].result(ANSWER_S).topic_partitions
        except KafkaException as error:
            if error.args[0].code() in NOT_YET:
                return False
            raise
        return all(place.error is None for place in places)

    def _topic_exists(self) -> bool:
        return self.settings.topic in self._admin.list_topics(timeout=ANSWER_S).topics

    def _place(self, offset: int) -> TopicPartition:
        return TopicPartition(self.settings.topic, self.settings.partition, offset)
