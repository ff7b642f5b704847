"""The table of chaos/README.md, made from the record."""

from __future__ import annotations

from chaos.track_record.bugs import BUGS


def readme_table() -> str:
    """Return the table of chaos/README.md."""
    lines = ["| bug | found by | shown again by |", "|---|---|---|"]
    for bug in BUGS:
        shown = "; ".join(map(str, bug.shown_by))
        lines.append(f"| `{bug.name}`: {bug.what} | {bug.found_by} | {shown} |")
    return "\n".join(lines)
