"""Peak memory of the processor by the size of its object, and whether the rate stays what it is over gigabytes.

The sizes alternate, the largest object is read once; pytest-benchmark is given the durations (`benchmarks.playback`).
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task
from benchmarks.contestants import CLIENTS, Variant
from benchmarks.made_csv import MadeCsv
from benchmarks.playback import TIMER, play_back
from benchmarks.runs import Run, run_processor
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import Stage

pytestmark = pytest.mark.broker
WIDTH = 1_000  # 10 GB in minutes rather than hours


def object_of(size_bytes: int) -> MadeCsv:
    """Return the object of about this size."""
    return MadeCsv("rows", WIDTH, size_bytes // WIDTH)


@pytest.fixture(scope="module")
def by_size(stage: Stage, scale: Scale) -> Plan[Run]:
    """Every client with every size."""
    tasks: dict[str, Task[Run]] = {}
    for size_bytes in scale.memory_bytes:
        for client in CLIENTS:
            settings = Variant(client, compression="lz4").environment()
            run = partial(run_processor, stage, object_of(size_bytes), settings)
            tasks[f"{client} {size_bytes}"] = Task(run, single=size_bytes >= scale.single_round_from_bytes)
    return Plan(tasks, scale, say=print)


@pytest.mark.benchmark(group="size", timer=TIMER)
@pytest.mark.parametrize("size_bytes", chosen_scale().memory_bytes)
@pytest.mark.parametrize("client", CLIENTS)
def test_memory_and_rate_by_size_of_the_object(
    client: str, size_bytes: int, by_size: Plan[Run], benchmark: Any
) -> None:
    runs = by_size.rounds(f"{client} {size_bytes}")
    facts = {
        "figure": "size",
        "name": f"{client} {size_bytes // 10**6:,} MB",
        "settings": {"client": client, "size_bytes": size_bytes, "width": WIDTH, "compression": "lz4"},
        "rows": runs[0].rows,
        "object_bytes": runs[0].object_bytes,
        "rounds": [asdict(run) for run in runs],
    }
    play_back(benchmark, [run.seconds for run in runs], facts)
