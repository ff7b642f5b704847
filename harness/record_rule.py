"""What records hold beside their value, as a job of a test asks for it; and what the judge then compares.

The judge compares bytes. Where a job asks for nothing but values they are the values; else each record is told in bytes
that hold every part which the job asks for, and the value behind them. Shares no code with the processor.
"""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from random import Random

from harness.workload import Workload

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class RecordRule:
    """`key` and `timestamp` name columns; `position` asks for the headers `row` and `byte_offset`."""

    key: tuple[str, ...] = ()
    position: bool = False
    timestamp: str = ""

    def settings(self) -> dict[str, str]:
        """Return the variables that tell a processor so."""
        said = {}
        if self.key:
            said["RECORD_KEY"] = ",".join('"' + column.replace('"', '""') + '"' for column in self.key)
        if self.position:
            said["RECORD_HEADERS"] = "position"
        if self.timestamp:
            said["RECORD_TIMESTAMP"] = self.timestamp
        return said

    def told(self, value: bytes | None, *, key: bytes | None, headers: Headers, at_ms: int) -> bytes:
        """Return what is compared of a record, in a form that no other record has."""
        if self == RecordRule():
            return value or b""
        parts: list[object] = [_text(key)] if self.key else []
        if self.position:
            parts.append([[name, _text(text)] for name, text in headers])
        if self.timestamp:
            parts.append(at_ms)
        return json.dumps(parts).encode() + b" " + (value or b"")

    def expected(self, workload: Workload, value_format: str) -> tuple[bytes, ...]:
        """Return what is compared of each record that the workload must become."""
        values = workload.values(value_format)
        return tuple(self._expected(workload, row, value) for row, value in enumerate(values))

    def _expected(self, workload: Workload, row: int, value: bytes) -> bytes:
        cells = dict(zip(workload.header, workload.rows[row], strict=True))
        keys = [cells[column] for column in self.key]
        key = keys[0] if len(keys) == 1 else json.dumps(keys, ensure_ascii=False, separators=(",", ":"))
        start = workload.ranges[row].start
        number = row + bisect_left(workload.bad, start, key=attrgetter("start"))  # bad rows count
        headers = (("row", str(number).encode()), ("byte_offset", str(start).encode()))
        at_ms = _milliseconds(cells[self.timestamp]) if self.timestamp else 0
        return self.told(value, key=key.encode() if keys else None, headers=headers, at_ms=at_ms)


def draw_rule(random: Random, header: Sequence[str]) -> RecordRule:
    """A rule at random: two times in three nothing beside values, else a key, headers, or both."""
    if random.random() < 2 / 3:
        return RecordRule()
    columns = random.sample(header, random.randint(0, min(2, len(header))))
    return RecordRule(tuple(columns), position=not columns or random.choice((True, False)))


def _text(part: bytes | None) -> str | None:
    """Bytes as characters below 256: no two sequences of bytes have the same text."""
    return None if part is None else part.decode("latin-1")


def _milliseconds(cell: str) -> int:
    """The moment of a timestamp that a test wrote: digits, or ISO 8601 with its offset."""
    return int(cell) if cell.isdecimal() else round(datetime.fromisoformat(cell).timestamp() * 1000)
