"""The job whose checkpoint the contract tests write."""

from __future__ import annotations

from processor.model import Destination, JobStart, Lease, Pins, Position
from processor.ports import Checkpoints

START = JobStart(
    source_url="s3://bucket/rows ü.csv",
    pins=Pins('"etag-é"', "v.1"),
    shape="shape-1",
    destination=Destination("cluster-1", "topic-id-1", 3),
    start_offset=17,
)
BEGINNING = Position(0, 12)
LATER = Position(10, 120, skipped=2)


def lease_of(run: Checkpoints) -> Lease | None:
    """Return the lease as it stands."""
    checkpoint = run.read()
    return None if checkpoint is None else checkpoint.lease
