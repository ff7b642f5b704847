"""The evidence of a job since its last reset, with rows counted from the one that it was moved to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from harness.history import Attempt, Evidence, GroupOffset, Records, Step


def since_reset(evidence: Evidence, item: Mapping[str, Any], attempts: Iterable[Attempt]) -> Evidence:
    """Return what the judge is to see, where `attempts` are those since the reset."""
    first, row = int(item["start_offset"]), int(item["start_row"])
    since = [version for version in evidence.checkpoints if version.count("resets") == item["resets"]]
    return replace(
        evidence,
        expected=evidence.expected[row:],
        first_offset=first,
        committed=evidence.committed.since(first),
        uncommitted=None if evidence.uncommitted is None else evidence.uncommitted.since(first),
        live=None if evidence.live is None else Records.of(r for r in evidence.live if r.offset >= first),
        position=evidence.position and GroupOffset(evidence.position.offset - row),
        checkpoints=tuple(replace(v, attributes=_counted_from(v.attributes or {}, row)) for v in since),
        attempts=tuple(replace(a, steps=tuple(Step(_counted_from(s.fields, row)) for s in a.steps)) for a in attempts),
        strikes=(),
    )


def _counted_from(fields: Mapping[str, Any], row: int) -> dict[str, Any]:
    counted = {"last_line", "row"} | ({"rows"} if fields.get("status") == "COMPLETED" else set())
    return {name: int(value) - row if name in counted else value for name, value in fields.items()}
