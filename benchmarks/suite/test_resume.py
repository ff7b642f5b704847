"""How soon rows move again after a crash at the beginning, in the middle and at the end of an object.

The places alternate; pytest-benchmark is given the durations (`benchmarks.playback`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from benchmarks.alternate import Plan, Task
from benchmarks.contestants import CLIENTS
from benchmarks.made_csv import MadeCsv
from benchmarks.playback import TIMER, play_back
from benchmarks.resume import PERCENTS, Crashes, Resume
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import Stage

pytestmark = pytest.mark.broker


PLACES = PERCENTS if chosen_scale().rounds > 1 else PERCENTS[1:2]
MADE = MadeCsv("rows", 100, chosen_scale().resume_rows)


@pytest.fixture(scope="module")
def resumes(stage: Stage, scale: Scale) -> Iterator[Plan[Resume]]:
    """Every client at every place."""
    places = {f"{client} {percent} %": (client, percent) for client in CLIENTS for percent in PLACES}
    with stage.topic() as topic:
        crashes = Crashes(stage, MADE, topic)
        yield Plan({name: Task(partial(crashes.run, *place)) for name, place in places.items()}, scale, say=print)


@pytest.mark.benchmark(group="resume", timer=TIMER)
@pytest.mark.parametrize("percent", PLACES)
@pytest.mark.parametrize("client", CLIENTS)
def test_time_to_the_first_new_row_after_a_crash(
    client: str, percent: int, resumes: Plan[Resume], benchmark: Any
) -> None:
    measured = resumes.rounds(f"{client} {percent} %")
    facts = {
        "figure": "resume",
        "name": f"{client} after a crash at {percent} %",
        "settings": {"client": client, "percent": percent, "object_rows": MADE.rows},
        "rows": 1,
        "object_bytes": MADE.size_bytes,
        "rounds": [asdict(one) for one in measured],
    }
    play_back(benchmark, [one.committed_s for one in measured], facts)
