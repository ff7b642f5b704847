"""The worlds of a sink: a partition, and what operators, strangers and time do to it. Fake and Kafka."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import NamedTuple

from harness.fakes import FakePartition, FakeSink
from processor.model import Delivery, SinkSettings
from processor.ports import Sink

TOO_LARGE_BYTES = 3 * 2**20  # above the default max.message.bytes of 1 MiB


class Whole(NamedTuple):
    """A record with all its parts."""

    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


class SinkWorld(ABC):
    """One fresh partition and the job that writes to it. `sink()` is a new run of that job each time."""

    settings: SinkSettings
    client: str

    @abstractmethod
    def make(self, settings: SinkSettings, client: str) -> Sink:
        """Make a sink of the named client; the world discards it at the end."""

    @abstractmethod
    def read(self, *, committed: bool) -> list[bytes]:
        """Return the values that an independent reader sees, from the first to the (last stable) end."""

    @property
    @abstractmethod
    def bad_topic(self) -> str:
        """A topic for bad rows."""

    @abstractmethod
    def configure_bad_topic(self, setting: str, value: str) -> None:
        """Set one of the settings of `bad_topic`."""

    @abstractmethod
    def dead_letters(self) -> list[tuple[bytes, dict[str, bytes]]]:
        """Return value and headers of what a committed reader sees in `bad_topic`."""

    @abstractmethod
    def read_whole(self) -> list[Whole]:
        """Return all of the records that an independent committed reader sees."""

    @abstractmethod
    def append_time_topic(self) -> None:
        """Let the topic give records its own timestamps."""

    @abstractmethod
    def reset_group(self, offset: int, metadata: str) -> None:
        """Set the job's group offset outside any transaction, as an operator's tool does."""

    @abstractmethod
    def open_strangers_transaction(self, values: list[bytes]) -> None:
        """Let another transactional producer write to the partition and leave its transaction open."""

    @abstractmethod
    def abort_strangers_transaction(self) -> None:
        """Abort it."""

    @abstractmethod
    def settle(self) -> None:
        """Return once every decided transaction shows; fails when one stays undecided.

        Kafka answers a commit once it is decided and lets readers see it a moment later.
        """

    @abstractmethod
    def outlast_transactions(self, timeout_ms: int) -> None:
        """Return when the coordinator has aborted every transaction that is older than `timeout_ms`."""

    @abstractmethod
    def delete_before(self, offset: int) -> None:
        """Delete the records before an offset, as retention does."""

    @abstractmethod
    def recreate_topic(self) -> None:
        """Delete the topic and make it anew under the same name."""

    @abstractmethod
    def compact_topic(self) -> None:
        """Set the topic's cleanup.policy to compact."""

    @abstractmethod
    def unreachable(self) -> Sink:
        """Return a sink whose broker does not answer."""

    def sink(self, *, client: str | None = None, **changed: object) -> Sink:
        """Return a new run's sink, with these settings changed."""
        return self.make(replace(self.settings, **changed), client or self.client)  # type: ignore[arg-type]

    def at_least_once(self) -> Sink:
        """Return a new run's sink without transactions."""
        return self.sink(delivery=Delivery.AT_LEAST_ONCE)


class FakeSinkWorld(SinkWorld):
    """In memory."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.partition = FakePartition(markers_lag=client == "lagging-fake")
        self.settings = SinkSettings("fake:9092", "rows", 0, "csv-to-kafka.contract")
        self._stranger = self.partition.init_producer("stranger")

    def make(self, settings: SinkSettings, client: str) -> Sink:
        assert client == self.client
        return FakeSink(self.partition, settings)

    def read(self, *, committed: bool) -> list[bytes]:
        records = self.partition.committed() if committed else self.partition.uncommitted()
        return [value for _, value in records]

    def read_whole(self) -> list[Whole]:
        return [Whole(c.value, c.key, c.headers, c.timestamp_ms or 0) for _, c in self.partition.contents()]

    def append_time_topic(self) -> None:
        self.partition.timestamp_type = "LogAppendTime"

    @property
    def bad_topic(self) -> str:
        return "bad"

    def configure_bad_topic(self, setting: str, value: str) -> None:
        facts = self.partition.bad_topic
        name = {"cleanup.policy": "cleanup_policy", "max.message.bytes": "max_message_bytes"}[setting]
        self.partition.bad_topic = replace(facts, **{name: type(getattr(facts, name))(value)})

    def dead_letters(self) -> list[tuple[bytes, dict[str, bytes]]]:
        return [(letter.value, dict(letter.headers)) for letter in self.partition.dead_letters]

    def reset_group(self, offset: int, metadata: str) -> None:
        self.partition.reset_group(self.settings.transactional_id, offset, metadata)

    def open_strangers_transaction(self, values: list[bytes]) -> None:
        self.partition.append(self._stranger, values)

    def abort_strangers_transaction(self) -> None:
        self.partition.abort(self._stranger)

    def settle(self) -> None:
        self.partition.finish_commits()

    def outlast_transactions(self, timeout_ms: int) -> None:
        self.partition.pass_time(timeout_ms)

    def delete_before(self, offset: int) -> None:
        self.partition.delete_before(offset)

    def recreate_topic(self) -> None:
        self.partition.recreate()

    def compact_topic(self) -> None:
        self.partition.cleanup_policy = "compact"

    def unreachable(self) -> Sink:
        partition = FakePartition()
        partition.reachable = False
        return FakeSink(partition, self.settings)
