"""Where to go on: each line of the decision table is a test, with a look-alike beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from processor.errors import Contradiction, SourceChanged
from processor.model import (
    UNKNOWN_OFFSET,
    Batch,
    Checkpoint,
    CommittedPosition,
    Delivery,
    Destination,
    ForeignPosition,
    JobStart,
    Lease,
    PartitionBounds,
    Pins,
    Position,
    SourceObject,
    Status,
)
from processor.resume import (
    Decision,
    Found,
    Fresh,
    GoOn,
    Rebuild,
    check_complete,
    check_identity,
    current,
    decide,
    match_committed,
    require_record,
)

ONCE, AT_LEAST = Delivery.EXACTLY_ONCE, Delivery.AT_LEAST_ONCE
PINS, SHAPE = Pins('"etag"', "v1"), "shape"
SOURCE = SourceObject("s3://bucket/rows.csv", PINS, size_bytes=1_000, first_row_byte=8)
PLACE = Destination("cluster", "topic-id", 0)
START = JobStart(SOURCE.url, PINS, SHAPE, PLACE, start_offset=100)
UNKNOWN = replace(START, start_offset=UNKNOWN_OFFSET)
FIRST = Position(0, 8)


def checkpoint_at(row: int, *, next_offset: int | None = None, start: JobStart = START) -> Checkpoint:
    """A checkpoint after `row` rows; each row takes ten bytes, and one offset behind `start_offset`."""
    next_offset = start.start_offset + row if next_offset is None else next_offset
    return Checkpoint(Lease(3, "me"), Status.RUNNING, at(row) if row else Position(0, 0), start, next_offset)


CLAIMED = Checkpoint(Lease(1, "me"), Status.RUNNING, Position(0, 0))  # claimed, never fenced: no `start_offset`


def at(row: int) -> Position:
    return Position(row, 8 + 10 * row)


def committed(row: int, *, skipped: int = 0) -> CommittedPosition:
    return CommittedPosition(replace(at(row), skipped=skipped), PINS, SHAPE, START.start_offset + row - skipped - 1)


def decided(
    checkpoint: Checkpoint | None, position: Found, *, delivery: Delivery = ONCE, start: int = 0, end: int = 500
) -> Decision:
    bounds = PartitionBounds(start, end, end)
    return decide(delivery, checkpoint, position, bounds=bounds, source=SOURCE, shape=SHAPE, destination=PLACE)


# exactly once, line by line


@pytest.mark.parametrize("checkpoint", [None, CLAIMED], ids=["none", "without_a_start"])
def test_no_checkpoint_and_no_position_is_fresh_after_the_header(checkpoint: Checkpoint | None) -> None:
    assert decided(checkpoint, None) == Fresh(FIRST)


def test_checkpoint_whose_position_expired_is_rebuilt_from_its_next_offset() -> None:
    assert decided(checkpoint_at(20, next_offset=125), None) == Rebuild(at(20), 125)


def test_started_job_without_a_saved_row_is_rebuilt_from_its_start_offset_after_the_header() -> None:
    assert decided(checkpoint_at(0), None) == Rebuild(FIRST, 100)


@pytest.mark.parametrize("checkpoint", [None, CLAIMED], ids=["none", "without_a_start"])
def test_lost_checkpoint_goes_on_at_the_position(checkpoint: Checkpoint | None) -> None:
    assert decided(checkpoint, committed(20)) == GoOn(at(20))


@pytest.mark.parametrize("row", [0, 1, 19, 20])
def test_checkpoint_at_or_behind_the_position_goes_on_at_the_position(row: int) -> None:
    assert decided(checkpoint_at(row), committed(20)) == GoOn(at(20))


def test_checkpoint_ahead_of_the_position_goes_on_at_the_position_if_what_lies_between_allows_it() -> None:
    assert decided(checkpoint_at(21), committed(20)) == GoOn(at(20))


@pytest.mark.parametrize("checkpoint", [None, CLAIMED, checkpoint_at(0), checkpoint_at(7)])
def test_position_that_is_not_ours_is_refused_whatever_the_checkpoint(checkpoint: Checkpoint | None) -> None:
    with pytest.raises(Contradiction, match=r"group offset 7 .* not ours: it has no metadata"):
        decided(checkpoint, ForeignPosition(7, "it has no metadata"))
    with pytest.raises(Contradiction, match="another format"):
        decided(checkpoint, replace(committed(20), shape="other"))
    with pytest.raises(SourceChanged, match="other-etag"):
        decided(checkpoint, replace(committed(20), pins=Pins("other-etag")))


@pytest.mark.parametrize("position", [None, committed(20)], ids=["expired", "known"])
@pytest.mark.parametrize("delivery", Delivery)
def test_partition_that_ends_before_next_offset_has_lost_its_tail(position: Found, delivery: Delivery) -> None:
    for row, end in ((20, 120),) if position else ((20, 120), (0, 100)):
        assert decided(checkpoint_at(row), position, delivery=delivery, end=end)
        with pytest.raises(Contradiction, match=f"ends at offset {end - 1}, the job wrote up to {end}"):
            decided(checkpoint_at(row), position, delivery=delivery, end=end - 1)


# what the position says is checked


def test_position_at_the_last_byte_is_ours_and_one_beyond_is_refused() -> None:
    assert decided(None, replace(committed(20), position=Position(20, 1_000))) == GoOn(Position(20, 1_000))
    with pytest.raises(Contradiction, match="beyond the object's 1000 bytes"):
        decided(None, replace(committed(20), position=Position(20, 1_001)))


def test_same_etag_under_another_version_is_the_same_object() -> None:
    assert decided(checkpoint_at(20), replace(committed(20), pins=Pins(PINS.etag, "v2"))) == GoOn(at(20))


def test_partition_without_the_last_committed_record_is_refused_whatever_lies_behind_it() -> None:
    position = committed(20)
    require_record(position, (119, b"row 19"))
    for found in (None, (118, b"row 18"), (120, b"row 20")):
        with pytest.raises(Contradiction, match="last of 20 rows was committed at offset 119, it is gone"):
            require_record(position, found)


@pytest.mark.parametrize("skipped", [0, 5])
def test_at_least_once_refuses_a_checkpoint_that_counts_more_rows_than_there_are_offsets(skipped: int) -> None:
    end = 120 - skipped
    saved = replace(checkpoint_at(20, next_offset=100), position=replace(at(20), skipped=skipped))
    assert decided(saved, None, delivery=AT_LEAST, end=end)
    with pytest.raises(Contradiction, match=f"{end - 100} rows are said to lie between offsets 100 and {end - 1}"):
        decided(saved, None, delivery=AT_LEAST, end=end - 1)


def test_unknown_start_offset_is_no_measure_for_the_partition() -> None:
    assert decided(checkpoint_at(20, next_offset=500, start=UNKNOWN), committed(20)) == GoOn(at(20))


# the same job?


def test_other_object_place_or_shape_is_refused() -> None:
    places = (replace(PLACE, cluster_id="x"), replace(PLACE, topic_id="x"), replace(PLACE, partition=1))
    others = (
        replace(START, source_url="s3://bucket/other.csv"),
        replace(START, shape="other"),
        *(replace(START, destination=place) for place in places),
    )
    for other, row in product(others, (0, 20)):
        with pytest.raises(Contradiction, match="job"):
            decided(checkpoint_at(row, start=other), None)


def test_changed_object_is_refused_once_a_row_is_saved_and_pinned_anew_before() -> None:
    old = replace(START, pins=Pins("old"))
    with pytest.raises(SourceChanged, match="started on old"):
        decided(checkpoint_at(1, start=old), None)
    assert decided(checkpoint_at(0, start=old), None) == Rebuild(FIRST, 100)


def test_identity_of_a_healthy_run_holds_while_it_works() -> None:
    for checkpoint in (None, CLAIMED, checkpoint_at(0), checkpoint_at(30)):
        for position in (None, committed(20)):  # the checkpoint may be read after the position, and be ahead of it
            check_identity(checkpoint, position, source=SOURCE, shape=SHAPE, destination=PLACE)


# at least once: the checkpoint is the position


@pytest.mark.parametrize("checkpoint", [None, CLAIMED, checkpoint_at(0)])
@pytest.mark.parametrize("position", [None, committed(20)], ids=["none", "left_over"])
def test_at_least_once_without_a_saved_row_is_fresh(checkpoint: Checkpoint | None, position: Found) -> None:
    assert decided(checkpoint, position, delivery=AT_LEAST) == Fresh(FIRST)


@pytest.mark.parametrize("position", [None, committed(10), committed(20), committed(30)])
def test_at_least_once_goes_on_at_the_checkpoint_wherever_kafkas_position_is(position: Found) -> None:
    assert decided(checkpoint_at(20), position, delivery=AT_LEAST) == GoOn(at(20))


def test_at_least_once_refuses_another_job_too() -> None:
    with pytest.raises(Contradiction):
        decided(checkpoint_at(20, start=replace(START, shape="other")), None, delivery=AT_LEAST)
    with pytest.raises(SourceChanged):
        decided(checkpoint_at(20, start=replace(START, pins=Pins("old"))), None, delivery=AT_LEAST)


# rebuild: does the partition still have every record that counts?


@pytest.mark.parametrize(("start", "end"), [(0, 120), (120, 120), (120, 300), (121, 121)])
def test_rebuild_where_retention_took_no_record_that_counts_or_one_marker(start: int, end: int) -> None:
    assert decided(checkpoint_at(20), None, start=start, end=end) == Rebuild(at(20), max(120, start))


@pytest.mark.parametrize(("start", "end"), [(121, 122), (121, 300), (122, 122), (300, 300)])
def test_rebuild_is_refused_where_retention_may_have_taken_a_record(start: int, end: int) -> None:
    with pytest.raises(Contradiction, match=f"removed the records from offset 120 to {start}"):
        decided(checkpoint_at(20), None, start=start, end=end)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 500), (5, 500)])
@pytest.mark.parametrize("row", [0, 20])
def test_rebuild_from_an_unknown_offset_is_refused(row: int, start: int, end: int) -> None:
    checkpoint = checkpoint_at(row, next_offset=UNKNOWN_OFFSET, start=UNKNOWN)
    with pytest.raises(Contradiction):
        decided(checkpoint, None, start=start, end=end)


# a completed job


def completed(rows: int, *, next_offset: int = 125) -> Checkpoint:
    return replace(checkpoint_at(rows, next_offset=next_offset), status=Status.COMPLETED, rows=rows)


@pytest.mark.parametrize("position", [None, committed(20)], ids=["expired", "at_the_end"])
def test_completed_job_is_done_while_its_rows_are_there(position: Found) -> None:
    check_complete(completed(20), position, PartitionBounds(0, 125, 125))
    check_complete(completed(20), position, PartitionBounds(400, 400, 400))  # retention is no loss of a done job
    check_complete(completed(0, next_offset=100), None, PartitionBounds(0, 100, 100))


def test_completed_job_whose_partition_ends_early_is_not_done() -> None:
    with pytest.raises(Contradiction, match="ends at offset 124"):
        check_complete(completed(20), committed(20), PartitionBounds(0, 124, 124))


def test_completed_job_whose_position_is_short_is_not_done() -> None:
    with pytest.raises(Contradiction, match="completed with 20 rows, but the position is 19"):
        check_complete(completed(20), committed(19), PartitionBounds(0, 125, 125))


# --- records against rows

VALUES = [b"one", b"two", b"two", b"", b"five"]


def batches_from(row: int, *, interval_rows: int = 2) -> Iterator[Batch]:
    for first in range(row, len(VALUES), interval_rows):
        values = VALUES[first : first + interval_rows]
        ends = [at(first + i + 1).byte_offset for i in range(len(values))]
        yield Batch(at(first), at(first + len(values)), values, ends)


def records_of(*values: bytes) -> list[tuple[int, bytes]]:
    return [(200 + 3 * i, value) for i, value in enumerate(values)]  # offsets have gaps


@pytest.mark.parametrize("interval_rows", [1, 2, 5])
@pytest.mark.parametrize("start", range(6))
def test_records_that_are_the_next_rows_count_as_committed(start: int, interval_rows: int) -> None:
    for end in range(start, 6):
        batches = batches_from(start, interval_rows=interval_rows)
        records = records_of(*VALUES[start:end])
        last_offset = records[-1][0] if records else UNKNOWN_OFFSET
        assert match_committed(records, batches, at(start)) == (at(end), last_offset)


@pytest.mark.parametrize(
    ("records", "offset", "row"),
    [
        ([b"two"], 200, 0),
        ([b"one", b"two", b"three"], 206, 2),
        ([b"one", b"two", b""], 206, 2),
        ([b"one", b"one"], 203, 1),
        ([b"one\n"], 200, 0),
        ([*VALUES, b""], 215, 5),
    ],
    ids=["first", "wrong", "one_of_two_identical_rows_missing", "twice", "line_end", "extra"],
)
def test_record_that_is_not_the_next_row_is_refused_with_both(records: list[bytes], offset: int, row: int) -> None:
    with pytest.raises(Contradiction, match=f"offset {offset} is not row {row} of"):
        match_committed(records_of(*records), batches_from(0), at(0))


def test_only_the_batches_that_records_ask_for_are_read() -> None:
    for records, read_rows in (([], 0), (records_of(b"one"), 2)):
        batches = batches_from(0)
        assert match_committed(records, batches, at(0))[0] == at(len(records))
        assert next(batches).start.row == read_rows


def test_skipped_rows_of_earlier_runs_are_carried_over() -> None:
    batch = Batch(Position(4, 40, 2), Position(5, 50, 2), [b"x"], [50])
    assert match_committed([(9, b"x")], iter([batch]), Position(4, 40, 2)) == (Position(5, 50, 2), 9)


# positions and resets


RESET_TWICE = checkpoint_at(5, start=replace(START, start_row=3, resets=2))


@pytest.mark.parametrize("resets", [0, 1])
def test_a_position_from_before_the_last_reset_counts_as_none(resets: int) -> None:
    assert current(replace(committed(20), resets=resets), RESET_TWICE) is None


def test_a_position_since_the_last_reset_counts() -> None:
    position = replace(committed(20), resets=2)
    assert current(position, RESET_TWICE) is position


@pytest.mark.parametrize(
    "checkpoint", [None, CLAIMED, checkpoint_at(5)], ids=["lost", "without_a_start", "never_reset"]
)
def test_where_the_checkpoint_knows_of_no_reset_every_position_counts(checkpoint: Checkpoint | None) -> None:
    position = replace(committed(20), resets=2)
    assert current(position, checkpoint) is position


def test_the_position_of_a_reset_to_the_start_counts_as_none_whatever_the_checkpoint_knows() -> None:
    position = replace(committed(0), resets=2)
    assert current(position, None) is None
    assert current(position, checkpoint_at(0, start=replace(START, resets=2))) is None


def test_a_position_of_row_0_that_no_reset_wrote_counts_and_so_does_one_that_is_not_ours() -> None:
    put_back, foreign = committed(0), ForeignPosition(0, "it has no metadata")
    assert current(put_back, checkpoint_at(0)) is put_back
    assert current(foreign, RESET_TWICE) is foreign


def test_a_checkpoint_with_fewer_resets_than_the_position_is_refused() -> None:
    with pytest.raises(Contradiction, match="was reset 1 times, the checkpoint knows of 0"):
        decided(checkpoint_at(5), replace(committed(20), resets=1))


def test_at_least_once_after_a_reset_needs_room_for_the_rows_since_it_alone() -> None:
    moved = checkpoint_at(50, next_offset=150, start=replace(START, start_offset=140, start_row=40))
    assert decided(moved, None, delivery=AT_LEAST, end=150) == GoOn(at(50))
    with pytest.raises(Contradiction):
        decided(replace(moved, position=at(51)), None, delivery=AT_LEAST, end=150)
