"""What a committed reader finds in the partition after a peer's run; a peer that lost or repeated rows is marked."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.peers.peer import Prepared
from harness.checks.differences import find_differences
from harness.partition import read

READ_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows are visible, and how that differs from the prepared ones; `strange` records are no row."""

    visible: int
    lost: int = 0
    repeated: int = 0
    out_of_place: int = 0
    strange: int = 0

    @property
    def mark(self) -> str:
        """Return what is wrong, for a table; nothing where every row is there once, in order."""
        wrong = {name: getattr(self, name) for name in ("lost", "repeated", "out_of_place", "strange")}
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in wrong.items() if count)


def count_rows(bootstrap_servers: str, topic: str, prepared: Prepared, *, in_order: bool = True) -> Count:
    """Read the topic with read_committed to its end and compare it with the prepared rows.

    Without `in_order`, only their number is compared, and that each is one of the rows. Raises TimedOut.
    """
    expected = tuple(prepared.lines.read_bytes().splitlines())
    records = read(bootstrap_servers, topic, isolation="read_committed", within_s=READ_WITHIN_S)
    seen = tuple(record.value or b"" for record in records)
    if not in_order:
        known = frozenset(expected)
        more = len(seen) - len(expected)
        strange = sum(value not in known for value in seen)
        return Count(len(seen), lost=max(-more, 0), repeated=max(more, 0), strange=strange)
    found = find_differences(expected, seen)
    return Count(
        len(seen),
        lost=sum(missing.rows for missing in found.missing) + len(found.replaced),
        repeated=sum(copied.rows for copied in found.repeated),
        out_of_place=sum(copied.rows for copied in found.moved),
        strange=sum(strange.records for strange in found.strange) + len(found.replaced),
    )
