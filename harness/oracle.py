"""The expected records of a real file, read by other means than the processor's: the judge's first witness.

Two readings have to agree. A byte scanner finds the rows and refuses what the decided meaning of CSV calls bad (text
after a closing quote, a lone CR outside quotes, a quote that never closes), where Arrow would guess. Arrow's parser
reads the cells; DuckDB's was tried and drops the quotes of a cell such as ` "x" ` and makes a row of a blank line in a
file of one column. For generated workloads the truth comes from the generator instead.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.csv as arrow_csv

BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 8 << 20

# Possessive, so that a row of many MB is scanned once and never tried again.
_CELL = rb'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^,\r\n]++|)'
_ROW = re.compile(rb"(?:%b(?:,%b)*+)(?P<end>\r\n|\n|\Z)" % (_CELL, _CELL))
_BLANK = re.compile(rb"\r?\n")


class MalformedCsv(ValueError):
    """The file has no one meaning; `byte_offset` is where the row begins that has none."""

    def __init__(self, byte_offset: int, reason: str) -> None:
        super().__init__(f"at byte {byte_offset}: {reason}")
        self.byte_offset = byte_offset


@dataclass(frozen=True, slots=True)
class RowBytes:
    """Where a row lies: [start, end) without its line end, [start, line_end) with it."""

    start: int
    end: int
    line_end: int


def scan_rows(csv: bytes) -> Iterator[RowBytes]:
    """Every row of the file, the header first. Blank lines are no rows; a BOM belongs to none."""
    start = len(BOM) if csv.startswith(BOM) else 0
    while start < len(csv):
        if blank := _BLANK.match(csv, start):
            start = blank.end()
            continue
        row = _ROW.match(csv, start)
        if row is None:
            raise MalformedCsv(start, "text after a closing quote, a lone CR, or a quote that never closes")
        yield RowBytes(start, row.start("end"), row.end())
        start = row.end()


def read_header(csv: bytes) -> tuple[str, ...]:
    """The names of the columns; a name that is empty or there twice is refused, and an empty file has none."""
    first = next(scan_rows(csv), None)
    if first is None:
        return ()
    header = _read_cells(csv, [first], _width(csv[first.start : first.end]))[0]
    if "" in header or len(set(header)) < len(header):
        raise MalformedCsv(first.start, "a column name is missing or there twice")
    return header


def expected_values(csv: bytes, value_format: str, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The value that each row's record must have, in order; `value_format` is `json` or `raw`.

    Cells are strings, whatever they look like; an empty one is an empty string. A bad row raises MalformedCsv, at
    the latest when the rows before it in the same chunk are due.
    """
    if value_format not in ("json", "raw"):
        raise ValueError(f"value_format is {value_format!r}, not 'json' or 'raw'")
    header = read_header(csv)
    for rows in _chunks(islice(scan_rows(csv), 1, None), chunk_bytes):
        # Read in both formats: a row that has no cells to read has no bytes to send either.
        for row, cells in zip(rows, _read_cells(csv, rows, len(header)), strict=True):
            if value_format == "raw":
                yield csv[row.start : row.end]
            else:
                pairs = dict(zip(header, cells, strict=True))
                yield json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _chunks(rows: Iterable[RowBytes], chunk_bytes: int) -> Iterator[list[RowBytes]]:
    chunk: list[RowBytes] = []
    for row in rows:
        chunk.append(row)
        if row.line_end - chunk[0].start >= chunk_bytes:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _width(row: bytes) -> int:
    return len(re.findall(rb"(?:\A|,)%b(?=,|\Z)" % _CELL, row))


def _read_cells(csv: bytes, rows: list[RowBytes], width: int) -> list[tuple[str, ...]]:
    """The cells of neighbouring rows, as Arrow reads them: strings, never null, exactly as written.

    The chunk is one block for Arrow: where a border of its blocks falls between the CR and the LF of a quoted cell,
    it loses the LF or refuses the file (seen with pyarrow 26.0.1). It takes one BOM away, so it is given one: a first
    cell may begin with that character.
    """
    chunk = BOM + csv[rows[0].start : rows[-1].line_end]
    names = [f"f{column}" for column in range(width)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(chunk),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(chunk) + 1, use_threads=False),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as refused:
        raise MalformedCsv(rows[0].start, f"Arrow refuses these {len(rows)} rows: {refused}") from refused
    if table.num_rows != len(rows):
        raise MalformedCsv(rows[0].start, f"the two readings disagree: Arrow sees {table.num_rows} of {len(rows)} rows")
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
