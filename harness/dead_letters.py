"""Reads the topic of bad rows as a committed reader does, headers too."""

from __future__ import annotations

from harness.partition import read


def dead_letters(bootstrap_servers: str, topic: str) -> list[tuple[bytes, dict[str, bytes]]]:
    """Return value and headers of each record, to the last stable offset as of this call. Raises TimedOut."""
    found = read(bootstrap_servers, topic, isolation="read_committed")
    return [(record.value or b"", dict(record.headers)) for record in found]
