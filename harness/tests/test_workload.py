"""A workload is what its seed says, and its ranges and values are those of its bytes."""

import json

import pytest

from harness.workload import BOM, Shape, Workload, Writing, generate

SEEDS = range(300)


@pytest.fixture(scope="module")
def workloads() -> list[Workload]:
    return [generate(seed, rows=seed % 50) for seed in SEEDS]


def test_same_seed_gives_the_same_workload() -> None:
    assert all(generate(seed, rows=20) == generate(seed, rows=20) for seed in range(20))
    assert generate(1).csv != generate(2).csv


def test_ranges_cover_the_rows_in_order_and_only_line_ends_lie_between(workloads: list[Workload]) -> None:
    for workload in workloads:
        at = 0
        for row in workload.ranges:
            assert at <= row.start <= row.end <= row.line_end
            assert workload.csv[row.end : row.line_end] in (b"\n", b"\r\n", b"")
            assert not at or not workload.csv[at : row.start].strip(b"\r\n")
            at = row.line_end
        assert not workload.ranges or not workload.csv[at:].strip(b"\r\n")


def test_json_values_hold_the_cells_in_header_order(workloads: list[Workload]) -> None:
    for workload in workloads:
        for value, row in zip(workload.values("json"), workload.rows, strict=True):
            assert list(json.loads(value).items()) == list(zip(workload.header, row, strict=True))


def test_seeds_meet_every_trait(workloads: list[Workload]) -> None:
    csv = b"\n".join(workload.csv for workload in workloads)
    assert all(mark.encode() in csv for mark in ('""', "\r\n", "\0", "é", "中", "😀", "e\u0301", "\ufeff"))
    assert any(workload.csv.startswith(BOM.encode()) for workload in workloads)
    assert any(not workload.csv.endswith(b"\n") for workload in workloads)
    assert any(len(workload.header) == 1 for workload in workloads)
    cells = [cell for workload in workloads for row in workload.rows for cell in row]
    assert all(any(mark in cell for cell in cells) for mark in ("\n", "\r\n", "\r", '"', ","))
    assert any(cell != cell.strip(" ") for cell in cells) and "" in cells
    assert any(not any(row) for workload in workloads for row in workload.rows)
    assert any(b"\n\n" in workload.csv for workload in workloads if not workload.shape.special_rate)
    assert any(a == b for workload in workloads for a, b in zip(workload.rows, workload.rows[1:], strict=False))
    assert any(len(cell) > 100_000 for cell in cells)


def test_first_row_of_a_file_without_a_header_does_not_begin_with_a_bom_of_its_own() -> None:
    shape = Shape(columns=2, writing=Writing(quote="", escape="\\", header=False))
    for seed in range(200):
        assert not generate(seed, rows=1, shape=shape).csv.startswith(BOM.encode()), seed


def test_huge_rows_are_as_large_as_asked() -> None:
    workload = generate(7, rows=3, shape=Shape(huge_rows=1, huge_row_bytes=3_000_000, repeat_rate=0.0))
    assert sum(row.end - row.start >= 3_000_000 for row in workload.ranges) == 1


def test_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="xml"):
        generate(1).values("xml")


def test_shape_without_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="no such shape"):
        Shape(columns=0)
