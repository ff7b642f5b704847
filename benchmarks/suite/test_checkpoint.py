"""One checkpoint saved: a conditional write to DynamoDB, which moto plays in this very process.

So it is moto's time for the most part; what is ours in it shows when a change makes it more.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from benchmarks.stage import BUCKET, Stage
from processor.assembly import build_checkpoints
from processor.model import Destination, JobStart, Pins, Position
from processor.settings import load


@pytest.mark.broker
@pytest.mark.benchmark(group="checkpoint")
def test_save_one_checkpoint(stage: Stage, aws: None, benchmark: Any) -> None:
    url = f"s3://{BUCKET}/rows.csv"
    checkpoints = build_checkpoints(load({}, stage.world.environment(topic="rows", source=url, job_id="checkpoint")))
    checkpoints.claim()
    start = JobStart(url, Pins('"etag"'), "shape", Destination("cluster", "topic", 0), 0)
    checkpoints.begin(start, Position(0, 0))
    rows = count(1)

    def save() -> None:
        row = next(rows)
        checkpoints.save(Position(row, row), next_offset=row)

    benchmark.extra_info.update(figure="checkpoint", name="one checkpoint saved", settings={}, rows=1, object_bytes=0)
    benchmark(save)
    saved = checkpoints.read()
    assert saved is not None
    assert saved.position.row == next(rows) - 1
