"""`verify` by the number of committed rows: how long it takes, and that its memory does not grow with them.

A job of each size is moved before anything is timed; then the sizes and clients alternate (`benchmarks.playback`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task
from benchmarks.contestants import CLIENTS, Variant
from benchmarks.made_csv import MadeCsv
from benchmarks.playback import TIMER, play_back
from benchmarks.runs import Run, fill, verify
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import EVERYTHING_KEPT, Stage

pytestmark = pytest.mark.broker
WIDTH = 100
LONG_ROWS = 10**7  # verified once: a minute each


@pytest.fixture(scope="module")
def by_rows(stage: Stage, scale: Scale) -> Iterator[Plan[Run]]:
    """Every client with a job of every size."""
    tasks: dict[str, Task[Run]] = {}
    with ExitStack() as topics:
        for rows in scale.verified_rows:
            made = MadeCsv("rows", WIDTH, rows)
            topic = topics.enter_context(stage.topic(EVERYTHING_KEPT))
            settings = Variant("confluent", compression="lz4").environment()
            fill(stage, made, settings, topic=topic)
            for client in CLIENTS:
                run = partial(verify, stage, made, {**settings, "KAFKA_CLIENT": client}, topic=topic)
                tasks[f"{client} {rows}"] = Task(run, single=rows >= LONG_ROWS)
        yield Plan(tasks, scale, say=print)


@pytest.mark.benchmark(group="verify", timer=TIMER)
@pytest.mark.parametrize("rows", chosen_scale().verified_rows)
@pytest.mark.parametrize("client", CLIENTS)
def test_verify_by_rows(client: str, rows: int, by_rows: Plan[Run], benchmark: Any) -> None:
    runs = by_rows.rounds(f"{client} {rows}")
    facts = {
        "figure": "verify",
        "name": f"verify: {client} {rows:,} rows",
        "settings": {"client": client, "width": WIDTH},
        "rows": rows,
        "object_bytes": runs[0].object_bytes,
        "rounds": [asdict(run) for run in runs],
    }
    play_back(benchmark, [run.seconds for run in runs], facts)
