"""Evidence survives a folder unchanged, and refuses to be what it cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.checker import judge, judge_folder
from harness.history import Attempt, CheckpointVersion, Evidence, GroupOffset, Records, Step, Strike
from harness.tests.planted_run import ROWS, clean_run, packed

BYTES = (b"", b"\xff\x00", "é😀\u2028\n".encode(), b'"\\', b"\r\n", "\ufeffx".encode(), b"\xed\xa0\x80")


def test_saved_evidence_is_the_evidence_loaded(tmp_path: Path) -> None:
    run = replace(
        clean_run(),
        expected=BYTES,
        committed=packed(BYTES),
        live=packed(BYTES[::-1]),
        checkpoints=(CheckpointVersion(1, None, planted=True), CheckpointVersion(2, {"last_line": 7, "error": "ж"})),
        attempts=(Attempt(1, None, 9, (Step({"step": "sent", "row": 4, "note": "ж"}),)), Attempt(2, 0, None)),
        strikes=(Strike("kill", "at row 5", landed=True, attempt=1, rows_sent=6, rows_in_flight=2, rows_wanted=1),),
        first_offset=3,
        expected_exit=6,
    )
    run.save(tmp_path / "run")
    assert Evidence.load(tmp_path / "run") == run


def test_what_was_not_watched_stays_unwatched(tmp_path: Path) -> None:
    clean_run().save(tmp_path)
    unwatched = replace(clean_run(), uncommitted=None, live=None, position=None)
    unwatched.save(tmp_path)
    assert Evidence.load(tmp_path) == unwatched


def test_saved_run_gets_the_same_verdict(tmp_path: Path) -> None:
    run = replace(clean_run(), committed=packed(ROWS[:-1]))
    run.save(tmp_path)
    assert judge_folder(tmp_path) == judge(run)


def test_folder_without_its_records_is_refused(tmp_path: Path) -> None:
    clean_run().save(tmp_path)
    (tmp_path / "committed.jsonl").unlink()
    with pytest.raises(FileNotFoundError):
        Evidence.load(tmp_path)


def test_final_read_that_does_not_ascend_is_refused() -> None:
    with pytest.raises(ValueError, match="does not ascend"):
        replace(clean_run(), committed=Records.of([(1, b"a"), (1, b"a")]))


def test_unknown_delivery_is_refused() -> None:
    with pytest.raises(ValueError, match="delivery"):
        replace(clean_run(), delivery="at-most-once")


def test_records_since_an_offset_begin_at_the_next_one_there_is() -> None:
    records = Records.of([(2, b"a"), (5, b"b"), (9, b"c")])
    assert [record.offset for record in records.since(5)] == [5, 9]
    assert [record.offset for record in records.since(6)] == [9]
    assert records.since(10).values == ()


@pytest.mark.parametrize("ts", [12.5, "1970-01-01T00:00:12.500+00:00", "1970-01-01T00:00:12.500Z"])
def test_clock_of_a_step_is_read_from_a_number_or_a_text(ts: object) -> None:
    assert Step({"step": "sent", "ts": ts}).at_s == 12.5


def test_position_is_counted_without_skipped_rows_where_metadata_tells() -> None:
    assert GroupOffset(10, '{"skipped": 3}').good_rows == 7
    assert all(GroupOffset(10, metadata).good_rows == 10 for metadata in ("", "no json", "[1]"))
