"""`ports.Sink`: key, headers and timestamp arrive as they were given, in order, and are told when records are read."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from harness.tests.contracts.batches import ROWS, batch_of, committed_after
from harness.tests.contracts.sink_worlds import TOO_LARGE_BYTES, SinkWorld, Whole
from processor.errors import NeedsPerson, RecordTooLarge
from processor.model import Batch, Delivery
from processor.ports import Sink
from processor.record_parts import Headers, RecordParts, position_headers

KEYS = [b"", b"k", "Zürich 🙂".encode(), b"nul \x00 and\nnewline", b"k"]
HEADERS: list[Headers] = [
    position_headers(0, 17),
    (),
    (("row", b""), ("row", b"\x00\xff"), ("größe", b"2")),
    (("row", b"2"),),
    position_headers(2**40, 2**60),
]
TIMES_MS = [1_700_000_000_123, 1, 1_600_000_000_000, 1_600_000_000_000, int(time.time() * 1000)]
ALL = RecordParts(("city", "mood"), position=True, timestamp="at")

# What a batch may carry, and the parts of a sink that tells them.
COLUMNS = {
    "key": ({"keys": KEYS}, RecordParts(("city",))),
    "headers": ({"headers": HEADERS}, RecordParts(position=True)),
    "timestamp": ({"timestamps_ms": TIMES_MS}, RecordParts(timestamp="at")),
    "all": ({"keys": KEYS, "headers": HEADERS, "timestamps_ms": TIMES_MS}, ALL),
}
EACH = pytest.mark.parametrize("given", COLUMNS)


def batch_with(given: str) -> Batch:
    return replace(batch_of(ROWS), **COLUMNS[given][0])


def sent(sink: Sink, world: SinkWorld, batch: Batch) -> Sink:
    sink.fence()
    sink.send(batch)
    sink.commit(committed_after(batch))
    world.settle()
    return sink


class TestParts:
    @EACH
    @pytest.mark.parametrize("delivery", Delivery)
    def test_they_arrive_byte_by_byte_and_in_order_and_are_told_by_their_imprints(
        self, sink_world: SinkWorld, given: str, delivery: Delivery
    ) -> None:
        began_ms = int(time.time() * 1000)
        batch = batch_with(given)
        sink = sent(sink_world.sink(delivery=delivery, parts=COLUMNS[given][1]), sink_world, batch)
        assert [imprint for _, imprint in sink.records(0)] == batch.imprints()
        seen = sink_world.read_whole()
        assert [record.value for record in seen] == ROWS
        assert [record.key for record in seen] == (batch.keys or [None] * len(ROWS))
        assert [record.headers for record in seen] == (batch.headers or [()] * len(ROWS))
        if batch.timestamps_ms:
            assert [record.timestamp_ms for record in seen] == batch.timestamps_ms
        elif "fake" not in sink_world.client:
            assert all(began_ms - 1000 <= record.timestamp_ms <= time.time() * 1000 + 1000 for record in seen)

    def test_keys_of_thousands_of_rows_are_each_at_its_row(self, sink_world: SinkWorld) -> None:
        values, keys = [b"%d" % row for row in range(2_001)], [b"k%d" % row for row in range(2_001)]
        batch = replace(batch_of(values), keys=keys)
        sent(sink_world.sink(parts=RecordParts(("id",))), sink_world, batch)
        assert [(record.value, record.key) for record in sink_world.read_whole()] == list(
            zip(values, keys, strict=True)
        )

    def test_without_any_of_them_records_are_values_alone(self, sink_world: SinkWorld) -> None:
        sent(sink_world.sink(), sink_world, batch_of(ROWS))
        assert [record[:3] for record in sink_world.read_whole()] == [Whole(value, None, (), 0)[:3] for value in ROWS]

    def test_a_record_without_them_has_another_imprint_and_the_same_value(self, sink_world: SinkWorld) -> None:
        sink = sent(sink_world.sink(parts=ALL), sink_world, batch_of(ROWS))
        assert [value for _, value in sink_world.sink().records(0)] == ROWS
        assert not {imprint for _, imprint in sink.records(0)} & set(batch_with("all").imprints())

    @pytest.mark.parametrize("given", ["key", "all"])
    def test_a_batch_of_twenty_thousand_arrives_whole_and_in_order(self, sink_world: SinkWorld, given: str) -> None:
        rows = 20_000
        batch = replace(batch_of([b"value %d" % row for row in range(rows)]), keys=[b"%d" % row for row in range(rows)])
        if given == "all":
            times_ms = [1_600_000_000_000 + row * 7919 % 100_000 for row in range(rows)]
            headers = [position_headers(row, 10 * row) for row in range(rows)]
            batch = replace(batch, headers=headers, timestamps_ms=times_ms)
        parts = ALL if given == "all" else RecordParts(("city",))
        sink = sent(sink_world.sink(parts=parts), sink_world, batch)
        assert [imprint for _, imprint in sink.records(0)] == batch.imprints()

    def test_what_was_not_committed_is_gone_with_its_parts(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink(parts=ALL)
        sink.fence()
        sink.send(batch_with("all"))
        sent(sink, sink_world, batch_with("all"))
        assert [record.key for record in sink_world.read_whole()] == KEYS


class TestRefusals:
    @pytest.mark.parametrize("column", ["keys", "headers"])
    def test_key_and_headers_count_in_a_record_that_is_too_large(self, sink_world: SinkWorld, column: str) -> None:
        noise = random.Random(7).randbytes(TOO_LARGE_BYTES)
        large: dict[str, list[object]] = {"keys": [*KEYS[:4], noise], "headers": [*HEADERS[:4], (("row", noise),)]}
        batch = replace(batch_of(ROWS), **{column: large[column]})
        sink = sink_world.sink(parts=ALL)
        sink.describe()
        with pytest.raises(RecordTooLarge):
            sink.check(batch)
        sink.fence()
        with pytest.raises(RecordTooLarge):
            sink.send(batch)

    def test_a_topic_with_timestamps_of_its_own_is_refused_where_the_job_gives_some(
        self, sink_world: SinkWorld
    ) -> None:
        sink_world.append_time_topic()
        sink_world.sink(parts=RecordParts(("city",), position=True)).describe()
        with pytest.raises(NeedsPerson, match="timestamp"):
            sink_world.sink(parts=RecordParts(timestamp="at")).describe()
