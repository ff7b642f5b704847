"""Whole lines to Kafka values at native speed, beside the interpreter's lock: polars, from the extra `fast`.

Only for what is certain to mean the same to polars and to Python's `csv`: one row a line, every quote at the border of
a cell, nothing that JSON escapes. That is checked before and, from the lengths, after; the careful path in `csv_rows`
takes everything else. polars alone would not do: it takes `"a,"b",c"` for one cell, for instance.
"""

from __future__ import annotations

import importlib.util
import io
import os
from typing import Any

import orjson

from processor.careful_rows import CRLF, LINE_FEED
from processor.csv_rows import BOM, Native
from processor.model import ValueFormat

CARRIAGE_RETURN = b"\r"
QUOTE = b'"'
ESCAPE = b"\\"
BORDERS = {b",", LINE_FEED}
# Fewer bytes are parsed as fast without it; and so it is loaded beside the first transactions, not before them.
LEAST_BYTES = 3 * 2**18


def native_rows(value_format: ValueFormat, names: tuple[str, ...]) -> Native | None:
    """Return what encodes whole lines, or None where it is not installed or the header is unusual.

    It returns one value for each line, or None for lines that it is not certain of.
    """
    plain_names = all(orjson.dumps(name).decode() == f'"{name}"' for name in names)
    if not plain_names or importlib.util.find_spec("polars") is None:
        return None
    # One thread: the other cores belong to Kafka's client and the broker, and a chunk is too small to be divided.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    around_cells = len(orjson.dumps(dict.fromkeys(names, ""))) + len(LINE_FEED)

    def encode(lines: bytes) -> list[bytes] | None:
        if len(lines) < LEAST_BYTES:
            return None
        if CARRIAGE_RETURN in lines:  # one byte is sought thirty times as fast as two
            lines = lines.replace(CRLF, LINE_FEED)
        if not lines.endswith(LINE_FEED):
            lines += LINE_FEED
        blank_line = len(names) == 1 and (b"\n\n" in lines or lines.startswith(LINE_FEED))  # else the lengths tell
        if blank_line or not _certain(lines):
            return None
        joined = _as_json_lines(lines, names)
        rows = lines.count(LINE_FEED)
        bytes_of_cells = len(lines) - rows * len(names) - lines.count(QUOTE)
        if ESCAPE in joined or len(joined) != rows * around_cells + bytes_of_cells:
            return None
        values = joined[:-1].split(LINE_FEED)
        if len(values) != rows:
            return None
        return values if value_format is ValueFormat.JSON else lines[:-1].split(LINE_FEED)

    return encode


def _certain(lines: bytes) -> bool:
    """Whether the lines are UTF-8 without a carriage return, and hold quotes at the borders of cells only.

    Every other quote opens a cell: what stands outside ends with a comma or a line feed before it, and begins with
    one after the quote that closes it. An escaped quote closes and opens, with nothing between.
    """
    if CARRIAGE_RETURN in lines or lines.startswith(BOM):
        return False
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    if QUOTE not in lines:
        return True
    pieces = (LINE_FEED + lines).split(QUOTE)
    before = {piece[-1:] for piece in pieces[:-1:2]}
    after = {piece[:1] for piece in pieces[2::2]}
    return len(pieces) % 2 == 1 and before | after <= BORDERS


def _as_json_lines(lines: bytes, names: tuple[str, ...]) -> bytes:
    import polars as pl  # noqa: PLC0415  # takes a sixth of a second: not before it is needed

    schema: dict[str, Any] = dict.fromkeys(names, pl.String)
    written = io.BytesIO()
    try:
        frame = pl.read_csv(lines, has_header=False, schema=schema, empty_string_is_null=False)
    except pl.exceptions.PolarsError:
        return b""
    frame.write_ndjson(written)
    return written.getvalue()
