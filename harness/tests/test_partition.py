"""The judge's eyes: what is visible is read to the last record, by either client, whatever gaps the offsets have."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from harness.broker import Broker
from harness.partition import Client, LiveReader, Record, create_topic, group_offset, offsets, read
from harness.wait import TimedOut, until
from harness.world import fresh_topic
from processor.model import PartitionBounds

pytestmark = pytest.mark.broker
CLIENTS: list[Client] = ["kafka-python", "confluent"]
SILENT = {"log_level": 0}


@pytest.fixture
def topic(broker: Broker) -> str:
    name = fresh_topic()
    create_topic(broker.bootstrap_servers, name)
    return name


def transactional(broker: Broker, transactional_id: str | None = None) -> Producer:
    producer = Producer(
        {
            **SILENT,
            "bootstrap.servers": broker.bootstrap_servers,
            "transactional.id": transactional_id or uuid.uuid4().hex,
        }
    )
    producer.init_transactions(30)
    return producer


def send(producer: Producer, topic: str, *values: bytes) -> None:
    for value in values:
        producer.produce(topic, value, key=b"key", partition=0)
    assert producer.flush(30) == 0


def committed(broker: Broker, topic: str, *values: bytes, producer: Producer | None = None) -> None:
    """Commit records; return when their marker is written, which is a moment after the answer to the commit."""
    producer = producer or transactional(broker)
    end = offsets(broker.bootstrap_servers, topic).end + len(values) + 1
    producer.begin_transaction()
    send(producer, topic, *values)
    producer.commit_transaction(30)
    until(lambda: offsets(broker.bootstrap_servers, topic).end >= end, within_s=30, what="the marker of the commit")


@contextmanager
def open_transaction(broker: Broker, topic: str, *values: bytes) -> Iterator[Producer]:
    producer = transactional(broker)
    producer.begin_transaction()
    send(producer, topic, *values)
    yield producer
    producer.abort_transaction(30)


def values(records: list[Record]) -> list[bytes | None]:
    return [record.value for record in records]


@pytest.mark.parametrize("client", CLIENTS)
def test_empty_partition_reads_as_nothing(broker: Broker, topic: str, client: Client) -> None:
    reading = read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)
    assert reading == []
    assert reading.bounds == PartitionBounds(start=0, stable=0, end=0)


@pytest.mark.parametrize("client", CLIENTS)
def test_commit_markers_are_gaps_and_not_records(broker: Broker, topic: str, client: Client) -> None:
    producer = transactional(broker)
    committed(broker, topic, b"a", b"b", producer=producer)
    committed(broker, topic, b"c", producer=producer)
    reading = read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)
    assert [(record.offset, record.key, record.value) for record in reading] == [
        (0, b"key", b"a"),
        (1, b"key", b"b"),
        (3, b"key", b"c"),
    ]
    assert reading.bounds == PartitionBounds(start=0, stable=5, end=5)
    assert all(record.timestamp_ms > 0 for record in reading)


@pytest.mark.parametrize("client", CLIENTS)
def test_aborted_records_are_seen_by_uncommitted_readers_alone(broker: Broker, topic: str, client: Client) -> None:
    with open_transaction(broker, topic, b"aborted"):
        pass
    committed(broker, topic, b"kept")
    assert values(read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)) == [b"kept"]
    uncommitted = read(broker.bootstrap_servers, topic, isolation="read_uncommitted", client=client)
    assert values(uncommitted) == [b"aborted", b"kept"]


@pytest.mark.parametrize("client", CLIENTS)
def test_aborted_tail_does_not_make_a_committed_read_hang(broker: Broker, topic: str, client: Client) -> None:
    committed(broker, topic, b"kept")
    with open_transaction(broker, topic, b"aborted"):
        pass
    assert values(read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)) == [b"kept"]


@pytest.mark.parametrize("client", CLIENTS)
def test_committed_read_behind_an_open_transaction_ends_at_the_last_stable_offset(
    broker: Broker, topic: str, client: Client
) -> None:
    committed(broker, topic, b"before")
    with open_transaction(broker, topic, b"open"):
        committed(broker, topic, b"behind")
        reading = read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)
        assert values(reading) == [b"before"]
        assert reading.bounds == PartitionBounds(start=0, stable=2, end=5)
        uncommitted = read(broker.bootstrap_servers, topic, isolation="read_uncommitted", client=client)
        assert values(uncommitted) == [b"before", b"open", b"behind"]
    assert values(read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)) == [
        b"before",
        b"behind",
    ]


@pytest.mark.parametrize("client", CLIENTS)
def test_reading_can_begin_in_the_middle(broker: Broker, topic: str, client: Client) -> None:
    committed(broker, topic, b"a", b"b", b"c")
    reading = read(broker.bootstrap_servers, topic, isolation="read_committed", client=client, start_offset=1)
    assert values(reading) == [b"b", b"c"]


@pytest.mark.parametrize("client", CLIENTS)
def test_many_records_in_many_transactions_are_read_once_and_in_order(
    broker: Broker, topic: str, client: Client
) -> None:
    producer, expected = transactional(broker), []
    for batch in range(20):
        rows = [b"%d-%d" % (batch, row) for row in range(500)]
        committed(broker, topic, *rows, producer=producer)
        expected += rows
    assert values(read(broker.bootstrap_servers, topic, isolation="read_committed", client=client)) == expected


def test_topic_that_is_not_there_is_an_error_and_not_an_empty_reading(broker: Broker) -> None:
    with pytest.raises(TimedOut, match="no-such-topic"):
        read(broker.bootstrap_servers, "no-such-topic", isolation="read_committed", within_s=1)


def test_offset_before_the_first_kept_is_an_error_and_not_a_jump(broker: Broker, topic: str) -> None:
    committed(broker, topic, b"a", b"b", b"c")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    place = TopicPartition(topic, 0, 2)
    admin.delete_records([place])[place].result()
    assert values(read(broker.bootstrap_servers, topic, isolation="read_committed")) == [b"c"]
    with pytest.raises(ValueError, match=r"offset 0 .* is gone: the first one kept is 2"):
        read(broker.bootstrap_servers, topic, isolation="read_committed", start_offset=0)


def test_group_without_an_offset_has_none(broker: Broker, topic: str) -> None:
    assert group_offset(broker.bootstrap_servers, "nobody", topic) is None


def test_group_offset_comes_back_with_its_metadata(broker: Broker, topic: str) -> None:
    producer, group = transactional(broker), uuid.uuid4().hex
    metadata = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group}).consumer_group_metadata()
    producer.begin_transaction()
    send(producer, topic, b"a")
    producer.send_offsets_to_transaction([TopicPartition(topic, 0, 42, '{"row": 42, "etag": "ä"}')], metadata, 30)
    assert group_offset(broker.bootstrap_servers, group, topic) is None  # the transaction is still open
    producer.commit_transaction(30)
    assert group_offset(broker.bootstrap_servers, group, topic) == (42, '{"row": 42, "etag": "ä"}')


def test_topic_is_created_with_its_partitions_and_settings(broker: Broker) -> None:
    name = fresh_topic()
    create_topic(broker.bootstrap_servers, name, partitions=3, configs={"max.message.bytes": "100"})
    assert offsets(broker.bootstrap_servers, name, 2).end == 0
    with pytest.raises(KafkaException, match="TOPIC_ALREADY_EXISTS"):
        create_topic(broker.bootstrap_servers, name)
    producer, outcomes = Producer({**SILENT, "bootstrap.servers": broker.bootstrap_servers}), []
    producer.produce(name, b"x" * 1000, on_delivery=lambda error, _: outcomes.append(error.code()))
    producer.flush(30)
    assert outcomes == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_live_reader_sees_records_while_they_come_and_never_the_aborted(broker: Broker, topic: str) -> None:
    with LiveReader(broker.bootstrap_servers, topic) as reader:
        committed(broker, topic, b"a")
        until(lambda: len(reader.seen()) == 1, within_s=30, what="the first record, live")
        with open_transaction(broker, topic, b"aborted"):
            pass
        committed(broker, topic, b"b")
        until(lambda: len(reader.seen()) == 2, within_s=30, what="the second record, live")
        seen = reader.stop()
    assert [(one.offset, one.value) for one in seen] == [(0, b"a"), (4, b"b")]
    assert seen[0].monotonic_s < seen[1].monotonic_s


def test_live_reader_says_that_its_offset_is_gone(broker: Broker, topic: str) -> None:
    reader = LiveReader(broker.bootstrap_servers, topic, start_offset=100)
    until(lambda: not reader.is_alive(), within_s=30, what="the reader to give up")
    with pytest.raises(KafkaException):
        reader.stop()
