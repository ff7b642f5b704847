"""Rows from S3 to the partition: the processor by setting, its parts alone, and peers, in rounds that alternate.

One plan for all of them measures round by round; pytest-benchmark is given the durations (`benchmarks.playback`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from benchmarks.alternate import Plan
from benchmarks.contestants import CONTESTANTS, contestants
from benchmarks.peers.peer import PeerUnavailable
from benchmarks.playback import TIMER, play_back
from benchmarks.runs import Run
from benchmarks.scale import chosen_scale
from harness.plugin import not_run

pytestmark = pytest.mark.broker
BY_NAME = {one.name: one for one in CONTESTANTS}


@pytest.mark.benchmark(group="end to end", timer=TIMER)
@pytest.mark.parametrize("name", [one.name for one in contestants(chosen_scale())])
def test_rows_from_s3_to_the_partition(name: str, end_to_end: Plan[Run], benchmark: Any) -> None:
    try:
        runs = end_to_end.rounds(name)
    except PeerUnavailable as why:
        not_run(name.partition(" ")[0], what=name, why=why)
    facts = {
        "figure": "end to end",
        "name": name,
        "role": BY_NAME[name].role,
        "settings": BY_NAME[name].settings(),
        "rows": runs[0].rows,
        "object_bytes": runs[0].object_bytes,
        "rounds": [asdict(run) for run in runs],
    }
    play_back(benchmark, [run.seconds for run in runs], facts)
