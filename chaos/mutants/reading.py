"""Mutants that read, parse or encode the object wrongly."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from chaos.mutants.real import Real
from chaos.mutants.registry import Change, mutant
from chaos.mutants.trials import Trial, mixed, numbered, repeating, replaced_between_runs, replaced_in_mid_run, unended
from processor.careful_rows import LINE_FEED, Slab
from processor.model import Batch, Fault, Position, SourceObject, ValueFormat

ENCODER = "processor.csv_source._encoder"
PLAIN, MIXED = Trial(numbered), Trial(mixed, interval_rows=7)
LONGEST_VALUE_BYTES = 60


@mutant("processor.csv_source._gather", expected="Truncated", trial=PLAIN, real=Real())
def drops_the_last_partial_batch(original: Any) -> Any:
    """Yields a batch only when it is full, and forgets the rest at the end of the object."""

    def gather(encoded: Any, start: Position, limits: Any, clock: Any) -> Iterator[Batch]:
        batches: Iterator[Batch] = original(encoded, start, limits, clock)
        return (batch for batch in batches if len(batch.values) >= limits.interval_rows)

    return gather


@mutant("processor.csv_rows._Pieces.more", expected="Truncated", trial=Trial(unended), real=Real())
def drops_a_last_row_without_newline(original: Any) -> Any:
    """Takes only what ends with a line feed for a row."""

    def more(self: Any) -> tuple[bytes, bool]:
        buffer, final = original(self)
        return (buffer[: buffer.rfind(LINE_FEED) + 1] if final else buffer), final

    return more


@mutant("processor.csv_source._Gathered.batch", expected="Reordered", trial=PLAIN, real=Real())
def swaps_two_rows(original: Any) -> Any:
    """Exchanges the first two rows of the second batch, as two requests in flight may."""

    def batch(self: Any) -> Batch:
        gathered: Batch = original(self)
        if gathered.start.row == 0 or len(gathered.values) < 2:  # noqa: PLR2004  # it takes two to be exchanged
            return gathered
        first, second, *rest = gathered.values
        return replace(gathered, values=[second, first, *rest])

    return batch


@mutant("processor.csv_source._Gathered.batch", expected="Lost", trial=Trial(repeating), real=Real())
def skips_rows_that_repeat(original: Any) -> Any:
    """Takes a row that equals the one before it for a repetition of its own, and counts it as skipped."""

    def batch(self: Any) -> Batch:
        gathered: Batch = original(self)
        values = list(gathered.values)
        kept = [i for i, value in enumerate(values) if i == 0 or value != values[i - 1]]
        ends = gathered.byte_ends
        left = [i for i in range(len(values)) if i not in kept]
        return replace(
            gathered,
            end=replace(gathered.end, skipped=gathered.start.skipped + len(left)),
            values=[values[i] for i in kept],
            byte_ends=[ends[i] for i in kept],
            faults=[Fault(gathered.start.row + i, ends[i], ends[i], "a repetition") for i in left],
        )

    return batch


@mutant(ENCODER, expected="Altered", trial=MIXED, real=Real())
def cuts_long_values(original: Any) -> Any:
    """Cuts values at a length."""

    def encoder(*settings: Any) -> Any:
        encode = original(*settings)

        def cut(slab: Slab) -> tuple[list[bytes], list[int]]:
            values, ends = encode(slab)
            return [value[:LONGEST_VALUE_BYTES] for value in values], ends

        return cut

    return encoder


def _with_cells(change: Callable[[str], object]) -> Change:
    """Return the encoder that changes each cell first."""

    def make(original: Any) -> Any:
        def encoder(value_format: ValueFormat, names: tuple[str, ...]) -> Any:
            def changed(slab: Slab) -> tuple[list[bytes], list[int]]:
                rows = ([change(cell) for cell in row] for row in slab.rows())
                return [orjson.dumps(dict(zip(names, row, strict=True))) for row in rows], slab.ends

            return original(value_format, names) if value_format is ValueFormat.RAW else changed

        return encoder

    return make


@mutant(ENCODER, expected="Altered", trial=MIXED, real=Real())
def decodes_as_latin_1(original: Any) -> Any:
    """Reads the object's bytes as Latin-1."""
    return _with_cells(lambda cell: cell.encode().decode("latin-1"))(original)


@mutant(ENCODER, expected="Altered", trial=MIXED, real=Real())
def makes_empty_cells_null(original: Any) -> Any:
    """Writes null for an empty cell."""
    return _with_cells(lambda cell: cell or None)(original)


@mutant(ENCODER, expected="Altered", trial=MIXED, real=Real())
def strips_cells(original: Any) -> Any:
    """Takes the spaces off both ends of a cell."""
    return _with_cells(str.strip)(original)


@mutant(ENCODER, expected="Altered", trial=PLAIN, real=Real())
def makes_numbers_of_cells(original: Any) -> Any:
    """Writes a number for a cell that looks like one."""
    return _with_cells(lambda cell: int(cell) if cell.isdecimal() else cell)(original)


@mutant(ENCODER, expected="Altered", trial=MIXED, real=Real())
def normalises_unicode(original: Any) -> Any:
    """Composes characters that the object spells with a combining mark."""
    return _with_cells(lambda cell: unicodedata.normalize("NFC", cell))(original)


@mutant("processor.csv_rows.BOM", expected="Altered", trial=MIXED, real=Real())
def keeps_the_bom(_original: Any) -> Any:
    """Takes the byte order mark for the beginning of the first column's name."""
    return b"no object begins so"


def _raw_with_carriage_return(_original: Any) -> Any:
    def raw(self: Slab) -> list[bytes]:
        ranges = zip(self.starts, self.ends, strict=True)
        return [self.lines[start - self.base : end - self.base].removesuffix(LINE_FEED) for start, end in ranges]

    return raw


@mutant(
    ENCODER,
    expected="Altered",
    trial=MIXED,
    real=Real(),
    also={"processor.csv_rows.Slab.raw": _raw_with_carriage_return},
)
def keeps_carriage_returns(original: Any) -> Any:
    """Takes off the line feed of a row that ends with CRLF, and leaves the carriage return in its last cell."""

    def encoder(*settings: Any) -> Any:
        encode = original(*settings)

        def kept(slab: Slab) -> Any:
            ends = [slab.lines[: end - slab.base].endswith(b"\r\n") for end in slab.ends]
            rows = ([*row[:-1], row[-1] + "\r" * crlf] for row, crlf in zip(slab.rows(), ends, strict=True))
            return encode(replace(slab, cells=[cell for row in rows for cell in row]))

        return kept

    return encoder


@mutant("processor.csv_source.CsvSource.describe", expected="Phantom", trial=PLAIN, real=Real())
def sends_the_header(original: Any) -> Any:
    """Starts at the first byte of the object, so that the header becomes a record."""

    def describe(self: Any, pins: Any) -> SourceObject:
        found: SourceObject = original(self, pins)
        return replace(found, first_row_byte=0)

    return describe


def _get_without_condition(original: Any) -> Any:
    def part(self: Any, start: int, end: int) -> Iterator[bytes]:
        newest = self._client.head_object(Bucket=self._bucket, Key=self._key)
        self._pins = replace(self._pins, etag=newest["ETag"], version_id=None)
        yield from original(self, start, end)

    return part


@mutant(
    "harness.fakes.object_bytes.FakeObject._chunks",
    expected="Altered",
    trial=Trial(numbered, event="the object is replaced in mid-run", play=replaced_in_mid_run),
    real="another object of the same size is put between two GETs: over 64 KiB, unversioned bucket",
    also={"processor.source_s3.S3Object._part": _get_without_condition},
)
def reads_on_without_if_match(_original: Any) -> Any:
    """Reads each part of the newest object, whichever it is, so an object replaced in mid-run is read on."""

    def chunks(self: Any, described: Any, byte_offset: int, **_fault: Any) -> Iterator[bytes]:
        for start in range(byte_offset, len(described.body), self._chunk_bytes):
            yield self._key.find(None).body[start : start + self._chunk_bytes]

    return chunks


def _check_nothing(_original: Any) -> Any:
    return lambda *_facts, **_more: None


@mutant(
    "processor.resume._check_position",
    expected="Altered",
    trial=Trial(
        numbered,
        faults=("sink.send:3 crashes before",),
        event="the second run finds another object",
        play=replaced_between_runs,
    ),
    real="step:saved:2, then another object of the same size is put",
    also={"processor.resume._check_start": _check_nothing},
)
def resumes_in_another_object(original: Any) -> Any:
    """Goes on at the byte of the position without a look at the ETag it was written for."""
    return _check_nothing(original)
