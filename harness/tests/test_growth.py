"""The end of a partition as its readers see it, with a transaction open and after it."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from harness.growth import Growth
from harness.wait import until
from harness.world import World


@pytest.mark.broker
def test_committed_end_stands_before_an_open_transaction_and_passes_it_with_its_marker(
    world: World, topic: str
) -> None:
    servers = world.broker.bootstrap_servers
    committed, uncommitted = Growth(servers, topic, "read_committed"), Growth(servers, topic, "read_uncommitted")
    producer = Producer({"bootstrap.servers": servers, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic, b"a row")
    producer.flush(20)
    assert (committed.end(), uncommitted.end()) == (0, 1)
    producer.commit_transaction(20)
    # A commit is answered when it is decided, a moment before its marker is written.
    until(lambda: (committed.end(), uncommitted.end()) == (2, 2), within_s=20, what="the marker")
