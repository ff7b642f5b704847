"""What a record carries beside its value: a key, headers, a timestamp; pure. By default there is nothing.

A record's *imprint* is what is compared when records are read back: its value, or where the job gives records more than
that, all that it gives. Two records have the same imprint only if they are the same in each of these parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

ROW_HEADER, BYTE_HEADER = "row", "byte_offset"
LAST_MS = 253_402_300_799_999  # the end of the year 9999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DIGITS = re.compile(r"[0-9]{1,15}")
# One form of ISO 8601, so that a later Python that reads more forms does not make other records.
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


@dataclass(frozen=True, slots=True)
class RecordParts:
    """Which parts a job gives its records beside the value.

    `key`: the columns that make it, none of them for a null key. `position`: whether there are the headers `row` and
    `byte_offset`. `timestamp`: the column that gives it, "" for the client's clock.
    """

    key: tuple[str, ...] = ()
    position: bool = False
    timestamp: str = ""

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self != RecordParts()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that make parts; a row's cells are needed where there are any."""
        return (*self.key, *([self.timestamp] if self.timestamp else []))

    def imprint(self, value: bytes | None, *, key: bytes | None, headers: Headers, timestamp_ms: int) -> bytes:
        """Return the imprint of a record that was read."""
        parts: dict[str, object] = {}
        if self.key:
            parts["key"] = key
        if self.position:
            parts["headers"] = headers
        if self.timestamp:
            parts["timestamp_ms"] = timestamp_ms
        return imprint(value or b"", parts)


def imprint(value: bytes, parts: dict[str, object]) -> bytes:
    """Return the value behind the other parts, in their order: a form that ends each of them, whatever they hold."""
    said = "".join(f"{name}={part!r} " for name, part in parts.items())
    return said.encode() + value


def position_headers(row: int, byte_offset: int) -> Headers:
    """Return the headers that say where a row stands: its number and its first byte, in decimal ASCII."""
    return ((ROW_HEADER, b"%d" % row), (BYTE_HEADER, b"%d" % byte_offset))


def timestamp_ms(cell: str) -> int:
    """Return the milliseconds since 1970 that a cell says. Raises ValueError.

    Digits alone are milliseconds since 1970; anything else is ISO 8601, a date or a date and a time, in UTC unless
    there is an offset. What is finer than a millisecond is cut off. Kafka's clients have no moment before or at the
    beginning of 1970: librdkafka takes 0 for "now".
    """
    if _DIGITS.fullmatch(cell):
        moment_ms = int(cell)
    elif _ISO.fullmatch(cell):
        moment_ms = _iso_ms(cell)
    else:
        raise ValueError("neither ISO 8601 nor milliseconds since 1970")
    if not 0 < moment_ms <= LAST_MS:
        raise ValueError("not between the years 1970 and 9999")
    return moment_ms


def _iso_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("there is no such moment") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND
