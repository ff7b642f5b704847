"""Three brokers as one: who leads is told as Kafka tells it, and any node may go and come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient

from harness.broker.cluster import NUMBERS, OFFSETS, TRANSACTIONS, JvmCluster, java_hash
from harness.broker.ready import quiet_admin
from harness.partition import create_topic
from harness.wait import until
from harness.world import fresh_topic


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("abc", 96354),
        ("polygenelubricants", 0),  # hashes to the one number whose sign cannot be dropped
        ("\U0001f600", 1772899),  # two UTF-16 units, as Java counts
    ],
)
def test_hash_is_the_one_of_java(text: str, number: int) -> None:
    assert java_hash(text) == number


@pytest.fixture(scope="module")
def cluster() -> Iterator[JvmCluster]:
    with JvmCluster() as opened:
        yield opened


@pytest.mark.broker
@pytest.mark.cluster
def test_coordinator_is_the_node_that_kafka_names(cluster: JvmCluster) -> None:
    named = {}
    for number in range(6):
        producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "transactional.id": f"id-{number}"})
        producer.init_transactions(30)
    ids = [f"id-{number}" for number in range(6)]
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers.split(","))
    named = {name: told.coordinator_id for name, told in admin.describe_transactions(ids).items()}
    admin.close()
    assert {name: cluster.coordinator_of(name) for name in ids} == named
    assert len(set(named.values())) > 1


@pytest.mark.broker
@pytest.mark.cluster
def test_every_topic_has_three_replicas_and_the_logs_of_coordinators_too(cluster: JvmCluster) -> None:
    topic = fresh_topic()
    create_topic(cluster.bootstrap_servers, topic)
    topics = quiet_admin(cluster.bootstrap_servers).list_topics(timeout=10).topics
    for name in (topic, TRANSACTIONS, OFFSETS):
        assert all(sorted(part.replicas) == list(NUMBERS) for part in topics[name].partitions.values()), name


@pytest.mark.broker
@pytest.mark.cluster
def test_leader_moves_when_its_node_dies_and_returns_with_it(cluster: JvmCluster) -> None:
    topic = fresh_topic()
    create_topic(cluster.bootstrap_servers, topic)
    leader = cluster.leader_of(topic)
    cluster.nodes[leader].kill()
    until(lambda: cluster.leader_of(topic) != leader, within_s=30, what="another leader")
    cluster.start()
    until(lambda: cluster.leader_of(topic) == leader, within_s=30, what="the first leader")
