"""What the fakes add to the contracts: the clock, the operators' hands, and what they hold their caller to."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from harness.fakes import ContractBroken, FakeCheckpoints, FakeCheckpointTable, FakePartition, FakeSink, Faults
from harness.tests.contracts.job import BEGINNING, START
from processor.errors import SinkFailed, SinkFenced
from processor.model import Batch, CommittedPosition, Delivery, Pins, Position, SinkSettings

VALUES = [b"one", b"two", b"three"]
BATCH = Batch(Position(0, 0), Position(3, 30), VALUES, [10, 20, 30])
COMMITTED = CommittedPosition(BATCH.end, Pins('"etag"'), "shape", 1)


def sink_on(partition: FakePartition, *schedule: str, delivery: Delivery = Delivery.EXACTLY_ONCE) -> FakeSink:
    """Return a fenced sink with these faults ahead of it."""
    settings = SinkSettings("fake:9092", "rows", 0, "group", delivery=delivery)
    sink = FakeSink(partition, settings, faults=Faults(schedule))
    sink.fence()
    return sink


def visible(partition: FakePartition) -> list[bytes]:
    """Return the committed values."""
    return [value for _, value in partition.committed()]


def fail_to_send(sink: FakeSink) -> None:
    with pytest.raises(SinkFailed):
        sink.send(BATCH)


class TestMisuse:
    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda sink: sink.discard(), id="discarded"),
            pytest.param(fail_to_send, id="after an error"),
        ],
    )
    @pytest.mark.parametrize("call", [lambda sink: sink.send(BATCH), lambda sink: sink.commit(COMMITTED)])
    def test_producer_is_not_used_after_its_end(
        self, spoil: Callable[[FakeSink], object], call: Callable[[FakeSink], object]
    ) -> None:
        sink = sink_on(FakePartition(), "sink.send:1 fails before")
        spoil(sink)
        with pytest.raises(ContractBroken):
            call(sink)

    def test_send_needs_a_fence(self) -> None:
        with pytest.raises(ContractBroken):
            FakeSink(FakePartition(), SinkSettings("b", "rows", 0, "group")).send(BATCH)


class TestPartition:
    def test_transaction_expires_at_its_timeout_and_not_before(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.send(BATCH)
        partition.pass_time(59_999)
        assert partition.bounds().stable == 0
        partition.pass_time(1)
        assert partition.bounds().stable == partition.bounds().end == len(VALUES) + 1
        with pytest.raises(SinkFenced):
            sink.commit(COMMITTED)
        assert visible(partition) == []

    def test_idle_producer_does_not_expire(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        partition.pass_time(10**9)
        sink.send(BATCH)
        sink.commit(COMMITTED)
        assert visible(partition) == VALUES

    def test_lagging_markers_show_with_the_next_request_of_the_producer(self) -> None:
        partition = FakePartition(markers_lag=True)
        sink = sink_on(partition)
        sink.send(BATCH)
        sink.commit(COMMITTED)
        assert visible(partition) == []
        assert sink.position() is None
        sink.send(BATCH)
        assert visible(partition) == VALUES
        assert sink.position() == COMMITTED

    def test_lost_tail_is_no_longer_there_but_the_position_is(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.send(BATCH)
        sink.commit(COMMITTED)
        partition.truncate(2)
        assert partition.bounds().end == 2
        assert sink.position() == COMMITTED

    def test_lost_commit_marker_leaves_a_hanging_transaction(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.send(BATCH)
        sink.commit(COMMITTED)
        partition.truncate(len(VALUES))
        sink.fence()
        bounds = partition.bounds()
        assert (bounds.stable, bounds.end) == (0, len(VALUES))

    def test_lost_tail_keeps_aborted_records_aborted(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.send(BATCH)
        sink.fence()
        sink.send(BATCH)
        sink.commit(COMMITTED)
        partition.truncate(len(VALUES) + 1)
        assert visible(partition) == []

    def test_retention_moves_the_start_past_an_open_transaction(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.send(BATCH)
        partition.delete_before(2)
        bounds = partition.bounds()
        assert (bounds.start, bounds.stable, bounds.end) == (2, 2, 3)

    def test_expired_group_offsets_read_as_none(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition)
        sink.commit(COMMITTED)
        partition.expire_group_offsets()
        assert sink.position() is None

    def test_operators_reset_wins_over_an_older_offset_in_a_prepared_commit(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition, "sink.commit:1 fails at 1")
        sink.send(BATCH)
        with pytest.raises(SinkFailed):
            sink.commit(COMMITTED)
        partition.reset_group("group", 1)
        sink.fence()
        assert partition.group_offsets["group"].offset == 1


class TestCheckpointTable:
    def test_table_remembers_every_version_and_can_be_rolled_back(self) -> None:
        table = FakeCheckpointTable()
        run = FakeCheckpoints(table, job_id="job", owner="me")
        run.claim()
        run.begin(START, Position(5, 50), next_offset=22)
        run.save(Position(6, 60), next_offset=None)
        rows = [attributes and attributes["last_line"] for _, attributes in table.versions]
        assert rows == [0, 5, 6]
        table.roll_back("job", writes=1)
        assert (table.get("job") or {})["last_line"] == 5
        table.roll_back("job", writes=9)
        assert table.get("job") is None


def test_fakes_carry_thousands_of_small_runs_a_second() -> None:
    began_s = time.perf_counter()
    for _ in range(500):
        partition, table = FakePartition(), FakeCheckpointTable()
        run = FakeCheckpoints(table, job_id="job", owner="me")
        sink = sink_on(partition)
        run.claim()
        run.begin(START, BEGINNING)
        sink.send(BATCH)
        sink.commit(COMMITTED)
        run.save(COMMITTED.position, next_offset=None)
    assert time.perf_counter() - began_s < 2.5  # 0.02 s on a quiet machine; the bound allows a busy one
