"""A rate limit: how long a batch has to wait for its turn; pure."""

from __future__ import annotations

import math


class Pace:
    """Lets batches go at so many rows and bytes of values a second at most, on average from its first batch on."""

    def __init__(self, rows_per_s: float = math.inf, bytes_per_s: float = math.inf) -> None:
        self._rows_per_s, self._bytes_per_s = rows_per_s, bytes_per_s
        self._free_at = -math.inf

    def wait_s(self, now: float, *, rows: int, size_bytes: int) -> float:
        """Return the seconds from `now` until this batch may go, and count it as gone then."""
        begin = max(now, self._free_at)
        self._free_at = begin + max(rows / self._rows_per_s, size_bytes / self._bytes_per_s)
        return begin - now
