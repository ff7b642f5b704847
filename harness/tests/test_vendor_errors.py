"""Which errors of the two Kafka clients pass by themselves, and what a fatal one is translated into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from confluent_kafka import KafkaError, KafkaException
from kafka import errors as kafka_errors

from processor import confluent_reads, kafka_python_reads
from processor.errors import SinkFenced
from processor.model import SinkSettings

SETTINGS = SinkSettings("localhost:9092", "rows", 0, "csv-to-kafka.job")


@dataclass(frozen=True)
class Client:
    passing: Callable[[Exception], bool]
    being_elected: tuple[Exception, ...]
    no_such_topic: Exception


CLIENTS = {
    "kafka-python": Client(
        kafka_python_reads._passing,
        (
            kafka_errors.CoordinatorNotAvailableError(),
            kafka_errors.NotCoordinatorError(),
            kafka_errors.CoordinatorLoadInProgressError(),
        ),
        kafka_errors.UnknownTopicOrPartitionError(),
    ),
    "confluent": Client(
        confluent_reads._passing,
        tuple(
            KafkaException(KafkaError(code))
            for code in (
                KafkaError.COORDINATOR_NOT_AVAILABLE,
                KafkaError.NOT_COORDINATOR,
                KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
            )
        ),
        KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)),
    ),
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_coordinator_that_is_being_elected_is_asked_again(client: Client) -> None:
    assert all(map(client.passing, client.being_elected))


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_topic_that_is_not_there_is_not_asked_for_again(client: Client) -> None:
    assert not client.passing(client.no_such_topic)


def test_fatal_error_that_trips_over_a_callback_is_itself() -> None:
    tripped = SystemError("a callback returned a result with an exception set")
    tripped.__cause__ = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))
    assert isinstance(confluent_reads._translate(tripped, SETTINGS), SinkFenced)
