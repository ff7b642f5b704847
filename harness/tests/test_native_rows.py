"""What the native parser takes is what the careful path makes of it, byte for byte; the rest it leaves alone."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from processor import careful_rows, csv_rows, native_rows
from processor.dialect import RFC4180
from processor.json_rows import JsonRows
from processor.model import ValueFormat

PIECES = (b"a", b"bc", b"\xc3\xa9", b"\xe4\xb8\xad", b" ", b"'", b"#", b"0", b"NaN", b"null", b",", b",", b"\n", b"\n")
RARER = (b'"', b'"', b'""', b'","', b'"x,y"', b"\r\n", b"\r", b"\\", b"\0", b"\x1f", b"\xff", b"\xef\xbb\xbf", b"\n\n")
BOTH = pytest.mark.parametrize("value_format", list(ValueFormat))


@pytest.fixture(autouse=True)
def _small_chunks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_rows, "LEAST_BYTES", 0)


def names_of(width: int) -> tuple[str, ...]:
    return ("id", "größe", "c % d")[:width]


def native(lines: bytes, width: int, value_format: ValueFormat = ValueFormat.JSON) -> list[bytes] | None:
    encode = native_rows.native_rows(value_format, names_of(width))
    assert encode is not None
    return encode(lines)


def carefully(lines: bytes, width: int, value_format: ValueFormat) -> list[bytes] | None:
    """Read row by row; None where a row is bad, blank, or takes more than a line."""
    parse = partial(
        careful_rows.parse_row_by_row, max_row_bytes=2**20, dialect=RFC4180, row=0, skip=False, kept_bytes=0
    )
    slab, fault, _ = parse(lines, base=0, width=width, kept_bytes=0, held_bytes=len(lines), final=True)
    if fault is not None or len(slab.ends) != lines.count(b"\n") + (not lines.endswith(b"\n")):
        return None
    return slab.raw() if value_format is ValueFormat.RAW else JsonRows(names_of(width)).encode(slab)


@BOTH
def test_whatever_it_takes_the_careful_path_reads_the_same(value_format: ValueFormat) -> None:
    random, taken, odd = Random(20261123), 0, 0
    for _ in range(6_000):
        width = random.choice((1, 2, 3))
        pool = PIECES if random.random() < 0.2 else PIECES + RARER
        rows = (
            b",".join(b"".join(random.choices(pool, k=random.randint(0, 3))) for _ in range(width))
            for _ in range(random.randint(1, 4))
        )
        lines = b"\n".join(rows) + random.choice((b"", b"\n"))
        if not lines:
            continue
        values = native(lines, width, value_format)
        if values is None:
            odd += 1
            continue
        taken += 1
        assert values == carefully(lines, width, value_format), (lines, width)
    assert taken > 300  # or this compares nothing
    assert odd > 300


@pytest.mark.parametrize(
    ("lines", "width"),
    [
        (b'"abc,"def",ghi",x\n', 2),  # polars makes `abc,def,ghi` of it
        (b'"a"b,c\n', 2),
        (b'a"b,c\n', 2),
        (b'"a""b",c\n', 2),
        (b'"a\nb",c\n', 2),
        (b'"a\nb,c\n', 2),
        (b"1,2\n\n3,4\n", 2),  # polars makes a row of two empty cells of it
        (b"1\n\n2\n", 1),
        (b"\n1\n", 1),
        (b"1,2\n3\n", 2),
        (b"1,2\n3,4,5\n", 2),
        (b"1\r2,3\n", 2),
        (b"1,2\r\r\n", 2),
        (b"\xef\xbb\xbf1,2\n", 2),  # polars drops it
        (b"\xff,1\n", 2),
        (b"\\,1\n", 2),
        (b"a\tb,1\n", 2),
    ],
)
def test_what_is_odd_is_left_to_the_careful_path(lines: bytes, width: int) -> None:
    assert native(lines, width) is None
    after_a_plain_one = b"1" + b",1" * (width - 1) + b"\n" + lines
    assert native(after_a_plain_one, width) in (None, carefully(after_a_plain_one, width, ValueFormat.JSON))


@BOTH
@pytest.mark.parametrize(
    ("lines", "width"),
    [(b"1,2\n", 2), (b'"a,b","c"\n', 2), (b'"",\n,""\n', 2), (b"1,2\r\n3,4\r\n", 2), (b"1,2", 2), (b'""\n', 1)],
)
def test_what_is_plain_is_taken(lines: bytes, width: int, value_format: ValueFormat) -> None:
    values = native(lines, width, value_format)
    assert values is not None
    assert values == carefully(lines, width, value_format)


def test_a_header_that_json_escapes_is_left_to_the_careful_path() -> None:
    assert native_rows.native_rows(ValueFormat.JSON, ('a"b', "c")) is None


def test_small_runs_of_lines_are_not_worth_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_rows, "LEAST_BYTES", 3 * 2**18)
    assert native(b"1,2\n" * 100, 2) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_whole_object_gives_the_same_rows_with_it_and_without(seed: int) -> None:
    body = plain_object(seed)
    header = csv_rows.read_header([body], max_row_bytes=2**20)
    assert header is not None
    outcomes = []
    for parser in (None, native_rows.native_rows(ValueFormat.JSON, header.names)):
        rows = csv_rows.read_rows(
            iter([body[header.end_byte : 5000], body[5000:]]),
            byte_offset=header.end_byte,
            row=0,
            width=len(header.names),
            max_row_bytes=2**20,
            native=parser,
        )
        slabs = list(rows)
        encode = JsonRows(header.names).encode
        values = [value for slab in slabs for value in (encode(slab) if slab.values is None else slab.values)]
        outcomes.append((values, [slab.starts + slab.ends for slab in slabs]))
        assert any(slab.values is not None for slab in slabs) == (parser is not None)
    assert outcomes[0] == outcomes[1]


def plain_object(seed: int) -> bytes:
    random = Random(seed)
    cells = ("x", "größe", '"a, b"', '""', "", "中文", "1.50")
    rows = (",".join(random.choices(cells, k=3)) + "\n" for _ in range(600))
    return ("id,größe,last\n" + "".join(rows)).encode()
