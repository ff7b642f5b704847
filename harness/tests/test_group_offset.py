"""What is written into the group offset comes back; whatever else stands there is named foreign, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.group_offset import decode, encode
from processor.model import CommittedPosition, ForeignPosition, Pins, Position

PINS = Pins('"5d41-3"', "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")
COMMITTED = CommittedPosition(Position(17, 1_234, 2), PINS, "0a1b2c", 21)
METADATA = (
    '{"v":1,"row":17,"byte_offset":1234,"skipped":2,"etag":"\\"5d41-3\\"",'
    '"version_id":"3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY","shape":"0a1b2c","last_offset":21}'
)


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(METADATA), **fields})


def without(name: str) -> str:
    return json.dumps({key: value for key, value in json.loads(METADATA).items() if key != name})


def test_offset_is_the_row_and_the_metadata_is_what_other_versions_read() -> None:
    assert encode(COMMITTED) == (17, METADATA)
    assert decode(17, METADATA) == COMMITTED


positions = st.builds(
    lambda row, byte_offset, share: Position(row, byte_offset, row * share // 100),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
    st.integers(0, 100),
)
pins = st.builds(Pins, st.text(min_size=1), st.none() | st.text())


@given(st.builds(CommittedPosition, positions, pins, st.text(), st.integers(-1, 2**62), st.integers(0, 2**31)))
def test_any_position_comes_back_as_it_was_written(committed: CommittedPosition) -> None:
    offset, metadata = encode(committed)
    assert decode(offset, metadata) == committed
    assert metadata.isascii()


def test_metadata_of_the_longest_pins_stays_below_kafkas_limit() -> None:
    longest = Pins('"' + "f" * 64 + '"', "v" * 1_024)
    committed = CommittedPosition(Position(2**62, 2**62, 2**62), longest, "f" * 64, 2**62, 2**62)
    assert len(encode(committed)[1]) < 4_096


@pytest.mark.parametrize("nul", ["\0", "\0\0"])
def test_trailing_nul_of_librdkafka_is_no_part_of_the_metadata(nul: str) -> None:
    assert decode(17, METADATA + nul) == COMMITTED


@pytest.mark.parametrize("metadata", [None, "", METADATA])
@pytest.mark.parametrize("offset", [-1, -1001])
def test_negative_offset_is_no_position(offset: int, metadata: str | None) -> None:
    assert decode(offset, metadata) is None


@pytest.mark.parametrize("metadata", [None, "", "\0"])
def test_offset_without_metadata_is_foreign(metadata: str | None) -> None:
    assert decode(0, metadata) == ForeignPosition(0, "it has no metadata")


@pytest.mark.parametrize("offset", [0, 16, 18])
def test_row_that_is_not_the_offset_is_foreign(offset: int) -> None:
    assert decode(offset, METADATA) == ForeignPosition(offset, "its metadata says row 17")


@pytest.mark.parametrize("version", [0, 2, "1", None, [1]])
def test_other_version_is_foreign_and_named(version: object) -> None:
    found = decode(17, changed(v=version))
    assert isinstance(found, ForeignPosition)
    assert f"version {version!r}" in found.why


FOREIGN = {
    "a_word": "consumer-1",
    "a_number": "17",
    "a_string": '"17"',
    "null": "null",
    "a_list": "[1,2]",
    "another_object": '{"lag":0}',
    "cut_off": METADATA[:-5],
    "twice": METADATA * 2,
    "nul_in_the_middle": METADATA[:20] + "\0" + METADATA[20:],
    "not_a_number": changed(row=17).replace("17", "NaN"),
    "infinite": changed(row=17).replace("17", "Infinity"),
    "too_large_for_a_float": changed(byte_offset=1).replace('"byte_offset": 1', '"byte_offset": 1e999'),
    "many_digits": changed(row=17).replace("17", "1" * 5_000),
    "nested_deeply": "[" * 4_000,
    "nested_deeply_inside": changed(etag=0).replace('"etag": 0', '"etag": ' + '{"a":' * 3_000),
    "negative_row": changed(row=-17),
    "more_skipped_than_rows": changed(skipped=18),
    "negative_byte_offset": changed(byte_offset=-1),
    "row_with_a_fraction": changed(row=17.5),
    "row_in_words": changed(row="17"),
    "byte_offset_true": changed(byte_offset=True),
    "skipped_null": changed(skipped=None),
    "etag_empty": changed(etag=""),
    "etag_null": changed(etag=None),
    "etag_list": changed(etag=["x"]),
    "version_id_number": changed(version_id=5),
    "shape_null": changed(shape=None),
    **{f"without_{name}": without(name) for name in json.loads(METADATA)},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_metadata_that_this_program_did_not_write_is_foreign(name: str) -> None:
    assert isinstance(decode(17, FOREIGN[name]), ForeignPosition)


def test_reason_quotes_no_more_than_a_line_of_the_metadata() -> None:
    found = decode(17, "x" * 4_000)
    assert isinstance(found, ForeignPosition)
    assert "xxx" in found.why and len(found.why) < 500


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(), st.text() | json_values.map(json.dumps))
def test_no_text_makes_it_raise(offset: int, metadata: str) -> None:
    found = decode(offset, metadata)
    assert found is None if offset < 0 else isinstance(found, ForeignPosition)


@given(st.dictionaries(st.sampled_from(sorted(json.loads(METADATA))), json_values))
def test_no_value_of_a_known_field_makes_it_raise(fields: dict[str, object]) -> None:
    found = decode(17, changed(**fields))
    assert isinstance(found, CommittedPosition | ForeignPosition)
