"""`ports.Sink`: whom a fence shuts out, what it settles, and how a producer is thrown away."""

from __future__ import annotations

import time

import pytest

from harness.tests.contracts.batches import MORE, ROWS, batch_of, committed_after
from harness.tests.contracts.sink_worlds import SinkWorld
from processor.errors import SinkFailed, SinkFenced


class TestFence:
    def test_aborts_what_a_dead_run_left_open(self, sink_world: SinkWorld) -> None:
        dead = sink_world.sink()
        dead.fence()
        dead.send(batch_of(ROWS))
        heir = sink_world.sink()
        heir.fence()
        bounds = heir.bounds()
        assert bounds.stable == bounds.end
        assert sink_world.read(committed=True) == []
        assert sink_world.read(committed=False) == ROWS
        assert heir.position() is None

    def test_keeps_what_a_dead_run_committed(self, sink_world: SinkWorld) -> None:
        dead = sink_world.sink()
        dead.fence()
        dead.send(batch_of(ROWS))
        dead.commit(committed_after(batch_of(ROWS)))
        dead.send(batch_of(MORE, first_row=len(ROWS)))
        heir = sink_world.sink()
        heir.fence()
        assert heir.position() == committed_after(batch_of(ROWS))
        assert sink_world.read(committed=True) == ROWS

    def test_settles_the_commits_answered_a_moment_ago(self, paired_world: tuple[SinkWorld, str, str]) -> None:
        world, old, new = paired_world
        expected: list[bytes] = []
        position = None
        for row in range(8):  # a few rounds, since each races with the markers of the commit before
            run = world.sink(client=(old, new)[row % 2])
            run.fence()
            assert run.position() == position
            assert [value for _, value in run.records(0)] == expected
            bounds = run.bounds()
            assert bounds.stable == bounds.end
            batch = batch_of([b"row %d" % row], first_row=row)
            run.send(batch)
            run.commit(committed_after(batch))
            expected += batch.values
            position = committed_after(batch)

    def test_zombie_that_begins_a_transaction_is_fenced(self, paired_world: tuple[SinkWorld, str, str]) -> None:
        world, old, new = paired_world
        zombie, heir = world.sink(client=old), world.sink(client=new)
        zombie.fence()
        heir.fence()
        with pytest.raises(SinkFenced):
            zombie.send(batch_of(ROWS))
        zombie.discard()
        assert world.read(committed=True) == []

    def test_zombie_that_commits_is_fenced(self, paired_world: tuple[SinkWorld, str, str]) -> None:
        world, old, new = paired_world
        zombie, heir = world.sink(client=old), world.sink(client=new)
        zombie.fence()
        zombie.send(batch_of(ROWS))
        heir.fence()
        with pytest.raises(SinkFenced):
            zombie.commit(committed_after(batch_of(ROWS)))
        zombie.discard()
        assert world.read(committed=True) == []
        assert heir.position() is None

    def test_zombie_that_commits_a_position_alone_is_fenced(self, paired_world: tuple[SinkWorld, str, str]) -> None:
        world, old, new = paired_world
        zombie, heir = world.sink(client=old), world.sink(client=new)
        zombie.fence()
        heir.fence()
        with pytest.raises(SinkFenced):
            zombie.commit(committed_after(batch_of(ROWS)))
        zombie.discard()
        assert heir.position() is None

    def test_zombie_that_sends_into_its_old_transaction_is_fenced(
        self, paired_world: tuple[SinkWorld, str, str]
    ) -> None:
        world, old, new = paired_world
        zombie, heir = world.sink(client=old), world.sink(client=new)
        zombie.fence()
        zombie.send(batch_of(ROWS))
        heir.fence()
        with pytest.raises(SinkFenced):
            zombie.send(batch_of(MORE, first_row=len(ROWS)))
        zombie.discard()
        heir.send(batch_of(ROWS))
        heir.commit(committed_after(batch_of(ROWS)))
        world.settle()
        assert world.read(committed=True) == ROWS
        assert heir.position() == committed_after(batch_of(ROWS))

    def test_fenced_run_can_fence_in_its_turn(self, sink_world: SinkWorld) -> None:
        first, second = sink_world.sink(), sink_world.sink()
        first.fence()
        second.fence()
        second.send(batch_of(MORE))
        first.discard()
        first.fence()
        with pytest.raises(SinkFenced):
            second.commit(committed_after(batch_of(MORE)))
        first.send(batch_of(ROWS))
        first.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        assert sink_world.read(committed=True) == ROWS

    def test_nobody_is_shut_out_in_at_least_once(self, sink_world: SinkWorld) -> None:
        first, second = sink_world.at_least_once(), sink_world.at_least_once()
        first.fence()
        second.fence()
        first.send(batch_of(ROWS))
        second.send(batch_of(MORE))
        assert sink_world.read(committed=True) == ROWS + MORE

    def test_commit_after_the_transaction_timed_out_is_refused(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink(transaction_timeout_ms=3_000)
        sink.fence()
        sink.send(batch_of(ROWS))
        sink_world.outlast_transactions(3_000)
        with pytest.raises(SinkFailed):
            sink.commit(committed_after(batch_of(ROWS)))
        sink.discard()
        sink.fence()
        assert sink_world.read(committed=True) == []
        assert sink.position() is None
        sink.send(batch_of(MORE))
        sink.commit(committed_after(batch_of(MORE)))
        sink_world.settle()
        assert sink_world.read(committed=True) == MORE


class TestDiscard:
    def test_never_raises_before_a_fence_or_twice(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.discard()
        sink.fence()
        sink.discard()
        sink.discard()

    def test_leaves_the_transaction_open_and_the_next_fence_aborts_it(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(MORE))
        sink.discard()
        bounds = sink_world.sink().bounds()
        assert bounds.stable < bounds.end
        sink.fence()
        assert sink.position() is None
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        assert sink_world.read(committed=True) == ROWS
        assert [value for _, value in sink.records(0)] == ROWS

    @pytest.mark.slow
    def test_is_quick_and_silent_when_the_broker_does_not_answer(self, sink_world: SinkWorld) -> None:
        sink = sink_world.unreachable()
        with pytest.raises(SinkFailed):
            sink.fence()
        began_s = time.monotonic()
        sink.discard()
        assert time.monotonic() - began_s < 10


class TestAbortLost:
    def test_leaves_what_was_committed_and_the_position_as_they_were(self, sink_world: SinkWorld) -> None:
        sink = sink_world.sink()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        sink_world.settle()
        heir = sink_world.sink()
        heir.fence()
        heir.abort_lost()
        sink_world.settle()
        assert sink_world.read(committed=True) == ROWS
        assert sink_world.read(committed=False) == [*ROWS, b""]
        heir.fence()
        assert heir.position() == committed_after(batch_of(ROWS))

    def test_leaves_a_strangers_transaction_open(self, sink_world: SinkWorld) -> None:
        sink_world.open_strangers_transaction([b"a stranger's"])
        sink = sink_world.sink()
        sink.fence()
        sink.abort_lost()
        bounds = sink_world.sink().bounds()
        assert bounds.stable == 0
        assert bounds.end > 1
        sink_world.abort_strangers_transaction()

    def test_of_a_fenced_producer_is_refused(self, sink_world: SinkWorld) -> None:
        zombie, heir = sink_world.sink(), sink_world.sink()
        zombie.fence()
        heir.fence()
        with pytest.raises(SinkFenced):
            zombie.abort_lost()
