"""`ports.Sink`: what it can tell without a fence, and which places it refuses."""

from __future__ import annotations

import time

import pytest

from harness.tests.contracts.batches import MORE, ROWS, batch_of, committed_after
from harness.tests.contracts.sink_worlds import SinkWorld
from processor.errors import NeedsPerson, PlaceMissing, ProcessorError, SinkFailed


class TestReading:
    def test_needs_no_fence(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        assert sink.describe() == sink_world.sink().describe()
        assert list(sink.records(0)) == []
        bounds = sink.bounds()
        assert (bounds.start, bounds.stable, bounds.end) == (0, 0, 0)

    def test_bounds_tell_an_open_transaction(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        during = sink.bounds()
        assert (during.start, during.stable, during.end) == (0, 0, len(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        after = sink.bounds()
        assert after.stable == after.end == len(ROWS) + 1  # the commit marker takes an offset

    def test_records_begin_in_the_middle_and_pass_over_aborted_ones(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink.send(batch_of([b"aborted"]))
        sink.fence()
        sink.send(batch_of(MORE))
        sink.commit(committed_after(batch_of(MORE)))
        sink_world.settle()
        third = list(sink.records(0))[3][0]
        assert [value for _, value in sink.records(third)] == ROWS[3:] + MORE
        assert list(sink.records(sink.bounds().end)) == []

    def test_records_stop_at_a_strangers_open_transaction(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        sink_world.open_strangers_transaction([b"stranger"])
        sink.send(batch_of(MORE))
        sink.commit(committed_after(batch_of(MORE)))
        assert [value for _, value in sink.records(0)] == ROWS
        bounds = sink.bounds()
        assert bounds.stable < bounds.end
        sink_world.abort_strangers_transaction()
        sink_world.settle()
        assert [value for _, value in sink.records(0)] == ROWS + MORE

    def test_aborted_and_open_records_are_read_where_they_are_asked_for_and_only_there(
        self, sink_world: SinkWorld
    ) -> None:
        dead, heir = sink_world.sink(), sink_world.sink()
        dead.fence()
        dead.send(batch_of(ROWS))
        heir.fence()
        end = heir.send(batch_of(MORE))
        assert end is not None
        assert [value for _, value in heir.records(0, committed=False)] == ROWS + MORE
        assert [offset for offset, _ in heir.records(end - 1, committed=False)] == [end - 1]
        assert list(heir.records(0)) == []

    def test_records_below_the_start_are_not_passed_over_in_silence(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        sink_world.delete_before(2)
        assert sink.bounds().start == 2
        assert [value for _, value in sink.records(2)] == ROWS[2:]
        with pytest.raises(ProcessorError):
            list(sink.records(1))

    def test_topic_made_anew_has_another_id_and_no_position(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        before = sink.describe()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        sink.discard()
        sink_world.recreate_topic()
        later = sink_world.sink()
        after = later.describe()
        assert (after.cluster_id, after.partition) == (before.cluster_id, before.partition)
        assert after.topic_id != before.topic_id
        assert later.bounds().end == 0
        assert later.position() is None


class TestDescribe:
    def test_missing_topic(self, sink_world: SinkWorld) -> None:
        with pytest.raises(PlaceMissing):
            sink_world.sink(topic="no-such-topic").describe()

    def test_asking_for_a_missing_topic_does_not_make_it(self, sink_world: SinkWorld) -> None:
        for _ in range(2):
            with pytest.raises(PlaceMissing):
                sink_world.sink(topic="another-missing-topic").describe()

    def test_missing_partition(self, sink_world: SinkWorld) -> None:
        with pytest.raises(PlaceMissing):
            sink_world.sink(partition=1).describe()

    def test_compacted_topic_is_refused(self, sink_world: SinkWorld) -> None:
        sink_world.compact_topic()
        with pytest.raises(NeedsPerson) as refused:
            sink_world.sink().describe()
        assert not isinstance(refused.value, PlaceMissing)

    @pytest.mark.parametrize(
        "call", ["describe", *(pytest.param(call, marks=pytest.mark.slow) for call in ("fence", "position", "bounds"))]
    )
    def test_broker_that_does_not_answer_is_a_failure_within_bounded_time(
        self, sink_world: SinkWorld, call: str
    ) -> None:
        sink = sink_world.unreachable()
        limit_s = 60  # a fence may wait for a commit to end
        began_s = time.monotonic()
        with pytest.raises(SinkFailed):
            getattr(sink, call)()
        sink.discard()
        assert time.monotonic() - began_s < limit_s
