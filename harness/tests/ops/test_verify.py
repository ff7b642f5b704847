"""`verify` finds what is planted and names it, and finds nothing where nothing is; on the fake and on both clients."""

from __future__ import annotations

import pytest

from harness.tests.ops.planted import HEADER, Planted, batch, csv_of, value_of
from processor.errors import Contradiction, PlaceMissing, SourceChanged, Temporary
from processor.model import Status


def test_a_completed_job_is_valid(planted: Planted) -> None:
    planted.complete(planted.values)
    code, said = planted.verify()
    assert code == 0
    assert "valid: 50 rows; 50 records compared" in said
    assert "difference" not in said


def test_what_lies_before_the_jobs_first_offset_is_not_its_own(planted: Planted) -> None:
    planted.write([b"somebody", b"else"], position=None)
    planted.start_offset = planted.sink.bounds().end
    planted.complete(planted.values)
    code, said = planted.verify()
    assert (code, ", from offset 3 of the partition on" in said) == (0, True)


def test_rows_of_a_killed_run_that_were_aborted_are_not_there(planted: Planted) -> None:
    planted.sink.fence()
    planted.sink.send(batch(planted.values[:7]))
    planted.complete(planted.values)
    assert planted.verify()[0] == 0


def test_equal_rows_one_after_the_other_are_no_repetition(planted: Planted) -> None:
    planted.key.put(HEADER + b"1,a\n" * 50)
    values = [b'{"id":"1","text":"a"}'] * 50
    planted.complete(values)
    assert planted.verify()[0] == 0


def test_a_lost_row_is_named_with_the_record_in_its_place(planted: Planted) -> None:
    planted.complete(planted.values[:30] + planted.values[31:])
    code, said = planted.verify()
    assert code == 1
    assert "difference 1: lost: row 30 not there; next is offset 31" in said
    assert f"expected {value_of(30)!r}" in said
    assert f"seen     {value_of(31)!r}" in said
    assert "1 differences, the first at row 30" in said


def test_a_repeated_row_is_named(planted: Planted) -> None:
    planted.complete(planted.values[:31] + planted.values[30:])
    code, said = planted.verify()
    assert code == 1
    assert "repeated: offset 32 again, the bytes of row 30, before row 31" in said
    assert said.count("difference ") == 1


def test_a_repeated_batch_is_one_difference(planted: Planted) -> None:
    planted.complete(planted.values[:40] + planted.values[20:40] + planted.values[40:])
    code, said = planted.verify()
    assert code == 1
    assert "repeated: 20 records from offset 42 again, the bytes of row 20, before row 40" in said
    assert said.count("difference ") == 1


@pytest.mark.parametrize(("first", "second"), [(10, 11), (10, 12), (0, 1), (48, 49)])
def test_swapped_rows_are_named(planted: Planted, first: int, second: int) -> None:
    values = list(planted.values)
    values[first], values[second] = values[second], values[first]
    planted.complete(values)
    code, said = planted.verify()
    assert code == 1
    assert f"reordered: rows {first} to {second} out of order" in said
    assert f"the bytes of row {second}" in said
    assert said.count("difference ") == 1


def test_rows_swapped_over_a_distance_are_named_by_the_row_whose_bytes_they_have(planted: Planted) -> None:
    values = list(planted.values)
    values[10], values[40] = values[40], values[10]
    planted.complete(values)
    code, said = planted.verify()
    assert code == 1
    assert "difference 1: reordered: row 10 out of order, at offset 10, the bytes of row 40" in said
    assert "difference 2: reordered: row 40 out of order, at offset 42, the bytes of row 10" in said


def test_an_altered_byte_is_shown_with_its_place(planted: Planted) -> None:
    altered = value_of(30).replace(b"text of", b"text 0f")
    planted.complete([altered if row == 30 else value for row, value in enumerate(planted.values)])
    code, said = planted.verify()
    assert code == 1
    assert "altered: row 30 with other bytes, at offset 31" in said
    assert f"expected {value_of(30)!r}\n  seen     {altered!r}" in said


def test_an_altered_byte_of_a_long_row_is_shown_though_only_a_part_of_the_row_is(planted: Planted) -> None:
    planted.key.put(HEADER + b"1," + b"x" * 5000 + b"\n")
    value = b'{"id":"1","text":"' + b"x" * 5000 + b'"}'
    planted.rows = 1
    planted.write([value[:4000] + b"Y" + value[4001:]], position=1)
    planted.save(row=1, status=Status.COMPLETED)
    code, said = planted.verify()
    assert code == 1
    assert "xxxYxxx" in said
    assert "of 5020)" in said


@pytest.mark.parametrize("at", [0, 17, 50])
def test_a_foreign_record_is_named(planted: Planted, at: int) -> None:
    planted.complete([*planted.values[:at], b"foreign", *planted.values[at:]])
    code, said = planted.verify()
    assert code == 1
    assert f": no row of the object, before row {at}" in said
    assert "seen     b'foreign'" in said
    assert said.count("difference ") == 1


@pytest.mark.parametrize("kept", [49, 40, 0])
def test_rows_missing_at_the_end_of_a_completed_job_are_named(planted: Planted, kept: int) -> None:
    planted.complete([*planted.values[:kept]] or [b"foreign"])
    code, said = planted.verify()
    assert code == 1
    rows = "row 49" if kept == 49 else f"rows {kept} to 49"
    assert f"{rows} not there; next is the end" in said or (kept == 0 and "b'foreign'" in said)


def test_rows_missing_at_the_end_of_a_job_that_is_not_done_are_lost_as_far_as_it_committed_them(
    planted: Planted,
) -> None:
    planted.write(planted.values[:25], position=30)
    planted.save(row=0, status=Status.RUNNING)
    code, said = planted.verify()
    assert code == 1
    assert "lost: rows 25 to 29 not there; next is the end" in said


def test_a_job_half_done_is_valid_so_far(planted: Planted) -> None:
    planted.write(planted.values[:25], position=None)
    planted.save(row=20, status=Status.RUNNING)
    code, said = planted.verify()
    assert code == 0
    assert "valid so far up to row 25; the job is RUNNING" in said


def test_records_of_an_open_transaction_are_not_looked_at(planted: Planted) -> None:
    planted.write(planted.values[:25], position=None)
    planted.save(row=20, status=Status.RUNNING)
    planted.sink.send(batch(planted.values[25:30]))
    code, said = planted.verify()
    assert (code, "valid so far up to row 25" in said) == (0, True)


def test_several_differences_are_all_named_and_the_rest_is_compared(planted: Planted) -> None:
    values = list(planted.values)
    values[40] = b"other"
    values.insert(20, b"foreign")
    del values[10]
    planted.complete(values)
    code, said = planted.verify()
    assert code == 1
    kinds = [line.split(": ")[1] for line in said.splitlines() if line.startswith("difference ")]
    assert kinds == ["lost", "foreign", "altered"]


def test_no_more_than_the_first_differences_are_printed(planted: Planted) -> None:
    planted.complete([value if row % 8 else b"other" for row, value in enumerate(planted.values)])
    code, said = planted.verify(most=3)
    assert code == 1
    assert said.count("difference ") == 3
    assert "not valid: 3 or more differences, the first at row 0" in said


def test_what_retention_has_taken_is_said_and_the_rest_compared(planted: Planted) -> None:
    planted.complete(planted.values)
    planted.world.delete_before(21)  # a marker follows the first 20 rows
    code, said = planted.verify()
    assert code == 0
    assert "retention has taken the offsets 0 to 21, with about 20 rows" in said
    assert "valid: rows 20 to 49; 30 records compared" in said


def test_a_difference_behind_what_retention_has_taken_is_found(planted: Planted) -> None:
    planted.complete([*planted.values[:30], b"foreign", *planted.values[31:]])
    planted.world.delete_before(10)
    code, said = planted.verify()
    assert (code, "altered: row 30" in said) == (1, True)


def test_a_partition_of_which_retention_has_taken_all_is_said_to_be_gone(planted: Planted) -> None:
    planted.complete(planted.values)
    planted.world.delete_before(planted.sink.bounds().end)
    code, said = planted.verify()
    assert (code, "with about 50 rows" in said) == (0, True)


def test_a_checkpoint_that_was_lost_is_no_hindrance(planted: Planted) -> None:
    planted.write(planted.values[:25], position=None)
    code, said = planted.verify()
    assert (code, "valid so far up to row 25; the job is not in the checkpoint table" in said) == (0, True)


def test_a_group_offset_that_was_reset_by_hand_is_said_and_the_rows_compared(planted: Planted) -> None:
    planted.complete(planted.values)
    planted.sink.discard()
    planted.world.reset_group(3, "")
    code, said = planted.verify()
    assert (code, "the group offset 3 in Kafka is not ours" in said) == (0, True)


def test_a_bad_row_is_where_a_job_stands(planted: Planted) -> None:
    planted.key.put(csv_of(25) + b"ragged\n" + csv_of(3)[len(HEADER) :])
    planted.write(planted.values[:25], position=None)
    planted.save(row=25, status=Status.FAILED)
    code, said = planted.verify()
    assert code == 0
    assert "valid so far up to row 25; the job is FAILED" in said
    assert "the next one is bad: row 25, bytes" in said


def test_a_job_that_nobody_knows_is_no_valid_job(planted: Planted) -> None:
    with pytest.raises(PlaceMissing, match="nothing is known of the job 'job'"):
        planted.verify()


def test_another_object_and_another_topic_keep_their_codes(planted: Planted) -> None:
    planted.complete(planted.values)
    planted.key.put(csv_of(51))
    with pytest.raises(SourceChanged):
        planted.verify()
    planted.key.put(csv_of(50))
    planted.sink.discard()
    planted.world.recreate_topic()
    with pytest.raises(Contradiction):
        planted.verify()


def test_rows_behind_a_strangers_open_transaction_are_hidden_not_lost(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.ops.verify.SETTLE_S", 0.5)
    planted.world.open_strangers_transaction([b"stranger"])
    planted.sink.fence()
    next_offset = planted.sink.send(batch(planted.values[:5]))
    planted.sink.commit(planted.committed(5, next_offset))
    planted.save(row=0, status=Status.RUNNING)
    with pytest.raises(Temporary, match="a transaction is open from offset 0 on"):
        planted.verify()
    planted.world.abort_strangers_transaction()
    planted.world.settle()
    assert planted.verify()[0] == 0
