"""CloudWatch's filter patterns, the part of the language that we use, on lines of a log.

Anything else is refused, so that no pattern counts as tried that was not understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_TERM = re.compile(r'\$\.(\w+) = "([^"*]*)"')


class UnknownPattern(ValueError):
    """The pattern uses more of the language than is known here."""


def values(pattern: str, value: str, lines: Sequence[bytes]) -> list[float]:
    """Return what a metric filter would publish for these lines: one number for each line that matches."""
    terms = _terms(pattern)
    found = []
    for line in lines:
        fields = _object(line)
        if any(fields.get(name) == wanted for name, wanted in terms):
            number = fields.get(value.removeprefix("$.")) if value.startswith("$.") else float(value)
            if isinstance(number, int | float):
                found.append(float(number))
    return found


def _terms(pattern: str) -> list[tuple[str, str]]:
    inner = re.fullmatch(r"\{ (.+) \}", pattern)
    parts = inner[1].split(" || ") if inner else [pattern]
    matches = [_TERM.fullmatch(part) for part in parts]
    if not all(matches):
        raise UnknownPattern(pattern)
    return [(match[1], match[2]) for match in matches if match]


def _object(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
