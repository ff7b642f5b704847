"""The rows that all peers move, in the two forms that they can read."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import Prepared
from harness.oracle import expected_values


def prepare(csv: bytes, folder: Path) -> Prepared:
    """Write both files into the folder; the values come from the judge's parser. Raises MalformedCsv."""
    prepared = Prepared(folder / "rows.csv", folder / "rows.lines", sum(1 for _ in expected_values(csv, "json")))
    prepared.csv.write_bytes(csv)
    with prepared.lines.open("wb") as lines:
        lines.writelines(value + b"\n" for value in expected_values(csv, "json"))
    return prepared
