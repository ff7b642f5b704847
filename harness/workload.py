"""Seed → CSV bytes and their truth: what the rows are is known because they were made, not because they were read.

The same seed and the same knobs always give the same bytes. Nothing here parses CSV. `bad_lines` makes the bad rows.
"""

import json
from dataclasses import dataclass, replace
from random import Random

from harness.bad_lines import Line, make_bad_lines, make_open_end

BOM = "\ufeff"
PIECES = (
    *("a", "b", "row", "42", "0.10", "-7", "true", "null", "NA", "1e9", "2024-02-29", "   ", " ", "\t", ";", "'", "\\"),
    *("é", "ß", "Ж", "中文", "\ufeff", "\u2028", "\u00a0", "😀", "👩\u200d🚀", "e\u0301", "\u0628\u0651"),
)
PLAIN_PIECES = ("a", "b", "row", "42", "0.10", "-7", "true", "null", "2024-02-29", "x y")
QUOTED_PIECES = (",", '"', '""', "\n", "\r\n", "\r", '",\n"')


@dataclass(frozen=True, slots=True)
class Writing:
    """How cells are written, unless as in RFC 4180; "" is none. Without a header columns are c1, c2 and so on."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    comment: str = ""  # lines that begin with it stand between rows
    encoding: str = "utf-8"
    header: bool = True

    def settings(self, header: tuple[str, ...]) -> dict[str, str]:
        """Return the variables that tell a processor so."""
        return {
            "CSV_DELIMITER": "tab" if self.delimiter == "\t" else self.delimiter,
            "CSV_QUOTE": self.quote or "none",
            "CSV_ESCAPE": self.escape or "none",
            "CSV_COMMENT": self.comment or "none",
            "CSV_ENCODING": self.encoding,
            **({} if self.header else {"CSV_COLUMNS": ",".join(header)}),
        }


WRITINGS = (
    Writing(),
    Writing(delimiter=";", encoding="cp1252"),
    Writing(delimiter="\t", quote="", encoding="latin-1", header=False),
    Writing(delimiter="|", quote="'", escape="\\", comment="#"),
    Writing(quote="", escape="\\", header=False),
    Writing(escape="!", comment="%", header=False),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a workload is like. Rates are probabilities, per cell or per row."""

    columns: int = 4
    line_ends: tuple[str, ...] = ("\n",)
    bom: bool = False
    last_newline: bool = True
    multibyte: bool = True
    special_rate: float = 0.2  # cells that must be quoted: delimiters, quotes, newlines inside
    quoted_rate: float = 0.2  # cells quoted without need
    empty_rate: float = 0.1  # empty cells
    inner_quote_rate: float = 0.05  # unquoted cells with a quote that is not their first character
    nul_rate: float = 0.02  # cells with a NUL
    empty_row_rate: float = 0.02  # rows of empty cells only
    blank_line_rate: float = 0.05  # rows with a blank line after them
    repeat_rate: float = 0.1  # rows equal to the row before them
    huge_rows: int = 0  # rows with a cell of `huge_row_bytes`
    huge_row_bytes: int = 65_536
    writing: Writing = Writing()
    bad_rate: float = 0.0  # rows with bad ones before them
    max_row_bytes: int = 0  # that the run is told; where it is above 0 there are rows above it

    def __post_init__(self) -> None:
        if self.columns < 1 or not set(self.line_ends) <= {"\n", "\r\n"} or not self.line_ends:
            raise ValueError(f"no such shape: {self}")


@dataclass(frozen=True, slots=True)
class RowRange:
    """The bytes of a row: [start, end) without its line end, [start, line_end) with it."""

    start: int
    end: int
    line_end: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A CSV object and its truth. `rows` and `ranges` are the good rows after the header, in file order.

    `bad` are the others, between them; they have no record where a run skips them.
    """

    name: str
    seed: int
    shape: Shape
    csv: bytes
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ranges: tuple[RowRange, ...]
    bad: tuple[RowRange, ...] = ()

    def values(self, value_format: str) -> tuple[bytes, ...]:
        """The value that each row's record must have: `json` or `raw`."""
        if value_format == "raw":
            return tuple(self.csv[row.start : row.end] for row in self.ranges)
        if value_format != "json":
            raise ValueError(f"value_format is {value_format!r}, not 'json' or 'raw'")
        return tuple(
            json.dumps(dict(zip(self.header, row, strict=True)), ensure_ascii=False, separators=(",", ":")).encode()
            for row in self.rows
        )


def generate(seed: int, *, rows: int = 200, shape: Shape | None = None) -> Workload:
    """The workload of this seed: `rows` rows of the given shape, or of a shape that the seed picks too."""
    random = Random(seed)
    picked = pick_shape(random)
    shape = picked if shape is None else shape
    header = _make_header(random, shape)
    made: list[tuple[str, ...]] = []
    huge = set(random.sample(range(rows), min(shape.huge_rows, rows)))
    for row in range(rows):
        if row in huge:
            made.append(_make_huge_row(random, shape))
        elif made and random.random() < shape.repeat_rate:
            made.append(made[-1])
        else:
            made.append(_make_row(random, shape))
    if shape.writing != Writing():
        made = [tuple(_writable(shape.writing, cell, alone=len(row) == 1) for cell in row) for row in made]
    if made and not shape.writing.header:
        made[0] = _at_the_start(made[0])
    csv, ranges = _write(random, shape, [header, *made] if shape.writing.header else made)
    kept = ranges[1:] if shape.writing.header else ranges
    workload = Workload(f"seed-{seed}-rows-{rows}", seed, shape, csv, header, tuple(made), tuple(kept))
    return with_bad_rows(workload) if shape.bad_rate else workload


def with_bad_rows(workload: Workload) -> Workload:
    """Put bad rows between the rows, before the first and behind the last, and the good ones that some need."""
    random, shape = Random(f"{workload.seed}/bad"), workload.shape
    csv, rows = bytearray(), list[tuple[str, ...]]()
    ranges, bad = list[RowRange](), list[RowRange]()
    taken = 0

    def put(lines: list[Line]) -> None:
        for line in lines:
            at = len(csv) + len(line.text)
            (bad if line.cells is None else ranges).append(RowRange(len(csv), at, at + len(line.end)))
            rows.extend([] if line.cells is None else [line.cells])
            csv.extend(line.text + line.end)

    for cells, place in zip(workload.rows, workload.ranges, strict=True):
        csv += workload.csv[taken : place.start]
        if random.random() < shape.bad_rate:
            put(make_bad_lines(random, shape.writing, shape.columns, shape.max_row_bytes))
        put([Line(workload.csv[place.start : place.end], workload.csv[place.end : place.line_end], cells)])
        taken = place.line_end
    csv += workload.csv[taken:]
    if csv.endswith(b"\n"):
        put(make_bad_lines(random, shape.writing, shape.columns, shape.max_row_bytes))
        put(make_open_end(random, shape.writing, shape.columns) if shape.writing.quote else [])
    return replace(workload, csv=bytes(csv), rows=tuple(rows), ranges=tuple(ranges), bad=tuple(bad))


def pick_shape(random: Random) -> Shape:
    """A shape at random: most have a bit of everything, some are plain, some have a single column."""
    shape = Shape(
        columns=random.choice((1, 1, 2, 3, 5, 12)),
        line_ends=random.choice((("\n",), ("\r\n",), ("\n", "\r\n"))),
        bom=random.choice((True, False, False)),
        last_newline=random.choice((True, False)),
        repeat_rate=random.choice((0.0, 0.1, 0.9)),
        huge_rows=random.choice((0, 0, 0, 1, 2)),
        huge_row_bytes=random.choice((5_000, 70_000, 200_000)),
    )
    if random.choice((True, False, False, False)):
        return replace(shape, multibyte=False, special_rate=0.0, nul_rate=0.0, inner_quote_rate=0.0)
    return shape


def _make_header(random: Random, shape: Shape) -> tuple[str, ...]:
    names = [f"{_make_text(random, shape, 2)}{column}" for column in range(shape.columns)]
    if random.random() < shape.special_rate:
        names[-1] += random.choice(QUOTED_PIECES)
    if not shape.writing.header:
        return tuple(f"c{column}" for column in range(1, shape.columns + 1))
    return _at_the_start(tuple(_writable(shape.writing, name, alone=len(names) == 1) for name in names))


def _at_the_start(row: tuple[str, ...]) -> tuple[str, ...]:
    """The row with something before that character: at the start of a file it is a BOM, whatever was meant by it."""
    return (f"-{row[0]}", *row[1:]) if row[0].startswith(BOM) else row


def _make_row(random: Random, shape: Shape) -> tuple[str, ...]:
    if random.random() < shape.empty_row_rate:
        return ("",) * shape.columns
    return tuple(_make_cell(random, shape) for _ in range(shape.columns))


def _make_huge_row(random: Random, shape: Shape) -> tuple[str, ...]:
    row = [_make_cell(random, shape) for _ in range(shape.columns)]
    piece = _make_text(random, shape, 20) + _make_special(random, shape)
    times = shape.huge_row_bytes // len(piece.encode()) + 1
    row[random.randrange(shape.columns)] = piece * times
    return tuple(row)


def _make_cell(random: Random, shape: Shape) -> str:
    if random.random() < shape.empty_rate:
        return ""
    text = _make_text(random, shape, random.randint(1, 5))
    if random.random() < shape.special_rate:
        return _make_special(random, shape) + random.choice(("", text))
    if random.random() < shape.inner_quote_rate:
        text += random.choice(('"', '""', 'x"y'))
    if random.random() < shape.nul_rate:
        text = random.choice(("\0" + text, text + "\0"))
    return text


def _make_text(random: Random, shape: Shape, pieces: int) -> str:
    return "".join(random.choice(PIECES if shape.multibyte else PLAIN_PIECES) for _ in range(pieces))


def _make_special(random: Random, shape: Shape) -> str:
    if shape.special_rate == 0:
        return ""
    return "".join(random.choice((*QUOTED_PIECES, "z", " ")) for _ in range(random.randint(1, 4)))


def _write(random: Random, shape: Shape, rows: list[tuple[str, ...]]) -> tuple[bytes, list[RowRange]]:
    """The bytes of the file, and where each row lies in them."""
    parts = [BOM.encode()] if shape.bom else []
    at = sum(map(len, parts))
    ranges = []
    for number, row in enumerate(rows):
        cells = [_write_cell(random, shape, cell, alone=len(row) == 1, first=not n) for n, cell in enumerate(row)]
        text = shape.writing.delimiter.join(cells).encode(shape.writing.encoding)
        # Behind an escaped line feed, the end of the file would leave the row without an end.
        last = number == len(rows) - 1 and text[-1:] != b"\n"
        line_end = b"" if last and not shape.last_newline else random.choice(shape.line_ends).encode()
        blank = b""
        if line_end and random.random() < shape.blank_line_rate:
            blank = random.choice(shape.line_ends).encode() * random.randint(1, 3)
            if shape.writing.comment:
                blank += f"{shape.writing.comment} \"no, 'row\n".encode()
        ranges.append(RowRange(at, at + len(text), at + len(text) + len(line_end)))
        parts += [text, line_end, blank]
        at += len(text) + len(line_end) + len(blank)
    return b"".join(parts), ranges


def _write_cell(random: Random, shape: Shape, cell: str, *, alone: bool, first: bool) -> str:
    """The cell as it stands in the file; an empty cell that is alone in its row needs quotes, or it is a blank line."""
    writing = shape.writing
    quote, escape = writing.quote, writing.escape
    marks = f"{writing.delimiter}\r\n"
    commented = bool(first and writing.comment and cell.startswith(writing.comment))
    must = commented or cell.startswith(quote or "\n") or any(mark in cell for mark in marks) or (alone and not cell)
    if escape:
        cell = cell.replace(escape, 2 * escape)
    if not quote:
        # Nothing else can keep a delimiter or a line end in a cell, and `_writable` left what this can.
        return "".join(escape + sign if sign in marks else sign for sign in cell)
    if must or random.random() < shape.quoted_rate:
        doubled = quote if not escape or random.random() < 0.5 else escape  # noqa: PLR2004  # as often as not
        return quote + cell.replace(quote, doubled + quote) + quote
    return cell


def _writable(writing: Writing, cell: str, *, alone: bool) -> str:
    """The cell without what its writing has no way to write."""
    cell = cell.encode(writing.encoding, "replace").decode(writing.encoding)
    if writing.quote:
        return cell
    cell = cell.replace("\r", "")  # an escaped carriage return is a bad row
    if not writing.escape:
        cell = cell.replace(writing.delimiter, "").replace("\n", "")
    return "-" if alone and not cell else cell
