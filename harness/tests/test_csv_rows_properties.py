"""What holds for any bytes: cuts change nothing, a resume changes nothing, work and memory are bounded.

The witnesses are the generator, which knows its rows without reading them, a slow reading byte by byte, and Python's
own csv module where the two mean the same.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tests.test_csv_rows import PLENTY, Outcome, cut, every_chunk_size, read, read_object
from harness.workload import Workload, generate
from processor import careful_rows, csv_rows
from processor.dialect import RFC4180

NASTY = (b"a", b'"', b",", b"\r", b"\n", b"\0", b"\xc3", b"\xa9")
VALID = (b"a", b"\xc3\xa9", b"\0", b",", b",", b"\n", b"\r\n", b'"x\r\n"', b'"",', b'"', b"1,2\n", b'"\n",""\r\n')
LONGER = (*NASTY, b'"', b'","', b"\r\n", b"\xe4\xb8\xad", b"\xf0\x9f", b"\xff", b"\xef\xbb\xbf", b"\n", b"1,2\n", b"")
Found = tuple[list[tuple[tuple[str, ...], int, int]], tuple[int, int] | None]


def read_slowly(body: bytes, *, width: int, most: int) -> Found:
    """Read byte by byte what design says of CSV: the rows, and row number and first byte of the fault."""
    rows: list[tuple[tuple[str, ...], int, int]] = []
    at = 0
    while at < len(body):
        cells, end = read_one_slowly(body, at)
        if cells is None or end - at > most or (cells and len(cells) != width):
            return rows, (len(rows), at)
        try:
            row = tuple(cell.decode() for cell in cells)
        except UnicodeDecodeError:
            return rows, (len(rows), at)
        if row:
            rows.append((row, at, end))
        at = end
    return rows, None


def read_one_slowly(body: bytes, at: int) -> tuple[list[bytes] | None, int]:
    """Return the cells of the row at `at`, [] for a blank line, None for a bad row; and the byte after it."""
    cells: list[bytes] = []
    cell, state, i = b"", "start", at
    while True:
        byte, line_end = body[i : i + 1], 2 if body[i : i + 2] == b"\r\n" else 1
        if state == "quoted":
            if not byte:
                return None, i
            if body[i : i + 2] == b'""':
                cell, i = cell + b'"', i + 1
            elif byte == b'"':
                state = "closed"
            else:
                cell += byte
        elif byte in (b"", b"\n") or line_end == 2:
            end = i + line_end if byte else i
            return ([] if i == at else [*cells, cell]), end
        elif byte == b",":
            cells.append(cell)
            cell, state = b"", "start"
        elif byte == b"\r" or state == "closed":
            return None, i
        elif byte == b'"' and state == "start":
            state = "quoted"
        else:
            cell, state = cell + byte, "plain"
        i += 1


def same(outcome: Outcome) -> Found:
    """What the slow reading says too."""
    return [row[:3] for row in outcome.rows], None if outcome.fault is None else outcome.fault[:2]


def agree(body: bytes, random: Random) -> None:
    """Every cut and every resume, with the plain path and without it, gives one outcome: the slow reading's."""
    width, most = random.choice((1, 2)), random.choice((3, 6, PLENTY))
    whole = read(iter((body,)), width=width, most=most)
    assert same(whole) == read_slowly(body, width=width, most=most), (body, width, most)
    for chunk_bytes in {1, random.randint(1, 7)}:
        pieces = read(cut(body, chunk_bytes), width=width, most=most)
        assert pieces == whole, (body, width, most, chunk_bytes)
    if whole.rows:
        row = random.randrange(len(whole.rows))
        at = whole.rows[row][2]
        resumed = read(iter((body[at:],)), at=at, row=row + 1, width=width, most=most)
        assert resumed == Outcome(whole.rows[row + 1 :], whole.fault), (body, width, most, row)
    fits = body and len(body) <= most
    slab = csv_rows._parse_plain(body, base=7, width=width, dialect=RFC4180, native=None) if fits else None
    if slab is not None:
        by_row = careful_rows.parse_row_by_row(
            body, base=7, row=0, width=width, max_row_bytes=most, dialect=RFC4180, skip=False, kept_bytes=0, final=True,
            held_bytes=len(body),
        )  # fmt: skip
        assert by_row == (slab, None, len(body)), (body, width, most)


def test_every_short_string_of_nasty_bytes_is_read_as_the_slow_reading_does() -> None:
    random = Random(1)
    for length in range(6):
        for pieces in product(NASTY, repeat=length):
            agree(b"".join(pieces), random)


@pytest.mark.parametrize("alphabet", [LONGER, VALID], ids=["nasty", "mostly_valid"])
def test_longer_strings_are_read_as_the_slow_reading_does(alphabet: tuple[bytes, ...]) -> None:
    random = Random(2)
    for _ in range(30_000):
        agree(b"".join(random.choices(alphabet, k=random.randint(3, 30))), random)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_a_million_strings_are_read_as_the_slow_reading_does(seed: int) -> None:
    random = Random(seed)
    for _ in range(250_000):
        agree(b"".join(random.choices((LONGER, VALID)[seed % 2], k=random.randint(3, 30))), random)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(LONGER), max_size=60), random=st.randoms(use_true_random=False))
def test_any_nasty_bytes_are_read_as_the_slow_reading_does(pieces: list[bytes], random: Random) -> None:
    agree(b"".join(pieces), random)


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet='a ",\n\r\0é\u2028\ufeff', max_size=40), chunk_bytes=st.integers(1, 50))
def test_text_without_lone_cr_is_read_as_the_strict_csv_module_does(text: str, chunk_bytes: int) -> None:
    text = text.replace("\r\n", "\n").replace("\r", "").replace("\n", "\r\n")
    ours = read(cut(text.encode(), chunk_bytes), width=1)
    theirs: list[tuple[str, ...]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if len(row) > 1:
                break
            theirs += [tuple(row)] if row else []
        else:
            assert ours.fault is None
    except csv.Error:
        assert ours.fault is not None
    assert [row[0] for row in ours.rows] == theirs


WORKLOADS = [generate(seed, rows=seed % 40) for seed in range(300)]


def truth(workload: Workload) -> list[tuple[tuple[str, ...], int, int, bytes]]:
    ranges = zip(workload.rows, workload.ranges, strict=True)
    return [(row, at.start, at.line_end, workload.csv[at.start : at.end]) for row, at in ranges]


def test_workloads_rows_bytes_and_raw_are_the_truth_however_they_are_cut() -> None:
    for workload in WORKLOADS:
        for chunk_bytes in (1 if len(workload.csv) < 5_000 else 997, 64, 4_096, 2**20):
            outcome = read_object(workload.csv, chunk_bytes=max(chunk_bytes, len(workload.csv) // 5_000), most=2**24)
            assert outcome.fault is None, workload.name
            assert list(outcome.rows) == truth(workload), (workload.name, chunk_bytes)


def test_workloads_read_row_by_row_as_by_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = [read_object(workload.csv, chunk_bytes=3_000, most=2**24) for workload in WORKLOADS]
    monkeypatch.setattr(csv_rows, "_parse_plain", lambda *_, **__: None)
    assert fast == [read_object(workload.csv, chunk_bytes=3_000, most=2**24) for workload in WORKLOADS]


def test_resume_at_every_row_end_yields_exactly_the_rest() -> None:
    for workload in WORKLOADS:
        rows, width = truth(workload), len(workload.header)
        for done, (_, _, end, _) in enumerate(rows, start=1):
            rest = read(cut(workload.csv[end:], 65_536), at=end, row=done, width=width, most=2**24)
            assert (list(rest.rows), rest.fault) == (rows[done:], None), (workload.name, done)


def test_bad_row_has_the_same_place_after_a_resume_at_any_row_before_it() -> None:
    body = b'1,2\n\n"3\n",4\r\n5,6\n\n7,\xff\n8,9\n'
    whole = read(iter((body,)))
    assert (len(whole.rows), whole.fault and whole.fault[:3]) == (3, (3, 18, 22))
    for done, row in enumerate(whole.rows, start=1):
        rest = read(cut(body[row[2] :], 3), at=row[2], row=done)
        assert (rest.rows, rest.fault) == (whole.rows[done:], whole.fault)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 299), cuts=st.lists(st.integers(1, 300), min_size=1, max_size=50))
def test_chunks_of_mixed_sizes_change_nothing(seed: int, cuts: list[int]) -> None:
    body, first = WORKLOADS[seed].csv, 0
    chunks = []
    for size in cuts:
        chunks.append(body[first : first + size])
        first += size
    chunks = [chunk for chunk in (*chunks, body[first:]) if chunk]
    width = len(WORKLOADS[seed].header)
    assert read(iter(chunks), width=width, most=2**24) == read(iter((body,)), width=width, most=2**24)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b""])
def test_row_of_max_row_bytes_with_its_line_end_is_taken_and_one_more_is_not(quoted: bool, line_end: bytes) -> None:
    most = 40
    for over in (0, 1):
        filler = b"x" * (most + over - len(b'1,""' if quoted else b"1,") - len(line_end))
        row = b'1,"%b"%b' % (filler, line_end) if quoted else b"1,%b%b" % (filler, line_end)
        body = b"5,6\n" + row + (b"7,8\n" if line_end else b"")
        for chunk_bytes in every_chunk_size(body):
            outcome = read(cut(body, chunk_bytes), most=most)
            if over:
                assert (len(outcome.rows), outcome.fault and outcome.fault[:2]) == (1, (1, 4))
            else:
                assert (len(outcome.rows), outcome.fault) == (3 if line_end else 2, None)


@pytest.mark.parametrize(
    "long",
    [b"1," + b"x" * 60 + b"\n", b'1,"' + b"x\n" * 30 + b'"\n', b'1,"' + b"x" * 60, b'"x"y' + b"z" * 60 + b"\n"],
    ids=["unquoted", "newlines_in_quotes", "quote_never_closed", "text_after_a_closing_quote"],
)
def test_row_over_max_row_bytes_is_refused_alike_however_it_is_cut(long: bytes) -> None:
    body = b"5,6\n" + long + b"7,8\n"
    outcomes = {read(cut(body, chunk_bytes), most=40) for chunk_bytes in every_chunk_size(body)}
    assert len(outcomes) == 1, {outcome.fault for outcome in outcomes}


def test_blank_lines_and_short_rows_are_many_without_making_a_long_row() -> None:
    body = b"\r\n" * 100 + b"1,2\n" * 50 + b"\n" * 100
    for chunk_bytes in (1, 7, 1000):
        outcome = read(cut(body, chunk_bytes), most=10)
        assert (len(outcome.rows), outcome.fault) == (50, None)


@pytest.mark.parametrize("chunk_bytes", [7, 1000, 4096])
@pytest.mark.parametrize("start", [b'1,"', b'1,2\n1,"', b"1,2\n"], ids=["at_once", "after_a_row", "no_line_end"])
def test_row_that_never_ends_is_refused_before_much_more_than_max_row_bytes_is_held(
    chunk_bytes: int, start: bytes
) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        filler = b"x" if start.endswith(b"\n") else b"3,4\n"
        for chunk in cut(start + filler * (1_000_000 // len(filler)), chunk_bytes):
            taken += len(chunk)
            yield chunk

    outcome = read(endless(), most=1000)
    assert outcome.fault is not None
    assert "1000 bytes" in outcome.fault[3]
    assert taken <= len(start) + 1000 + 2 * chunk_bytes


@pytest.mark.parametrize("quoted", [b'"%b",2\n', b"%b,2\n"])
def test_cell_over_the_csv_modules_own_limit_is_taken(quoted: bytes) -> None:
    body = quoted % (b"x" * 200_000)
    assert read(cut(body, 65_536), most=2**20).rows == ((("x" * 200_000, "2"), 0, len(body), body[:-1]),)


def test_row_of_8_mib_is_parsed_a_bounded_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0
    parse = csv_rows._parse

    def counted(careful: object, buffer: bytes, **options: object) -> object:
        nonlocal parsed
        parsed += len(buffer)
        return parse(careful, buffer, **options)

    monkeypatch.setattr(csv_rows, "_parse", counted)
    body = b'1,"' + b"0123456\n" * 2**20 + b'"\n' + b"3,4\n" * 100_000
    outcome = read(cut(body, 2**16), most=16 * 2**20)
    assert (len(outcome.rows), outcome.fault) == (100_001, None)
    assert parsed < 4 * len(body)
