"""The faults seam: its text, its counting, and what each fault leaves behind at each port."""

from __future__ import annotations

import pytest

from harness.fakes import (
    Crash,
    Ending,
    FakeCheckpoints,
    FakeCheckpointTable,
    FakeKey,
    FakeObject,
    FakePartition,
    FakeSink,
    Fault,
    Faults,
)
from harness.tests.contracts.job import BEGINNING, START
from processor.errors import CheckpointUnavailable, SinkFailed, SinkFenced, SourceUnavailable, Superseded
from processor.model import Batch, CommittedPosition, Delivery, Lease, Pins, Position, SinkSettings

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


class TestFaultText:
    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("sink.commit:2 fails before", Fault("sink.commit", 2, Ending.FAILS, done=0)),
            ("sink.commit:2 fails after", Fault("sink.commit", 2, Ending.FAILS, done=None)),
            ("sink.send:1 crashes at 3", Fault("sink.send", 1, Ending.CRASHES, done=3)),
            ("table.update_item:7 crashes late 4", Fault("table.update_item", 7, Ending.CRASHES, None, late_calls=4)),
        ],
    )
    def test_reads_and_writes_the_same_line(self, text: str, fault: Fault) -> None:
        assert Fault.parse(text) == fault
        assert str(fault) == text

    @pytest.mark.parametrize(
        "text", ["", "sink.commit fails", "sink.commit:0 fails before", "a:1 fails at", "a:1 fails after 3"]
    )
    def test_refuses_what_is_no_fault(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"fault|count"):
            Fault.parse(text)

    def test_two_faults_for_one_call_are_refused(self) -> None:
        with pytest.raises(ValueError, match="two faults"):
            Faults(["sink.send:1 fails before", "sink.send:1 fails after"])


class TestFaults:
    def test_every_call_is_counted_and_a_fault_that_missed_is_known(self) -> None:
        faults = Faults(["sink.commit:2 fails before"])
        sink = FakeSink(FakePartition(), SinkSettings("b", "rows", 0, "group"), faults=faults)
        sink.fence()
        sink.commit(COMMITTED)
        assert faults.calls == [("sink.fence", 1), ("sink.commit", 1)]
        assert faults.struck == []
        assert [str(fault) for fault in faults.missed] == ["sink.commit:2 fails before"]

    def test_world_acts_just_before_the_call_it_was_told_of(self) -> None:
        partition = FakePartition()
        faults = Faults()
        faults.before("sink.commit", 1, lambda: partition.pass_time(60_000))
        sink = FakeSink(partition, SinkSettings("b", "rows", 0, "group"), faults=faults)
        sink.fence()
        sink.send(BATCH)
        with pytest.raises(SinkFenced):
            sink.commit(COMMITTED)

    def test_calls_made_by_a_late_effect_do_not_hide_the_fault_of_the_call_they_come_before(self) -> None:
        table = FakeCheckpointTable()
        faults = Faults(["checkpoints.save:1 fails late 1", "checkpoints.read:1 fails before"])
        run = FakeCheckpoints(table, job_id="job", owner="me", faults=faults)
        run.claim()
        run.begin(START, BEGINNING)
        with pytest.raises(CheckpointUnavailable):
            run.save(Position(5, 50), next_offset=None)
        with pytest.raises(CheckpointUnavailable):
            run.read()
        assert faults.missed == []
        assert (table.get("job") or {})["last_line"] == 5

    def test_nothing_catches_a_crash_by_accident(self) -> None:
        assert not issubclass(Crash, Exception)


class TestSinkFaults:
    @pytest.mark.parametrize(("how", "written"), [("before", 0), ("at 1", 1), ("at 2", 2), ("after", 3)])
    def test_send_that_fails_leaves_the_first_records_in_the_log(self, how: str, written: int) -> None:
        partition = FakePartition()
        sink = sink_on(partition, f"sink.send:1 fails {how}")
        with pytest.raises(SinkFailed):
            sink.send(BATCH)
        assert [value for _, value in partition.uncommitted()] == VALUES[:written]
        sink.fence()
        assert visible(partition) == []

    @pytest.mark.parametrize(
        ("how", "rows_at_once", "position_at_once", "rows_in_the_end"),
        [
            ("before", [], False, []),
            ("at 0", [], False, []),
            ("at 1", [], False, VALUES),
            ("at 2", VALUES, False, VALUES),
            ("after", VALUES, True, VALUES),
        ],
    )
    def test_fence_settles_a_commit_of_unknown_outcome(
        self,
        how: str,
        rows_at_once: list[bytes],
        position_at_once: bool,
        rows_in_the_end: list[bytes],
    ) -> None:
        partition = FakePartition()
        sink = sink_on(partition, f"sink.commit:1 crashes {how}")
        sink.send(BATCH)
        with pytest.raises(Crash):
            sink.commit(COMMITTED)
        heir = FakeSink(partition, SinkSettings("fake:9092", "rows", 0, "group"))
        assert visible(partition) == rows_at_once
        assert (heir.position() is not None) == position_at_once
        heir.fence()
        assert visible(partition) == rows_in_the_end
        assert heir.position() == (COMMITTED if rows_in_the_end else None)
        assert heir.bounds().stable == heir.bounds().end

    def test_coordinator_finishes_a_prepared_commit_on_its_own(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition, "sink.commit:1 fails at 1")
        sink.send(BATCH)
        with pytest.raises(SinkFailed):
            sink.commit(COMMITTED)
        partition.pass_time(10**9)
        assert visible(partition) == []
        partition.finish_commits()
        assert visible(partition) == VALUES
        assert sink.position() == COMMITTED

    def test_commit_that_comes_late_is_kept_out_by_a_fence(self) -> None:
        partition = FakePartition()
        faults = Faults(["sink.commit:1 fails late 2"])
        sink = FakeSink(partition, SinkSettings("b", "rows", 0, "group"), faults=faults)
        sink.fence()
        sink.send(BATCH)
        with pytest.raises(SinkFailed):
            sink.commit(COMMITTED)
        sink.fence()
        assert sink.position() is None  # the late commit arrived just before, from a fenced producer
        assert visible(partition) == []

    def test_commit_that_comes_late_counts_before_the_fence(self) -> None:
        partition = FakePartition()
        faults = Faults(["sink.commit:1 fails late 2"])
        sink = FakeSink(partition, SinkSettings("b", "rows", 0, "group"), faults=faults)
        sink.fence()
        sink.send(BATCH)
        with pytest.raises(SinkFailed):
            sink.commit(COMMITTED)
        assert sink.position() is None
        sink.fence()
        assert sink.position() == COMMITTED
        assert visible(partition) == VALUES

    def test_at_least_once_has_no_fence_against_a_late_send(self) -> None:
        partition = FakePartition()
        sink = sink_on(partition, "sink.send:1 fails late 2", delivery=Delivery.AT_LEAST_ONCE)
        with pytest.raises(SinkFailed):
            sink.send(BATCH)
        sink.fence()
        sink.send(BATCH)
        assert visible(partition) == VALUES + VALUES

    def test_discard_never_raises_but_a_process_may_die_in_it(self) -> None:
        sink = sink_on(FakePartition(), "sink.discard:1 fails before", "sink.discard:2 crashes before")
        sink.discard()
        with pytest.raises(Crash):
            sink.discard()


class TestCheckpointFaults:
    def test_save_with_a_lost_answer_is_unknown_to_the_run_and_in_the_table(self) -> None:
        table = FakeCheckpointTable()
        run = FakeCheckpoints(table, job_id="job", owner="me", faults=Faults(["checkpoints.save:1 fails after"]))
        run.claim()
        run.begin(START, BEGINNING)
        with pytest.raises(CheckpointUnavailable):
            run.save(Position(5, 50), next_offset=None)
        assert (table.get("job") or {})["last_line"] == 5

    def test_request_is_sent_again_once(self) -> None:
        table = FakeCheckpointTable()
        faults = Faults(["table.get_item:1 fails before", "table.update_item:3 fails before"])
        run = FakeCheckpoints(table, job_id="job", owner="me", faults=faults)
        assert run.claim() == Lease(1, "me")
        run.begin(START, BEGINNING)
        run.save(Position(5, 50), next_offset=None)
        assert faults.missed == []

    def test_write_that_comes_late_is_refused_after_a_newer_claim(self) -> None:
        table = FakeCheckpointTable()
        faults = Faults(["table.update_item:3 crashes late 1"])
        old = FakeCheckpoints(table, job_id="job", owner="old", faults=faults)
        old.claim()
        old.begin(START, BEGINNING)
        with pytest.raises(Crash):
            old.save(Position(5, 50), next_offset=None)
        FakeCheckpoints(table, job_id="job", owner="new").claim()
        with pytest.raises(Superseded):
            old.save(Position(6, 60), next_offset=None)  # the late write arrived just before
        assert (table.get("job") or {})["last_line"] == 0


class TestObjectFaults:
    @pytest.mark.parametrize(("how", "whole_chunks"), [("before", 0), ("at 2", 2), ("after", 3)])
    def test_read_that_fails_yields_whole_chunks_first(self, how: str, whole_chunks: int) -> None:
        opened = FakeObject(FakeKey(b"abcdefgh"), chunk_bytes=3, faults=Faults([f"object.read:1 fails {how}"]))
        opened.describe(None)
        got: list[bytes] = []
        with pytest.raises(SourceUnavailable):
            got.extend(opened.read(0))  # extend keeps what came before the error
        assert got == [b"abc", b"def", b"gh"][:whole_chunks]
