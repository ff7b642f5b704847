"""The template and the encoder call for each row give the same bytes, whatever stands in names and cells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.csv_rows import Slab
from processor.json_rows import JsonRows

CELLS = st.text(
    st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from('\0\n\r\t\x1f\x7f"\\%{}:,')), max_size=6
)
NAMES = st.lists(CELLS.filter(bool), min_size=1, max_size=4, unique=True)


def slab_of(rows: list[list[str]]) -> Slab:
    return Slab([cell for row in rows for cell in row], [0] * len(rows), [0] * len(rows), b"", 0)


def as_json(names: list[str], row: list[str]) -> bytes:
    """Encode with the standard library: another encoder than the two that are compared."""
    return json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, separators=(",", ":")).encode()


@given(st.data(), NAMES)
def test_every_row_is_encoded_as_the_standard_library_does(given_rows: st.DataObject, names: list[str]) -> None:
    rows = given_rows.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=5))
    assert JsonRows(tuple(names)).encode(slab_of(rows)) == [as_json(names, row) for row in rows]


@pytest.mark.parametrize("cell", [*map(chr, range(0x21)), '"', "\\", "\x7f", "\x80", "%s", "\u2028", "\U0001f600"])
def test_a_cell_that_json_escapes_is_escaped_among_cells_that_need_none(cell: str) -> None:
    names, rows = ["a", "b"], [["x", "y"], [f"<{cell}", "z"], ["x", cell], ["", "w"]]
    assert JsonRows(tuple(names)).encode(slab_of(rows)) == [as_json(names, row) for row in rows]


@pytest.mark.parametrize("name", ["%", "%s", "100%%", 'a "b"', "\\", "\n", "\0", "name, with", "größe"])
def test_a_name_may_hold_anything(name: str) -> None:
    names, rows = [name, "other"], [["1", "2"], ["", '"']]
    assert JsonRows(tuple(names)).encode(slab_of(rows)) == [as_json(names, row) for row in rows]
