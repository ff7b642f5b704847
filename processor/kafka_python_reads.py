"""Reading with kafka-python: the topic, the group offset, the partition's offsets and its committed records."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec

from processor import group_offset
from processor.bounded import bounded, insisted
from processor.dead_letters import require_dead_letters
from processor.errors import AccessDenied, ProcessorError, RecordTooLarge, SinkFailed, SinkFenced
from processor.model import CommittedPosition, Destination, ForeignPosition, PartitionBounds, SinkSettings
from processor.topic_rules import TopicFacts, invalid_timestamp, require_topic

T = TypeVar("T")

READ_TIMEOUT_S = 10.0
TRIES = 4  # within that time, should each run out of its own: one broker that is silent must leave time for another
POLL_MS = 500
DEFAULT_MESSAGE_BYTES = 1_048_588  # the broker's default of max.message.bytes, until `describe` has asked
REFUSED = (
    kafka_errors.AuthorizationError, kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.IllegalSaslStateError, kafka_errors.UnsupportedSaslMechanismError,
)  # fmt: skip
# What a broker says of a refused timestamp; of several at once it names only the record.
INVALID = (kafka_errors.InvalidTimestampError, kafka_errors.InvalidRecordError)


class KafkaPythonReads:
    """The reading half of `ports.Sink` on kafka-python."""

    def __init__(self, settings: SinkSettings) -> None:
        self._settings = settings
        self._partition = TopicPartition(settings.topic, settings.partition)
        self._admin: KafkaAdminClient | None = None
        self._servers = settings.bootstrap_servers.split(",")
        self._largest_record_bytes = DEFAULT_MESSAGE_BYTES

    def describe(self) -> Destination:
        """Check the topic; see `ports.Sink`."""
        try:
            facts = self._ask(self._topic_facts, "the topic's description")
        except SinkFailed as failure:
            from processor.tls import explain  # noqa: PLC0415

            raise explain(failure, self._settings) from failure
        require_topic(facts, self._settings)
        self._largest_record_bytes = facts.max_message_bytes
        if topic := self._settings.dead_letter_topic:
            require_dead_letters(
                self._ask(partial(self._topic_facts, name=topic), "the dead-letter topic's description"), topic
            )
        return Destination(facts.cluster_id, facts.topic_id, self._settings.partition)

    def position(self) -> CommittedPosition | ForeignPosition | None:
        """Return the group offset; see `ports.Sink`."""
        group = self._settings.transactional_id
        offsets = self._ask(lambda admin: admin.list_group_offsets({group: [self._partition]}), "the group offset")
        found = offsets.get(group, {}).get(self._partition)
        return None if found is None else group_offset.decode(found.offset, found.metadata)

    def bounds(self) -> PartitionBounds:
        """Return the partition's offsets; see `ports.Sink`."""

        def offsets(admin: KafkaAdminClient) -> PartitionBounds:
            def at(spec: OffsetSpec, isolation: str) -> int:
                found = admin.list_partition_offsets({self._partition: spec}, isolation_level=isolation)
                return int(found[self._partition].offset)

            # Stable before end: a record that arrives in between must not look like one that is stable.
            stable = at(OffsetSpec.LATEST, "read_committed")
            return PartitionBounds(
                at(OffsetSpec.EARLIEST, "read_uncommitted"), stable, at(OffsetSpec.LATEST, "read_uncommitted")
            )

        return self._ask(offsets, "the partition's offsets")

    def records(self, start_offset: int, *, committed: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield committed records, or all; see `ports.Sink`."""
        bounds, parts_given = self.bounds(), self._settings.parts.given
        end = bounds.stable if committed else bounds.end
        consumer = self._translated(lambda: self._consumer(start_offset, committed=committed))
        try:
            deadline = time.monotonic() + READ_TIMEOUT_S
            while self._translated(lambda: consumer.position(self._partition)) < end:
                found = self._translated(lambda: consumer.poll(timeout_ms=POLL_MS)).get(self._partition, [])
                for record in found:
                    if record.offset < end:
                        yield record.offset, self._imprint(record) if parts_given else record.value
                if found:
                    deadline = time.monotonic() + READ_TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise _failed(f"reading {self._partition} stopped before offset {end}")
        finally:
            consumer.close(autocommit=False)

    def _imprint(self, record: Any) -> bytes:
        parts, headers = self._settings.parts, tuple(record.headers)
        return parts.imprint(record.value, key=record.key, headers=headers, timestamp_ms=record.timestamp)

    def _client(self, make: Callable[..., T], **chosen: Any) -> T:
        """Make a client, asking one server for the others; when it is silent or gone, the next try asks another.

        Left to itself, kafka-python draws a server at random and waits for it alone until its time is over.
        """
        try:
            return make(
                client_id="csv-to-kafka",
                bootstrap_servers=self._servers[:1],
                bootstrap_timeout_ms=int(READ_TIMEOUT_S / TRIES * 1000),
                reconnect_backoff_max_ms=1_000,  # a broker that is back is found within a second
                **self._security(),
                **chosen,
            )
        except kafka_errors.KafkaError:
            self._servers.append(self._servers.pop(0))
            if self._settings.security.sasl:
                from processor.kafka_python_login import require_login  # noqa: PLC0415

                require_login(self._servers[-1], self._settings.security, self._security())
            raise

    def _security(self) -> dict[str, Any]:
        security = self._settings.security
        chosen = security.for_kafka_python()
        if security.sasl:  # at DEBUG it logs what it logs in with
            logging.getLogger("kafka").setLevel(logging.INFO)
        if security.tls:
            from processor.tls import tls_context  # noqa: PLC0415

            chosen["ssl_context"] = tls_context(security)
        if security.msk_iam:
            chosen["sasl_oauth_token_provider"] = _token_provider()
        return chosen

    def _consumer(self, start_offset: int, *, committed: bool) -> KafkaConsumer:
        consumer = self._insist(
            lambda: self._client(
                KafkaConsumer,
                isolation_level="read_committed" if committed else "read_uncommitted",
                enable_auto_commit=False,
                group_id=None,
                auto_offset_reset="none",  # a gap must raise, not skip
                request_timeout_ms=int(READ_TIMEOUT_S * 1000),
            )
        )
        consumer.assign([self._partition])
        consumer.seek(self._partition, start_offset)
        return consumer

    def _topic_facts(self, admin: KafkaAdminClient, *, name: str = "") -> TopicFacts:
        name = name or self._settings.topic
        found = next(iter(admin.describe_topics([name])), None)
        cluster_id = str(admin.describe_cluster()["cluster_id"])
        error = kafka_errors.for_code(found["error_code"]) if found else kafka_errors.UnknownTopicOrPartitionError
        if found is None or error in (kafka_errors.UnknownTopicOrPartitionError, kafka_errors.InvalidTopicError):
            return TopicFacts(cluster_id, "", frozenset(), "", 0)
        if error is not kafka_errors.NoError:
            raise error(name)
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        configs = admin.describe_configs([resource], config_filter="all")["topic"][name]
        if "cleanup.policy" not in configs:  # how this client says that DescribeConfigs was refused
            raise kafka_errors.TopicAuthorizationFailedError(f"{name}: DescribeConfigs")
        return TopicFacts(
            cluster_id,
            # The form in which Kafka's own tools show it, and the other client.
            urlsafe_b64encode(uuid.UUID(found["topic_id"]).bytes).decode().rstrip("="),
            frozenset(partition["partition_index"] for partition in found["partitions"]),
            str(configs["cleanup.policy"]["value"]),
            int(configs["max.message.bytes"]["value"]),
            str(configs["message.timestamp.type"]["value"]),
            "WRITE" in (found["authorized_operations"] or ()),
        )

    def _ask(self, question: Callable[[KafkaAdminClient], T], what: str) -> T:
        """Ask through the admin client within a bound; one that failed is not asked again."""

        def ask() -> T:
            if self._admin is None:
                self._admin = self._client(KafkaAdminClient, request_timeout_ms=int(READ_TIMEOUT_S / TRIES * 1000))
            admin = self._admin
            try:
                return question(admin)
            except Exception:
                self._admin = None  # it may remember a leader or a coordinator that has fallen
                with contextlib.suppress(Exception):
                    admin.close()
                raise

        try:
            return self._translated(lambda: bounded(lambda: self._insist(ask), timeout_s=READ_TIMEOUT_S, what=what))
        except ProcessorError:
            self._admin = None  # one that ran out of time says nothing
            raise

    @staticmethod
    def _insist(ask: Callable[[], T]) -> T:
        """Ask until there is an answer; what the last try says is heard before READ_TIMEOUT_S is over."""
        return insisted(ask, passing=_passing, timeout_s=READ_TIMEOUT_S * (TRIES - 1) / TRIES)

    def _translated(self, call: Callable[[], T]) -> T:
        """Run a call of the vendor's and raise our errors in the place of its own."""
        try:
            return call()
        except (kafka_errors.KafkaError, TimeoutError, OSError, ValueError, AssertionError) as error:
            raise _translate(error, self._settings) from error


def _token_provider() -> Any:
    from kafka.net.sasl.oauth import AbstractTokenProvider  # noqa: PLC0415

    from processor.aws import msk_token  # noqa: PLC0415

    class SignsForMsk(AbstractTokenProvider):  # type: ignore[misc]
        def token(self) -> str:
            return msk_token()[0]

    return SignsForMsk()


def _passing(error: Exception) -> bool:
    """A coordinator that is being elected, say; but a topic that is not there stays away."""
    return isinstance(error, kafka_errors.RetriableError) and not isinstance(
        error, kafka_errors.UnknownTopicOrPartitionError
    )


def _translate(error: BaseException, settings: SinkSettings) -> ProcessorError:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, kafka_errors.ProducerFencedError | kafka_errors.InvalidProducerEpochError):
            return SinkFenced("the coordinator shut this producer out", hint="the lease tells why")
        if isinstance(cause, kafka_errors.MessageSizeTooLargeError | kafka_errors.RecordListTooLargeError):
            return RecordTooLarge(
                f"topic {settings.topic!r} refuses a record: {cause}", hint="raise the topic's max.message.bytes"
            )
        if settings.parts.timestamp and isinstance(cause, INVALID):
            return invalid_timestamp(settings.topic, cause)
        if isinstance(cause, REFUSED):
            return AccessDenied(
                f"Kafka refuses: {cause!r}",
                hint=f"check the credentials, and the rights on topic {settings.topic!r}, "
                f"and on group and transactional.id {settings.transactional_id!r}",
            )
    return _failed(f"Kafka at {settings.bootstrap_servers}: {causes[0]!r}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it wraps: kafka-python puts causes into `args` as often as into `__cause__`."""
    todo, seen = [error], 0
    while todo and seen < 20:  # noqa: PLR2004  # a bound, should an error ever wrap itself
        seen += 1
        current = todo.pop(0)
        yield current
        todo += [cause for cause in (*current.args, current.__cause__) if isinstance(cause, BaseException)]


def _failed(what: str) -> SinkFailed:
    return SinkFailed(what, hint="check --bootstrap-servers and the brokers; start the same command again")
