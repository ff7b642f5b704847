"""The comparison of rows with records: each anomaly planted and beside it a look-alike; then any mutation at all."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.anomaly import Altered, Anomaly, Duplicate, Lost, Phantom, Reordered, Truncated, shorten
from harness.checker import KEPT_PER_ANOMALY, Validity, Verdict, judge
from harness.history import Attempt, Records
from harness.tests.planted_run import clean_records, clean_run, compared_only, run_steps

ROWS = tuple(b"row %d" % row for row in range(1000))
# Few letters give many equal rows, many letters few.
SEQUENCES = st.one_of(
    st.lists(st.sampled_from([b"a", b"b"]), max_size=40),
    st.lists(st.binary(max_size=2), max_size=40),
    st.integers(0, 60).map(lambda rows: [b"%d" % row for row in range(rows)]),
).map(tuple)


def only(verdict: Verdict) -> Anomaly:
    """The one anomaly of the comparison; that the success was silent follows from it."""
    (found,) = (anomaly for anomaly in verdict.anomalies if type(anomaly).__name__ != "SilentSuccess")
    assert verdict.validity is Validity.INVALID
    return found


def compare(seen: tuple[bytes, ...], expected: tuple[bytes, ...] = ROWS) -> Verdict:
    return judge(compared_only(expected, seen))


def test_hole_in_the_middle_is_lost() -> None:
    assert only(compare(ROWS[:300] + ROWS[310:])) == Lost(300, 10, ROWS[300], 299)


def test_gap_in_offsets_is_no_anomaly() -> None:
    spread = Records.of((row * 7, value) for row, value in enumerate(ROWS))
    assert judge(replace(compared_only(ROWS, ROWS), committed=spread)).validity is Validity.VALID


def test_missing_end_is_truncated() -> None:
    assert only(compare(ROWS[:990])) == Truncated(990, 10, ROWS[990], 989)


def test_end_that_an_unfinished_run_never_reported_is_not_truncated() -> None:
    steps = run_steps(0, 8)
    unwatched = replace(clean_run(), position=None, checkpoints=(), uncommitted=None, live=None)
    killed = replace(unwatched, committed=clean_records(range(8)), attempts=(Attempt(1, None, 9, steps),))
    assert judge(killed).names == {"Stuck"}
    assert "Truncated" in judge(replace(killed, committed=clean_records(range(4)))).names


@pytest.mark.parametrize("end", [700, 1000])
def test_block_sent_again_after_a_kill_is_one_duplicate(end: int) -> None:
    verdict = compare(ROWS[:end] + ROWS[end - 150 :])
    assert only(verdict) == Duplicate(end - 150, 150, end, end + 149, ROWS[end - 150])
    assert verdict.summary.splitlines()[1].startswith("  Duplicate \u00d7150, first: Duplicate(rows ")


def test_equal_neighbouring_rows_are_no_duplicate() -> None:
    assert compare((b"a", b"a", b"b", b"a"), (b"a", b"a", b"b", b"a")).validity is Validity.VALID


def test_one_equal_row_too_many_is_one_duplicate() -> None:
    verdict = compare((b"a",) * 6 + (b"b",), (b"a",) * 5 + (b"b",))
    assert [finding.count for finding in verdict.findings] == [1] and verdict.names == {"Duplicate"}


def test_one_equal_row_too_few_is_one_lost() -> None:
    verdict = compare((b"a",) * 4 + (b"b",), (b"a",) * 5 + (b"b",))
    assert isinstance(only(verdict), Lost) and verdict.findings[0].count == 1


def test_two_neighbours_swapped_are_one_reordered() -> None:
    assert only(compare((*ROWS[:5], ROWS[6], ROWS[5], *ROWS[7:]))) == Reordered(6, 1, 5, 5, ROWS[6])


def test_rotated_block_is_one_reordered() -> None:
    seen = ROWS[:100] + ROWS[400:600] + ROWS[100:400] + ROWS[600:]
    assert only(compare(seen)) == Reordered(400, 200, 100, 299, ROWS[400])


def test_swapped_equal_rows_are_no_reordered() -> None:
    expected = (b"a", b"b", b"a", b"c")
    assert compare((expected[2], b"b", expected[0], b"c"), expected).validity is Validity.VALID


def test_value_cut_short_is_altered() -> None:
    assert only(compare((*ROWS[:7], ROWS[7][:-1], *ROWS[8:]))) == Altered(7, 7, ROWS[7], ROWS[7][:-1])


def test_altered_rows_apart_are_each_altered_among_equal_rows() -> None:
    expected = (b"a",) * 50
    seen = (*expected[:10], b"?", *expected[11:30], b"!", *expected[31:])
    found = [anomaly for anomaly in compare(seen, expected).anomalies if isinstance(anomaly, Altered)]
    assert [altered.row for altered in found] == [10, 30]


def test_record_of_nobody_is_a_phantom() -> None:
    assert only(compare((b"id", *ROWS))) == Phantom(0, 0, 1, b"id")


def test_records_before_the_first_offset_are_no_phantoms() -> None:
    seen = (b"of another job", b"too", *ROWS)
    assert judge(replace(compared_only(ROWS, seen), first_offset=2)).validity is Validity.VALID


def test_several_kinds_are_each_named() -> None:
    seen = (*ROWS[:5], *ROWS[9:100], *ROWS[60:150], b"?", *ROWS[150:990])
    assert compare(seen).names == {"Lost", "Duplicate", "Phantom", "Truncated", "SilentSuccess"}


def test_many_of_a_kind_are_counted_and_a_few_shown() -> None:
    verdict = compare(tuple(value for row, value in enumerate(ROWS) if row % 3))
    (lost,) = (finding for finding in verdict.findings if finding.name == "Lost")
    assert lost.count + sum(f.count for f in verdict.findings if f.name == "Truncated") == 334
    assert len(lost.first) == KEPT_PER_ANOMALY


def test_long_bytes_are_shortened_to_both_ends() -> None:
    text = shorten(b"a" * 1_000_000 + b"z")
    assert len(text) < 120 and text.startswith("b'aaa") and "az'" in text and "(1,000,001 bytes)" in text


def test_verdict_names_row_offset_attempt_and_bytes() -> None:
    run = clean_run()
    altered = Records.of((r.offset, b'{"id":"x"}' if r.offset == 6 else r.value) for r in run.committed)
    summary = judge(replace(run, committed=altered, uncommitted=altered, live=altered)).summary
    assert "Altered(row 5): at offset 6, from byte 7 on; " in summary
    assert 'expected b\'{"id":"5"}\', seen b\'{"id":"x"}\'; sent by attempt 1' in summary


@given(SEQUENCES)
def test_untouched_sequence_is_valid(rows: tuple[bytes, ...]) -> None:
    assert compare(tuple(bytes(bytearray(row)) for row in rows), rows).validity is Validity.VALID


@given(SEQUENCES.filter(bool), st.data())
def test_deleted_record_is_never_valid(rows: tuple[bytes, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    names = compare(rows[:at] + rows[at + 1 :], rows).names
    assert names <= {"Lost", "Truncated", "SilentSuccess"} and len(names) == 2


@given(SEQUENCES.filter(bool), st.data())
def test_repeated_record_is_a_duplicate_and_nothing_else(rows: tuple[bytes, ...], data: st.DataObject) -> None:
    value, to = data.draw(st.sampled_from(rows)), data.draw(st.integers(0, len(rows)))
    verdict = compare((*rows[:to], value, *rows[to:]), rows)
    assert verdict.names == {"Duplicate"} and verdict.findings[0].count == 1


@given(SEQUENCES.filter(lambda rows: len(set(rows)) > 1), st.data())
def test_swap_of_unequal_rows_is_a_reordered_and_nothing_else(rows: tuple[bytes, ...], data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows) - 1))
    assume(rows[a] != rows[b])
    seen = list(rows)
    seen[a], seen[b] = seen[b], seen[a]
    assert compare(tuple(seen), rows).names == {"Reordered"}


@given(SEQUENCES.filter(bool), st.data())
def test_altered_record_is_an_altered(rows: tuple[bytes, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    altered = rows[at] + b"no row ends so"
    assert only(compare((*rows[:at], altered, *rows[at + 1 :]), rows)) == Altered(at, at, rows[at], altered)


@given(SEQUENCES, st.data())
def test_strange_record_is_a_phantom(rows: tuple[bytes, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows)))
    strange = b"no row is this"
    assert only(compare((*rows[:at], strange, *rows[at:]), rows)) == Phantom(at, at, 1, strange)


@given(SEQUENCES, SEQUENCES)
def test_counts_add_up_for_any_two_sequences(rows: tuple[bytes, ...], seen: tuple[bytes, ...]) -> None:
    verdict = compare(seen, rows)
    assert (verdict.validity is Validity.VALID) == (rows == seen)
    count = {finding.name: finding.count for finding in verdict.findings}
    missing = count.get("Lost", 0) + count.get("Truncated", 0)
    extra = count.get("Duplicate", 0) + count.get("Phantom", 0)
    assert len(rows) - missing + extra == len(seen)
