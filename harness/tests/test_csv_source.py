"""Batches end where they should, hold what the oracle expects, and go on anywhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random

import pytest
import zstandard

from harness.fakes import FakeKey, FakeObject
from harness.oracle import expected_values
from harness.workload import Workload, generate
from processor.compressed import LONGEST_MAGIC
from processor.csv_source import BatchLimits, CsvSource
from processor.errors import BadRow, NeedsPerson, SourceUnavailable
from processor.model import Batch, Pins, Position, ValueFormat

BOM = b"\xef\xbb\xbf"
URL = "s3://bucket/rows.csv"
TEN_ROWS = b"a,b\n" + b"".join(b"%d,x\n" % row for row in range(10))  # raw values of 3 bytes, lines of 4
WORKLOADS = [generate(seed, rows=seed % 40) for seed in range(300)]


class Time:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class SlowObject(FakeObject):
    """Each chunk takes `chunk_s` of `time`; after `breaks_after` chunks of a read it fails."""

    time, chunk_s, breaks_after = Time(), 0.0, 10**9

    def read(self, byte_offset: int) -> Iterator[bytes]:
        for number, chunk in enumerate(super().read(byte_offset)):
            if number == self.breaks_after:
                raise SourceUnavailable("cut", hint="again")
            self.time.now_s += self.chunk_s
            yield chunk


def source_of(
    body: bytes,
    *,
    value_format: ValueFormat = ValueFormat.RAW,
    limits: BatchLimits | None = None,
    chunk_bytes: int = 65_536,
) -> CsvSource:
    stored = FakeObject(FakeKey(body, url=URL), chunk_bytes=chunk_bytes)
    return CsvSource(stored, url=URL, value_format=value_format, limits=limits or BatchLimits(), clock=Time())


def started(source: CsvSource) -> Position:
    return Position(0, source.describe(None).first_row_byte)


def all_of(source: CsvSource) -> list[Batch]:
    return list(source.batches(started(source)))


def sizes(source: CsvSource, scale: float = 1.0) -> list[int]:
    return [len(batch.values) for batch in source.batches(started(source), scale=scale)]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("interval_rows", "expected"), [(1, [1] * 10), (3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10]), (11, [10])]
)
def test_batch_ends_at_the_row_limit(interval_rows: int, expected: list[int], chunk_bytes: int) -> None:
    limits = BatchLimits(interval_rows=interval_rows)
    assert sizes(source_of(TEN_ROWS, limits=limits, chunk_bytes=chunk_bytes)) == expected


@pytest.mark.parametrize("chunk_bytes", [1, 7, 65_536])
@pytest.mark.parametrize(("batch_bytes", "expected"), [(8, [3, 3, 3, 1]), (9, [3, 3, 3, 1]), (10, [4, 4, 2])])
def test_row_that_reaches_the_byte_limit_belongs_to_the_batch(
    batch_bytes: int, expected: list[int], chunk_bytes: int
) -> None:
    limits = BatchLimits(batch_bytes=batch_bytes)
    assert sizes(source_of(TEN_ROWS, limits=limits, chunk_bytes=chunk_bytes)) == expected


def test_row_over_the_byte_limit_is_a_batch_with_the_rows_before_it() -> None:
    body = b"a,b\n1,x\n2," + b"y" * 50 + b"\n3,x\n"
    assert sizes(source_of(body, limits=BatchLimits(batch_bytes=20))) == [2, 1]


def test_byte_limit_counts_encoded_values_and_not_bytes_of_the_object() -> None:
    one = len(b'{"a":"0","b":"x"}')
    limits = BatchLimits(batch_bytes=2 * one)
    assert sizes(source_of(TEN_ROWS, limits=limits, value_format=ValueFormat.JSON)) == [2] * 5


def test_scale_shrinks_rows_and_bytes_but_never_below_one_row() -> None:
    assert sizes(source_of(TEN_ROWS, limits=BatchLimits(interval_rows=8)), scale=0.5) == [4, 4, 2]
    assert sizes(source_of(TEN_ROWS, limits=BatchLimits(batch_bytes=24)), scale=0.5) == [4, 4, 2]
    assert sizes(source_of(TEN_ROWS, limits=BatchLimits(1, 1)), scale=1 / 64) == [1] * 10


def test_scale_leaves_time_and_max_row_bytes() -> None:
    limits = BatchLimits(100, 100, 5.0, 100)
    assert limits.scaled(0.25) == BatchLimits(25, 25, 5.0, 100)
    assert limits.scaled(1 / 1_000) == BatchLimits(1, 1, 5.0, 100)


def slow_source(chunk_s: float, *, interval_s: float = 5.0) -> tuple[CsvSource, SlowObject]:
    """A source of one row a chunk."""
    stored = SlowObject(FakeKey(TEN_ROWS, url=URL), chunk_bytes=4)
    stored.time = Time()
    limits = BatchLimits(interval_s=interval_s)
    source = CsvSource(stored, url=URL, value_format=ValueFormat.RAW, limits=limits, clock=stored.time)
    start = started(source)
    assert start == Position(0, 4)
    stored.chunk_s = chunk_s
    return source, stored


@pytest.mark.parametrize(("chunk_s", "expected"), [(5.0, [1] * 10), (2.5, [2] * 5), (2.0, [3, 3, 3, 1]), (0.1, [10])])
def test_batch_ends_when_its_time_is_up(chunk_s: float, expected: list[int]) -> None:
    source, _ = slow_source(chunk_s)
    assert [len(batch.values) for batch in source.batches(Position(0, 4))] == expected


def test_time_is_up_only_for_a_batch_with_a_row_in_it() -> None:
    source, stored = slow_source(0.0)
    stored.chunk_s = 100.0
    assert all(batch.values for batch in source.batches(Position(0, 4)))


def test_time_that_a_commit_takes_is_not_time_that_the_next_batch_waits() -> None:
    source, stored = slow_source(1.0)
    counts = []
    for batch in source.batches(Position(0, 4)):
        counts.append(len(batch.values))
        stored.time.now_s += 60.0  # the commit
    assert counts == [5, 5]


def test_source_that_breaks_yields_the_rows_it_has_before_the_error() -> None:
    source, stored = slow_source(0.0)
    stored.breaks_after = 3
    batches = source.batches(Position(0, 4))
    assert list(next(batches).values) == [b"0,x", b"1,x", b"2,x"]
    with pytest.raises(SourceUnavailable):
        next(batches)


@pytest.mark.parametrize("value_format", ValueFormat)
def test_values_are_the_oracles_byte_for_byte(value_format: ValueFormat) -> None:
    for workload in WORKLOADS:
        source = source_of(workload.csv, value_format=value_format, chunk_bytes=1_000 + workload.seed)
        values = [value for batch in all_of(source) for value in batch.values]
        assert values == list(expected_values(workload.csv, value_format)), workload.name
        assert values == list(workload.values(value_format)), workload.name


@pytest.mark.parametrize("value_format", ValueFormat)
def test_every_character_is_written_as_the_oracle_writes_it(value_format: ValueFormat) -> None:
    letters = [*map(chr, range(0x300)), *"\u2028\u2029\ufeff\ufffd\ufffe\uffff\U0001f680\U0010ffff", "\ud7ff", "\ue000"]
    body = 'k"\\\u2028,\0\n'.encode() + b"".join(
        '"{0}","{0}x"\n'.format(letter.replace('"', '""')).encode() for letter in letters
    )
    values = [value for batch in all_of(source_of(body, value_format=value_format)) for value in batch.values]
    assert values == list(expected_values(body, value_format))


def random_limits(random: Random, workload: Workload) -> BatchLimits:
    return BatchLimits(random.randint(1, 15), random.choice((1, 50, 1_000, len(workload.csv) + 1)))


def test_consecutive_batches_leave_no_gap_and_end_at_the_last_row() -> None:
    random = Random(3)
    for workload in WORKLOADS:
        source = source_of(workload.csv, limits=random_limits(random, workload), chunk_bytes=777)
        start, batches = started(source), all_of(source)
        assert all(batch.values and batch.byte_ends[-1] == batch.end.byte_offset for batch in batches)
        assert all(one.end == two.start for one, two in pairwise(batches))
        assert not batches or batches[0].start == start
        reached = batches[-1].end if batches else start
        assert reached.row == len(workload.rows)
        assert [end for batch in batches for end in batch.byte_ends] == [at.line_end for at in workload.ranges]


@pytest.mark.parametrize("value_format", ValueFormat)
def test_resume_after_any_row_yields_the_same_values_as_before(value_format: ValueFormat) -> None:
    random = Random(4)
    for workload in WORKLOADS[:150]:
        source = source_of(workload.csv, value_format=value_format, limits=random_limits(random, workload))
        whole = [value for batch in all_of(source) for value in batch.values]
        for done, at in enumerate(workload.ranges, start=1):
            batches = list(source.batches(Position(done, at.line_end)))
            assert [value for batch in batches for value in batch.values] == whole[done:], (workload.name, done)
            assert not batches or batches[-1].end.row == len(whole)


def test_resume_keeps_the_count_of_skipped_rows() -> None:
    source = source_of(TEN_ROWS, limits=BatchLimits(interval_rows=6))
    started(source)
    assert [batch.end for batch in source.batches(Position(2, 12, 1))] == [Position(8, 36, 1), Position(10, 44, 1)]


def test_resume_does_not_ask_for_the_bytes_before_it() -> None:
    stored = FakeObject(FakeKey(TEN_ROWS, url=URL))
    source = CsvSource(stored, url=URL, value_format=ValueFormat.RAW, limits=BatchLimits())
    started(source)
    before = stored.bytes_asked
    assert len(next(source.batches(Position(9, 40))).values) == 1
    assert stored.bytes_asked - before == 4


def test_resume_at_the_end_or_at_blank_lines_behind_the_last_row_yields_nothing() -> None:
    source = source_of(TEN_ROWS + b"\n\r\n\n")
    started(source)
    assert list(source.batches(Position(10, 44))) == list(source.batches(Position(10, 48))) == []


@pytest.mark.parametrize("bad", [b"9\n", b"9,\xff\n", b'"9"x,1\n', b'9,"1\n', b"9,1\r\r\n"])
@pytest.mark.parametrize("chunk_bytes", [1, 5, 65_536])
def test_bad_row_comes_after_a_partial_batch_of_the_rows_before_it(bad: bytes, chunk_bytes: int) -> None:
    source = source_of(TEN_ROWS + bad + b"8,8\n", limits=BatchLimits(interval_rows=4), chunk_bytes=chunk_bytes)
    batches = source.batches(started(source))
    assert [len(next(batches).values) for _ in range(3)] == [4, 4, 2]
    with pytest.raises(BadRow) as refused:
        next(batches)
    assert (refused.value.row, refused.value.byte_start) == (10, 44)
    with pytest.raises(BadRow, match="row 10, bytes 44 to"):  # and a resume right at it says the same
        next(source.batches(Position(10, 44)))


def test_bad_row_right_at_the_limit_comes_without_an_empty_batch() -> None:
    source = source_of(TEN_ROWS + b"9\n", limits=BatchLimits(interval_rows=5))
    batches = source.batches(started(source))
    assert [len(next(batches).values) for _ in range(2)] == [5, 5]
    with pytest.raises(BadRow):
        next(batches)


def in_parts(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: compress(body[:9]) + compress(body[9:])


COMPRESSIONS = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "gzip of two members": in_parts(gzip.compress),
    "gzip padded with zeros": lambda body: gzip.compress(body) + b"\0\0\0",
    "zstd of two frames": in_parts(zstandard.compress),
}


@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("chunk_bytes", [1, 5, 65_536])
def test_compressed_object_has_the_rows_and_offsets_of_what_it_holds(kind: str, chunk_bytes: int) -> None:
    plain, source = source_of(TEN_ROWS), source_of(COMPRESSIONS[kind](TEN_ROWS), chunk_bytes=chunk_bytes)
    described, start = source.describe(None), started(plain)
    assert (described.size_bytes, described.first_row_byte) == (None, start.byte_offset)
    whole = list(source.batches(start))
    assert whole == list(plain.batches(start))
    values, ends = whole[0].values, whole[0].byte_ends
    for row, at in enumerate(ends, start=1):
        batches = list(source.batches(Position(row, at)))
        assert [value for batch in batches for value in batch.values] == list(values[row:])


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_object_that_ends_early_or_is_damaged_is_refused_and_never_called_done(kind: str) -> None:
    body = COMPRESSIONS[kind](TEN_ROWS)
    for length in range(len(body) - 1, LONGEST_MAGIC, -1):
        with pytest.raises(NeedsPerson, match=f"ends within its {kind} stream|is broken"):
            list(started_batches(source_of(body[:length])))
    with pytest.raises(NeedsPerson, match=f"{kind} stream is broken"):
        list(started_batches(source_of(body + b"no magic")))


def started_batches(source: CsvSource) -> Iterator[Batch]:
    return source.batches(started(source))


def test_first_byte_of_gzip_alone_is_a_character() -> None:
    assert source_of(b"\x1f,b\n1,2\n").describe(None).first_row_byte == 4


@pytest.mark.parametrize(
    ("body", "first_row_byte"),
    [
        (b"", 0),
        (BOM, 3),
        (b"\n\r\n", 3),
        (b"a,b", 3),
        (b"a,b\n", 4),
        (BOM + b"a,b\r\n", 8),
        (BOM + b'"a",b\n1,2\n', 9),
        (b"\n\na,b\n\n\n1,2\n", 6),
        (TEN_ROWS, 4),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1, 2, 65_536])
def test_first_row_byte_counts_bom_blank_lines_and_header(body: bytes, first_row_byte: int, chunk_bytes: int) -> None:
    source = source_of(body, chunk_bytes=chunk_bytes)
    described = source.describe(None)
    assert (described.url, described.size_bytes, described.first_row_byte) == (URL, len(body), first_row_byte)
    batches = list(source.batches(Position(0, first_row_byte)))
    assert bool(batches) == (b"1,2" in body or body == TEN_ROWS)


def test_header_that_breaks_a_rule_is_refused_by_describe() -> None:
    with pytest.raises(BadRow, match="header, bytes 3 to 7"):
        source_of(BOM + b"a,a\n1,2\n").describe(None)


def test_describe_reads_the_header_of_the_object_as_it_is_now() -> None:
    key = FakeKey(b"a,b\n1,2\n", url=URL)
    source = CsvSource(FakeObject(key), url=URL, value_format=ValueFormat.JSON, limits=BatchLimits())
    old = source.describe(None).pins
    key.put(b"name\n7\n")
    new = source.describe(old)
    assert new.pins != old and isinstance(new.pins, Pins)
    assert list(next(source.batches(Position(0, new.first_row_byte))).values) == [b'{"name":"7"}']


def test_batches_of_an_object_that_nobody_described_are_an_error_and_not_an_empty_object() -> None:
    with pytest.raises((RuntimeError, AssertionError)):
        list(source_of(TEN_ROWS).batches(Position(0, 4)))
