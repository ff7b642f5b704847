"""What is written into the group offset's metadata, and how it is read back; pure.

The offset itself is the row number, so that lag tools show rows; the metadata repeats it and adds what a resume
needs. Kafka takes up to 4,096 bytes of metadata (`offset.metadata.max.bytes`).
"""

from __future__ import annotations

import json
from typing import Any

from processor.model import CommittedPosition, ForeignPosition, InvalidValue, Pins, Position

VERSION = 1


def encode(committed: CommittedPosition) -> tuple[int, str]:
    """Return offset and metadata for a position."""
    position, pins = committed.position, committed.pins
    metadata = {
        "v": VERSION,
        "row": position.row,
        "byte_offset": position.byte_offset,
        "skipped": position.skipped,
        "etag": pins.etag,
        "version_id": pins.version_id,
        "shape": committed.shape,
        "last_offset": committed.last_offset,
    }
    if committed.resets:
        metadata["resets"] = committed.resets
    return position.row, json.dumps(metadata, separators=(",", ":"))


def decode(offset: int, metadata: str | None) -> CommittedPosition | ForeignPosition | None:
    """Return what an offset says; a negative one means that there is none."""
    if offset < 0:
        return None
    # librdkafka sends the terminating NUL of the string along in a transaction; other clients read it back as is.
    metadata = (metadata or "").rstrip("\0")
    if not metadata:
        return ForeignPosition(offset, "it has no metadata")
    try:
        said = json.loads(metadata)
        if said["v"] != VERSION:
            return ForeignPosition(offset, f"its metadata has version {said['v']!r}, this program knows {VERSION}")
        position = Position(*(_typed(said, name, int) for name in ("row", "byte_offset", "skipped")))
        pins = Pins(_typed(said, "etag", str), _typed(said, "version_id", str, type(None)))
        resets = _typed(said, "resets", int) if "resets" in said else 0
        last_offset = _typed(said, "last_offset", int)
        committed = CommittedPosition(position, pins, _typed(said, "shape", str), last_offset, resets)
    except (ValueError, KeyError, TypeError, RecursionError, InvalidValue) as error:
        return ForeignPosition(offset, f"its metadata cannot be read ({error!r}): {metadata[:200]}")
    if position.row != offset:
        return ForeignPosition(offset, f"its metadata says row {position.row}")
    return committed


def _typed(said: dict[str, Any], name: str, *types: type) -> Any:
    """Return a field as it was written; a number in words, a fraction or a truth value is somebody else's."""
    if type(said[name]) not in types:
        msg = f"{name} is {said[name]!r}"
        raise TypeError(msg)
    return said[name]
