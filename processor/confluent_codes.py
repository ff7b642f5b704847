"""What librdkafka's error codes mean here."""

from __future__ import annotations

from confluent_kafka import KafkaError

FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001
# What a broker says of a refused timestamp; of several at once it names only the record.
INVALID = frozenset({KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD})
TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
REFUSED = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION,  # noqa: SLF001
})  # fmt: skip
HOPELESS = REFUSED | {KafkaError._SSL}  # noqa: SLF001  # a handshake that broke off otherwise is called _TRANSPORT
UNKNOWN_TOPIC = frozenset({
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION,
    KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
})  # fmt: skip
# librdkafka calls only some of these retriable; each is over within moments of a start or an election.
PASSING = frozenset({
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError._WAIT_COORD,  # noqa: SLF001
    KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._NOENT,  # noqa: SLF001  # the last: no leader is known
})  # fmt: skip
