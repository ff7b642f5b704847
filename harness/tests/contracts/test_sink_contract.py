"""`ports.Sink`: what is sent and committed, who sees it when, and what the position says."""

from __future__ import annotations

import random

import pytest

from harness.tests.contracts.batches import ETAG, MORE, ROWS, batch_of, committed_after
from harness.tests.contracts.sink_worlds import TOO_LARGE_BYTES, SinkWorld
from processor.errors import RecordTooLarge
from processor.model import UNKNOWN_OFFSET, Batch, CommittedPosition, Fault, ForeignPosition, Pins, Position


class TestSend:
    def test_records_are_in_the_log_in_order_and_side_by_side(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        records = list(sink.records(0))
        first = records[0][0]
        assert records == list(enumerate(ROWS, start=first))

    def test_sent_records_are_in_the_log_but_invisible_until_the_commit(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        assert sink_world.read(committed=False) == ROWS
        assert sink_world.read(committed=True) == []
        assert list(sink.records(0)) == []
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        assert sink_world.read(committed=True) == ROWS

    def test_at_least_once_records_are_visible_at_once(self, sink_world: SinkWorld) -> None:
        sink = sink_world.at_least_once()
        sink.fence()
        sink.send(batch_of(ROWS))
        assert sink_world.read(committed=True) == ROWS
        assert [value for _, value in sink.records(0)] == ROWS

    @pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
    def test_next_offset_lies_between_this_batch_and_the_next(self, sink_world: SinkWorld, delivery: str) -> None:
        sink = sink_world.sink() if delivery == "exactly_once" else sink_world.at_least_once()
        sink.fence()
        sent = []
        for batch in (batch_of(ROWS), batch_of(MORE, first_row=len(ROWS))):
            sent.append(sink.send(batch))
            sink.commit(committed_after(batch))
            sink_world.settle()
        offsets = [offset for offset, _ in sink.records(0)]
        assert sent[0] is not None
        assert offsets[len(ROWS) - 1] < sent[0] <= offsets[len(ROWS)]
        assert sent[1] == offsets[-1] + 1

    def test_batch_without_records_is_sent_as_nothing_and_committed(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        faults = [Fault(0, 10, 20, "ragged"), Fault(1, 20, 30, "ragged")]
        batch = Batch(Position(0, 10), Position(2, 30, skipped=2), [], [], faults=faults)
        assert sink.send(batch) is None
        sink.commit(committed_after(batch))
        sink_world.settle()
        assert sink.position() == committed_after(batch)
        assert sink_world.read(committed=True) == []

    @pytest.mark.parametrize("rows", [1_000, 1_001, 20_000])
    def test_batch_of_thousands_of_rows_arrives_whole(self, sink_world: SinkWorld, rows: int) -> None:
        values = [b'{"row":"%d","text":"%s"}' % (row, b"x" * 80) for row in range(rows)]
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(values))
        sink.commit(committed_after(batch_of(values)))
        sink_world.settle()
        assert [value for _, value in sink.records(0)] == values
        assert sink_world.read(committed=True) == values

    @pytest.mark.parametrize("place", [0, 2, 4])
    def test_record_too_large_is_named_and_nothing_of_its_batch_shows(self, sink_world: SinkWorld, place: int) -> None:
        values = list(ROWS)
        values[place] = random.Random(place).randbytes(TOO_LARGE_BYTES)  # noise, so that no compression saves it
        sink = sink_world.sink()
        sink.describe()
        with pytest.raises(RecordTooLarge):
            sink.check(batch_of(values))
        sink.check(batch_of(ROWS))
        sink.fence()
        with pytest.raises(RecordTooLarge):
            sink.send(batch_of(values))
        sink.discard()
        sink.fence()
        assert sink_world.read(committed=True) == []
        assert sink.position() is None


class TestPosition:
    def test_none_before_anything_was_committed(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        assert sink.position() is None
        sink.fence()
        assert sink.position() is None

    @pytest.mark.parametrize(
        "committed",
        [
            CommittedPosition(Position(0, 0), Pins(ETAG), "shape-1", UNKNOWN_OFFSET),
            CommittedPosition(Position(7, 2**40, skipped=3), Pins(ETAG, "v.1_Zq"), "shape-2", 9),
            CommittedPosition(Position(2**33, 2**45), Pins('"é🙂\\"', "версия"), '{"delimiter":";"}', 2**40),
            CommittedPosition(Position(7, 70), Pins(ETAG), "shape-1", UNKNOWN_OFFSET, resets=2),
        ],
        ids=["at the start", "skipped and versioned", "large and not ASCII", "reset twice"],
    )
    def test_comes_back_as_it_was_committed(self, sink_world: SinkWorld, committed: CommittedPosition) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.commit(committed)
        sink_world.settle()
        assert sink.position() == committed
        assert sink_world.sink().position() == committed

    def test_moves_with_the_commit_and_not_before(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        first, second = batch_of(ROWS), batch_of(MORE, first_row=len(ROWS))
        sink.send(first)
        sink.commit(committed_after(first))
        sink.send(second)
        assert sink.position() == committed_after(first)
        sink.commit(committed_after(second))
        sink_world.settle()
        assert sink.position() == committed_after(second)
        assert sink_world.read(committed=True) == ROWS + MORE

    @pytest.mark.parametrize("metadata", ["", "not JSON", "[]", '{"v":99}'])
    def test_group_offset_of_other_hands_is_foreign(self, sink_world: SinkWorld, metadata: str) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        sink_world.reset_group(3, metadata)
        position = sink_world.sink().position()
        assert isinstance(position, ForeignPosition)
        assert position.offset == 3
        assert position.why

    def test_commit_in_at_least_once_does_nothing(self, sink_world: SinkWorld) -> None:
        sink = sink_world.at_least_once()
        sink.fence()
        sink.send(batch_of(ROWS))
        before = sink.bounds()
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        assert sink.bounds() == before
        assert sink.position() is None
