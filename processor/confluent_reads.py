"""Reading with confluent-kafka: the topic, the group offset, the partition's offsets and its committed records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import chain, repeat
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation, AdminClient, ConfigResource, OffsetSpec, ResourceType

from processor import group_offset
from processor.bounded import insisted
from processor.confluent_codes import FENCED, HOPELESS, INVALID, PASSING, REFUSED, TOO_LARGE, UNKNOWN_TOPIC
from processor.errors import AccessDenied, ProcessorError, RecordTooLarge, SinkFailed, SinkFenced
from processor.model import CommittedPosition, Destination, ForeignPosition, PartitionBounds, SinkSettings
from processor.topic_rules import TopicFacts, invalid_timestamp, require_topic

T = TypeVar("T")

READ_TIMEOUT_S = 10.0
END_WAIT_MS = 10  # how long the broker waits for more records before it says that there are none
FULL_WAIT_MS = 10  # after so long librdkafka asks again where it held enough; its own second leaves a reader waiting
TRIES = 4  # within that time, should each run out of its own: a client that knows a fallen leader does not let go of it
DEFAULT_MESSAGE_BYTES = 1_048_588  # the broker's default of max.message.bytes, until `describe` has asked
LOGGER = logging.getLogger("csv-to-kafka.librdkafka")
URL_SAFE = str.maketrans("+/", "-_")  # the form in which Kafka's own tools show a topic id


class ConfluentReads:
    """The reading half of `ports.Sink` on confluent-kafka."""

    def __init__(self, settings: SinkSettings) -> None:
        self._settings = settings
        self._admin: AdminClient | None = None
        self._group: Consumer | None = None
        self._heard: KafkaError | None = None
        self._largest_record_bytes = DEFAULT_MESSAGE_BYTES

    def describe(self) -> Destination:
        """Check the topic; see `ports.Sink`."""
        try:
            facts = self._ask(self._topic_facts)
        except SinkFailed as failure:
            from processor.tls import explain  # noqa: PLC0415

            raise explain(failure, self._settings) from failure
        require_topic(facts, self._settings)
        self._largest_record_bytes = facts.max_message_bytes
        return Destination(facts.cluster_id, facts.topic_id, self._settings.partition)

    def position(self) -> CommittedPosition | ForeignPosition | None:
        """Return the group offset; see `ports.Sink`."""

        def committed() -> Any:
            member = self._consumer_of_group()
            try:
                found = member.committed([self._place()], timeout=READ_TIMEOUT_S)[0]
            except KafkaException:
                told = member.poll(0)  # where it says why it found no coordinator
                if told is not None and told.error() is not None:
                    self._hear(told.error())
                raise
            if found.error is not None:
                raise KafkaException(found.error)
            return found

        found = self._translated(lambda: insisted(committed, passing=_passing, timeout_s=READ_TIMEOUT_S))
        return group_offset.decode(found.offset, found.metadata)

    def bounds(self) -> PartitionBounds:
        """Return the partition's offsets; see `ports.Sink`."""

        def offsets(admin: AdminClient) -> PartitionBounds:
            def at(spec: OffsetSpec, isolation: IsolationLevel) -> int:
                asked = admin.list_offsets({self._place(): spec}, isolation_level=isolation, request_timeout=_a_try_s())
                offset = int(_result(next(iter(asked.values()))).offset)
                if offset < 0:  # how librdkafka says, without an error, that the leader did not answer in time
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
                return offset

            # Stable before end: a record that arrives in between must not look like one that is stable.
            stable = at(OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)
            return PartitionBounds(
                at(OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED),
                stable,
                at(OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED),
            )

        return self._ask(offsets)

    def records(self, start_offset: int, *, committed: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield committed records, or all; see `ports.Sink`."""
        bounds, parts_given = self.bounds(), self._settings.parts.given
        end = bounds.stable if committed else bounds.end
        if start_offset >= end:
            return
        reader = Consumer(
            {
                **self._connection(),
                "group.id": self._settings.transactional_id,  # demanded; nothing is committed to it here
                "enable.auto.commit": False,
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "fetch.wait.max.ms": END_WAIT_MS,
                "fetch.queue.backoff.ms": FULL_WAIT_MS,
                "enable.partition.eof": True,  # offsets have gaps: only the broker knows where the end is
                "auto.offset.reset": "error",  # a gap must raise, not skip
            }
        )
        try:
            reader.assign([self._place(start_offset)])
            deadline = time.monotonic() + READ_TIMEOUT_S
            # consume() waits until it has as many; the first record may be all that is asked for, the end the second.
            asked = chain((1, 1), repeat(10_000))
            while time.monotonic() < deadline:
                at_once = next(asked)
                for message in self._translated(partial(reader.consume, at_once, timeout=0.5)):
                    error = message.error()
                    if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                        return
                    if error is not None:
                        raise _translate(KafkaException(error), self._settings)
                    if message.offset() >= end:
                        return
                    yield message.offset(), self._imprint(message) if parts_given else message.value()
                    deadline = time.monotonic() + READ_TIMEOUT_S
            raise _failed(f"reading {self._place()} stopped before offset {end}")
        finally:
            reader.close()

    def _imprint(self, message: Message) -> bytes:
        headers, moment_ms = tuple(message.headers() or ()), message.timestamp()[1]
        parts = self._settings.parts
        return parts.imprint(message.value(), key=message.key(), headers=headers, timestamp_ms=moment_ms)

    def _place(self, offset: int | None = None) -> TopicPartition:
        if offset is None:
            return TopicPartition(self._settings.topic, self._settings.partition)
        return TopicPartition(self._settings.topic, self._settings.partition, offset)

    def _connection(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._settings.bootstrap_servers,
            "client.id": "csv-to-kafka",
            "reconnect.backoff.max.ms": 1_000,  # a broker that is back is found within a second
            "socket.timeout.ms": int(READ_TIMEOUT_S * 1000),
            "topic.metadata.propagation.max.ms": 0,  # an unknown topic is said at once
            # librdkafka would write to stderr, where one line is promised; what is fatal has no lower level than 0.
            "log_level": 0,
            "logger": LOGGER,
            "error_cb": self._hear,
            **self._settings.security.for_confluent(),
            **self._tokens(),
        }

    def _tokens(self) -> dict[str, Any]:
        if not self._settings.security.msk_iam:
            return {}
        from processor.aws import msk_token  # noqa: PLC0415

        return {"oauth_cb": lambda _: msk_token()}

    def _forget_clients(self) -> None:
        """Make new ones for the next question: a restarted broker refuses the leader epoch that the old ones know."""
        self._admin = self._group = None

    def _hear(self, error: KafkaError) -> None:
        """Keep why a connection failed: the call that waited for it only says that time ran out."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # says nothing that the others do not
            self._heard = error

    def _consumer_of_group(self) -> Consumer:
        if self._group is None:
            chosen = {
                "group.id": self._settings.transactional_id,
                "enable.auto.commit": False,
                # With read_committed, librdkafka's default, a position is not told while a dead or frozen run's
                # transaction holds a newer one: the run that could fence it would wait for it. After a fence there
                # is none.
                "isolation.level": "read_uncommitted",
            }
            self._group = Consumer({**self._connection(), **chosen})
        return self._group

    def _topic_facts(self, admin: AdminClient, *, name: str = "") -> TopicFacts:
        name = name or self._settings.topic
        cluster_id = str(_result(admin.describe_cluster(request_timeout=_a_try_s())).cluster_id)
        try:
            collection, timeout_s = TopicCollection([name]), _a_try_s()
            asked = admin.describe_topics(collection, include_authorized_operations=True, request_timeout=timeout_s)
            found = _result(asked[name])
        except KafkaException as error:
            if error.args[0].code() in UNKNOWN_TOPIC:
                return TopicFacts(cluster_id, "", frozenset(), "", 0)
            raise
        resource = ConfigResource(ResourceType.TOPIC, name)
        configs = _result(admin.describe_configs([resource], request_timeout=_a_try_s())[resource])
        return TopicFacts(
            cluster_id,
            str(found.topic_id).translate(URL_SAFE),
            frozenset(partition.id for partition in found.partitions),
            configs["cleanup.policy"].value,
            int(configs["max.message.bytes"].value),
            configs["message.timestamp.type"].value,
            AclOperation.WRITE in (found.authorized_operations or ()),
        )

    def _ask(self, question: Callable[[AdminClient], T]) -> T:
        """Ask through the admin client within a bound; one that failed is not asked again."""

        def ask() -> T:
            if self._admin is None:
                self._admin = AdminClient(self._connection())
            admin = self._admin  # kept, or its futures would be destroyed with it
            try:
                return question(admin)
            except (KafkaException, TimeoutError):
                admin.poll(0)  # serves error_cb
                self._admin = None
                raise

        def passing(error: Exception) -> bool:
            return _passing(error) and (self._heard is None or self._heard.code() not in HOPELESS)

        try:
            return self._translated(lambda: insisted(ask, passing=passing, timeout_s=READ_TIMEOUT_S))
        except ProcessorError:
            self._forget_clients()
            raise

    def _translated(self, call: Callable[[], T]) -> T:
        """Run a call of the vendor's and raise our errors in the place of its own."""
        self._heard = None
        try:
            return call()
        except (KafkaException, BufferError, SystemError, TimeoutError, ValueError) as error:
            if self._admin is not None:
                self._admin.poll(0)  # serves error_cb
            raise _translate(error, self._settings, self._heard) from error


def _a_try_s() -> float:
    return READ_TIMEOUT_S / TRIES


def _result(future: Future[T]) -> T:
    return future.result(timeout=READ_TIMEOUT_S)


def _passing(error: Exception) -> bool:
    """A coordinator that is being elected, say; but a topic that is not there stays away."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, KafkaException) or not isinstance(error.args[0], KafkaError):
        return False
    said = error.args[0]
    return said.code() in PASSING or (bool(said.retriable()) and said.code() not in UNKNOWN_TOPIC)


def _translate(error: BaseException, settings: SinkSettings, heard: KafkaError | None = None) -> ProcessorError:
    if isinstance(error, SystemError) and error.__cause__ is not None:
        # A fatal error is raised out of the call that serves callbacks, and trips over the next callback there.
        error = error.__cause__
    said = error.args[0] if isinstance(error, KafkaException) and error.args else None
    code = said.code() if isinstance(said, KafkaError) else None
    if heard is not None and heard.code() in REFUSED:
        said, code = heard, heard.code()
    if code in FENCED:
        return SinkFenced("the coordinator shut this producer out", hint="the lease tells why")
    if code in TOO_LARGE:
        return RecordTooLarge(
            f"topic {settings.topic!r} refuses a record: {said}", hint="raise the topic's max.message.bytes"
        )
    if settings.parts.timestamp and code in INVALID:
        return invalid_timestamp(settings.topic, said)
    if said is not None and code in REFUSED:
        return AccessDenied(
            f"Kafka refuses: {said.str()}",
            hint=f"check the credentials, and the rights on topic {settings.topic!r}, "
            f"and on group and transactional.id {settings.transactional_id!r}",
        )
    why = heard.str() if heard is not None else said.str() if isinstance(said, KafkaError) else repr(error)
    return _failed(f"Kafka at {settings.bootstrap_servers}: {why}")


def _failed(what: str) -> SinkFailed:
    return SinkFailed(what, hint="check --bootstrap-servers and the brokers; start the same command again")
