"""`ports.Checkpoints`: what comes back, under which names, and which items and tables are refused."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from harness.tests.contracts.checkpoint_worlds import CheckpointWorld
from harness.tests.contracts.job import BEGINNING, LATER, START, lease_of
from processor.errors import CheckpointUnavailable, Contradiction, PlaceMissing
from processor.model import UNKNOWN_OFFSET, Destination, JobStart, Lease, Pins, Status

# Design, section 2: every name and its type. `rows` and `error` come with the end of a run.
NUMBERS = {"last_line", "byte_offset", "skipped", "partition", "start_offset", "next_offset", "epoch", "rows"}
NUMBERS |= {"claimed_line", "start_row", "resets"}
STRINGS = {
    *("job_id", "source", "etag", "version_id", "cluster_id", "topic_id", "shape"),
    *("owner", "status", "error", "updated_at", "claimed_at"),
}


class TestBeginAndFinish:
    @pytest.mark.parametrize("version_id", [None, "v.1"])
    def test_begin_comes_back(self, checkpoint_world: CheckpointWorld, version_id: str | None) -> None:
        start = replace(START, pins=Pins('"etag-é"', version_id))
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(start, BEGINNING)
        checkpoint = checkpoint_world.run("other").read()
        assert checkpoint is not None
        assert (checkpoint.start, checkpoint.position) == (start, BEGINNING)
        assert checkpoint.next_offset == start.start_offset

    def test_begin_of_a_job_whose_checkpoint_was_lost_keeps_the_offset_of_its_rows(
        self, checkpoint_world: CheckpointWorld
    ) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(replace(START, start_offset=UNKNOWN_OFFSET), LATER, next_offset=29)
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.position, checkpoint.next_offset) == (LATER, 29)

    def test_begin_anew_replaces_every_pin(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        other = JobStart("s3://b/k", Pins('"new"'), "shape-2", Destination("cluster-2", "topic-id-2", 0), 99)
        run.begin(other, BEGINNING)
        checkpoint = run.read()
        assert checkpoint is not None
        assert (checkpoint.start, checkpoint.next_offset) == (other, 99)

    @pytest.mark.parametrize(
        ("status", "rows", "error"),
        [
            (Status.COMPLETED, 0, None),
            (Status.COMPLETED, 10, None),
            (Status.STOPPED, None, None),
            (Status.FAILED, None, "Zürich is unreachable"),
        ],
    )
    def test_finish_comes_back(
        self, checkpoint_world: CheckpointWorld, status: Status, rows: int | None, error: str | None
    ) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        run.finish(status, rows=rows, error=error)
        checkpoint = checkpoint_world.run("other").read()
        assert checkpoint is not None
        assert (checkpoint.status, checkpoint.rows, checkpoint.error) == (status, rows, error)
        assert (checkpoint.position, checkpoint.start, checkpoint.next_offset) == (LATER, START, 29)

    def test_attributes_are_named_and_typed_as_the_design_says(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        run.finish(Status.FAILED, rows=10, error="why")
        stored = checkpoint_world.stored()
        assert stored is not None
        assert {name for name, value in stored.items() if isinstance(value, int)} == NUMBERS
        assert {name for name, value in stored.items() if isinstance(value, str)} == STRINGS
        assert (stored["last_line"], stored["byte_offset"], stored["skipped"]) == (10, 120, 2)
        assert (stored["epoch"], stored["owner"], stored["status"]) == (1, "me", "FAILED")
        assert (stored["start_offset"], stored["next_offset"]) == (17, 29)


class TestRead:
    def test_nothing_is_there_before_the_first_claim(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.run("me")
        assert run.read() is None
        assert lease_of(run) is None

    def test_reading_claims_nothing(self, checkpoint_world: CheckpointWorld) -> None:
        checkpoint_world.run("me").claim()
        before = checkpoint_world.stored()
        other = checkpoint_world.run("other")
        other.read()
        assert lease_of(other) == Lease(1, "me")
        assert checkpoint_world.stored() == before

    @pytest.mark.parametrize(
        "spoilt",
        [
            {"epoch": None},
            {"epoch": "1"},
            {"epoch": 0},
            {"owner": None},
            {"status": "DONE"},
            {"last_line": None},
            {"last_line": "10"},
            {"last_line": -1},
            {"skipped": 11},
            {"etag": None},
            {"next_offset": None},
            {"start_offset": None},
            {"start_offset": None, "next_offset": None},
        ],
        ids=str,
    )
    def test_item_that_cannot_be_ours_is_a_contradiction(
        self, checkpoint_world: CheckpointWorld, spoilt: dict[str, int | str | None]
    ) -> None:
        run = checkpoint_world.run("me")
        run.claim()
        run.begin(START, BEGINNING)
        run.save(LATER, next_offset=29)
        spoiled = {**(checkpoint_world.stored() or {}), **spoilt}
        checkpoint_world.put({name: value for name, value in spoiled.items() if value is not None})
        before = checkpoint_world.stored()
        with pytest.raises(Contradiction):
            checkpoint_world.run("other").read()
        with pytest.raises(Contradiction):
            checkpoint_world.run("other").claim()
        assert checkpoint_world.stored() == before

    def test_strangers_item_is_a_contradiction(self, checkpoint_world: CheckpointWorld) -> None:
        checkpoint_world.put({"progress": 50, "owner": "somebody"})
        for call in (checkpoint_world.run("me").read, checkpoint_world.run("me").claim):
            with pytest.raises(Contradiction):
                call()


class TestTable:
    def test_missing_table_is_a_place_missing(self, checkpoint_world: CheckpointWorld) -> None:
        run = checkpoint_world.without_table()
        for call in (run.read, run.claim):
            with pytest.raises(PlaceMissing):
                call()

    @pytest.mark.parametrize("call", ["read", "claim"])
    def test_table_that_does_not_answer_is_unavailable_within_bounded_time(
        self, checkpoint_world: CheckpointWorld, call: str
    ) -> None:
        run = checkpoint_world.unreachable()
        began_s = time.monotonic()
        with pytest.raises(CheckpointUnavailable):
            getattr(run, call)()
        assert time.monotonic() - began_s < 60
