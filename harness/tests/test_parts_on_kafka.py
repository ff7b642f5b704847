"""Keys, headers and timestamps on a real broker, where things go wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.broker import Broker
from harness.tests.contracts.batches import ROWS, batch_of, committed_after
from harness.tests.contracts.kafka_world import KafkaWorld
from processor import sink_confluent
from processor.errors import NeedsPerson, SinkFailed
from processor.model import Batch, Delivery
from processor.record_parts import RecordParts, position_headers

pytestmark = pytest.mark.broker

A_DAY_MS = 86_400_000
HEADERS = RecordParts(position=True)


@pytest.fixture(params=["kafka-python", "confluent"])
def world(request: pytest.FixtureRequest, broker: Broker) -> Iterator[KafkaWorld]:
    opened = KafkaWorld(broker.bootstrap_servers, request.param)
    yield opened
    opened.close()


@pytest.fixture
def confluent(broker: Broker) -> Iterator[KafkaWorld]:
    opened = KafkaWorld(broker.bootstrap_servers, "confluent")
    yield opened
    opened.close()


def with_headers(rows: int) -> Batch:
    headers = [position_headers(row, 10 * row) for row in range(rows)]
    return replace(batch_of([b"%d" % row for row in range(rows)]), headers=headers)


@pytest.mark.parametrize("delivery", Delivery)
def test_a_queue_that_fills_up_in_mid_batch_leaves_no_hole_and_keeps_the_order(
    confluent: KafkaWorld, monkeypatch: pytest.MonkeyPatch, delivery: Delivery
) -> None:
    monkeypatch.setattr(sink_confluent, "QUEUE_RECORDS", 100)
    full = 0
    wait = sink_confluent._when_there_is_room

    def counted(producer: Any, produce: Any) -> None:
        def tried() -> None:
            nonlocal full
            try:
                produce()
            except BufferError:
                full += 1
                raise

        wait(producer, tried)

    monkeypatch.setattr(sink_confluent, "_when_there_is_room", counted)
    sink = confluent.sink(delivery=delivery, parts=HEADERS)
    batch = with_headers(2_000)
    sink.fence()
    sink.send(batch)
    sink.commit(committed_after(batch))
    confluent.settle()
    assert [imprint for _, imprint in sink.records(0)] == batch.imprints()
    assert full > 0


def test_a_queue_that_does_not_move_is_a_failure_within_bounded_time(
    confluent: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_confluent, "QUEUE_RECORDS", 10)
    monkeypatch.setattr(sink_confluent, "STALLED_AFTER_S", 0.5)
    monkeypatch.setattr(sink_confluent, "LINGER_MS", 30_000)  # nothing leaves before the end of the test
    sink = confluent.sink(parts=HEADERS)
    sink.fence()
    began_s = time.monotonic()
    with pytest.raises(SinkFailed):
        sink.send(with_headers(11))
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize("refused_rows", [1, 2])
def test_a_timestamp_that_the_topic_refuses_is_a_persons_matter_and_nothing_shows(
    world: KafkaWorld, refused_rows: int
) -> None:
    world._configure(world.settings.topic, "message.timestamp.after.max.ms", str(A_DAY_MS))
    now_ms = int(time.time() * 1000)
    times_ms = [now_ms] * len(ROWS)
    sink = world.sink(parts=RecordParts(timestamp="at"))
    sink.fence()
    with pytest.raises(NeedsPerson, match="timestamp") as refused:
        late_ms = [now_ms + 3 * A_DAY_MS] * refused_rows
        sink.send(replace(batch_of(ROWS), timestamps_ms=[*times_ms[refused_rows:], *late_ms]))
    assert "after.max.ms" in refused.value.hint
    sink.fence()
    batch = replace(batch_of(ROWS), timestamps_ms=times_ms)
    sink.send(batch)
    sink.commit(committed_after(batch))
    world.settle()
    assert [record.timestamp_ms for record in world.read_whole()] == times_ms
