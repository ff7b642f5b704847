"""The rows that all peers move, in the two forms that they can read."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import Prepared
from harness.oracle import expected_values

HEADER = "id,name,created,balance,state\n"


def rows_of_116_bytes(rows: int) -> bytes:
    """Return a CSV of plain ASCII whose rows make JSON values of about 116 bytes."""
    lines = (
        f"{row:07},customer no {row:07},2026-01-01T00:00:00Z,{row * 7 % 100_000:05}.00,active\n" for row in range(rows)
    )
    return (HEADER + "".join(lines)).encode()


def prepare(csv: bytes, folder: Path) -> Prepared:
    """Write both files into the folder; the values come from the judge's parser. Raises MalformedCsv."""
    prepared = Prepared(folder / "rows.csv", folder / "rows.lines", sum(1 for _ in expected_values(csv, "json")))
    prepared.csv.write_bytes(csv)
    with prepared.lines.open("wb") as lines:
        lines.writelines(value + b"\n" for value in expected_values(csv, "json"))
    return prepared
