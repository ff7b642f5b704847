"""`ports.Sink` with a topic for bad rows: they are there with the batch's commit, once, with what is wrong."""

from __future__ import annotations

import pytest

from harness.tests.contracts.batches import ROWS, batch_of, committed_after
from harness.tests.contracts.sink_worlds import SinkWorld
from processor.errors import NeedsPerson, PlaceMissing
from processor.model import Batch, Delivery, Fault, Position
from processor.ports import Sink

RAW = [b"ragged\n", b"\xff\x00\r\n", b'"']
FAULTS = [Fault(5 + n, 50 + 10 * n, 50 + 10 * n + len(raw), f"reason {n}", raw) for n, raw in enumerate(RAW)]
ONLY_FAULTS = Batch(Position(5, 50), Position(8, 71, skipped=3), [], [], faults=FAULTS)
ALL_GOOD = batch_of(ROWS)
BOTH = Batch(Position(0, 0), ONLY_FAULTS.end, ROWS, ALL_GOOD.byte_ends, faults=FAULTS)


def sink_of(world: SinkWorld, **changed: object) -> Sink:
    sink = world.sink(dead_letter_topic=world.bad_topic, **changed)
    sink.describe()
    sink.fence()
    return sink


@pytest.mark.parametrize("batch", [BOTH, ONLY_FAULTS], ids=["beside rows", "alone"])
def test_bad_rows_are_there_in_order_with_the_commit_and_not_before(sink_world: SinkWorld, batch: Batch) -> None:
    sink = sink_of(sink_world)
    sink.send(batch)
    assert sink_world.dead_letters() == []
    sink.commit(committed_after(batch))
    sink_world.settle()
    letters = sink_world.dead_letters()
    assert [value for value, _ in letters] == RAW
    job_id = sink_world.settings.transactional_id.removeprefix("csv-to-kafka.").encode()
    assert letters[1][1] == {
        "row": b"6", "byte_start": b"60", "byte_end": b"64", "reason": b"reason 1", "job_id": job_id,
    }  # fmt: skip
    assert sink_world.read(committed=True) == list(batch.values)


def test_bad_rows_of_a_transaction_that_was_aborted_never_show(sink_world: SinkWorld) -> None:
    sink_of(sink_world).send(BOTH)
    sink = sink_of(sink_world)
    sink.send(BOTH)
    sink.commit(committed_after(BOTH))
    sink_world.settle()
    assert [value for value, _ in sink_world.dead_letters()] == RAW


def test_next_offset_is_the_partitions_and_not_that_of_the_topic_of_bad_rows(sink_world: SinkWorld) -> None:
    sink = sink_of(sink_world)
    assert sink.send(ONLY_FAULTS) is None
    sink.commit(committed_after(ONLY_FAULTS))
    next_offset = sink.send(BOTH)
    sink.commit(committed_after(BOTH))
    sink_world.settle()
    assert next_offset == list(sink.records(0))[-1][0] + 1


def test_row_that_is_not_kept_whole_says_so(sink_world: SinkWorld) -> None:
    cut = Fault(0, 0, 1_000, "too long", b"x" * 100)
    batch = Batch(Position(0, 0), Position(1, 1_000, skipped=1), [], [], faults=[cut])
    sink = sink_of(sink_world)
    sink.send(batch)
    sink.commit(committed_after(batch))
    sink_world.settle()
    ((value, headers),) = sink_world.dead_letters()
    assert (value, headers["truncated_to"], headers["byte_end"]) == (b"x" * 100, b"100", b"1000")


def test_at_least_once_bad_rows_are_there_at_once(sink_world: SinkWorld) -> None:
    sink = sink_of(sink_world, delivery=Delivery.AT_LEAST_ONCE)
    sink.send(BOTH)
    assert [value for value, _ in sink_world.dead_letters()] == RAW


def test_without_a_topic_for_them_bad_rows_go_nowhere(sink_world: SinkWorld) -> None:
    sink = sink_world.sink()
    sink.fence()
    sink.send(BOTH)
    sink.commit(committed_after(BOTH))
    sink_world.settle()
    assert sink_world.dead_letters() == []
    assert sink_world.read(committed=True) == ROWS


def test_topic_for_bad_rows_that_is_not_there_is_named(sink_world: SinkWorld) -> None:
    with pytest.raises(PlaceMissing, match="'nowhere' for bad rows"):
        sink_world.sink(dead_letter_topic="nowhere").describe()


@pytest.mark.parametrize(("setting", "value"), [("cleanup.policy", "compact"), ("max.message.bytes", "1000000")])
def test_topic_that_cannot_take_every_bad_row_is_refused(sink_world: SinkWorld, setting: str, value: str) -> None:
    sink_world.configure_bad_topic(setting, value)
    with pytest.raises(NeedsPerson, match=setting):
        sink_world.sink(dead_letter_topic=sink_world.bad_topic).describe()
