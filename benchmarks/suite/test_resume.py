"""How soon rows move again after a crash at the beginning, in the middle and at the end of an object, and with peers.

All take turns; pytest-benchmark is given the durations (`benchmarks.playback`).
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
from benchmarks.peer_runs import PEERS, PeerRun
from benchmarks.peers.peer import PeerUnavailable
from benchmarks.playback import TIMER, play_back
from benchmarks.resume import PERCENTS, Crashes, Resume
from benchmarks.scale import Scale, chosen_scale
from benchmarks.stage import Stage
from harness.plugin import not_run

pytestmark = pytest.mark.broker

PLACES = PERCENTS if chosen_scale().rounds > 1 else PERCENTS[1:2]
MADE = MadeCsv("rows", 100, chosen_scale().resume_rows)
KILLED_EARLY = 3  # times the rows of a rate: those are all sent before a kill at the first of them lands
RESUMING = {one.name: one for one in PEERS if one.resumes and chosen_scale().whole_choice}


@pytest.fixture(scope="module")
def resumes(stage: Stage, scale: Scale) -> Iterator[Plan[Resume]]:
    """Every client at every place, and the peers that know a resume."""
    places = {f"{client} {percent} %": (client, percent) for client in CLIENTS for percent in PLACES}
    with stage.topic() as topic:
        crashes = Crashes(stage, MADE, topic)
        tasks = {name: Task(partial(crashes.run, *place)) for name, place in places.items()}
        for name, peer in RESUMING.items():
            tasks[name] = Task(partial(peer_resume, peer, stage, scale))
        yield Plan(tasks, scale, say=print)


def peer_resume(peer: PeerRun, stage: Stage, scale: Scale) -> Resume:
    """Return a peer's resume; where in the file it is killed is up to its first commit."""
    return Resume(peer.resume_s(stage, peer.made(scale, times=KILLED_EARLY)))


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


if RESUMING:  # not in every scale

    @pytest.mark.benchmark(group="resume", timer=TIMER)
    @pytest.mark.parametrize("name", RESUMING)
    def test_time_to_the_first_new_row_of_a_peer_after_a_kill(name: str, resumes: Plan[Resume], benchmark: Any) -> None:
        try:
            measured = resumes.rounds(name)
        except PeerUnavailable as why:
            not_run(name.partition(" ")[0].lower(), what=name, why=why)
        facts = {
            "figure": "resume",
            "name": f"{name} after a kill in its file",
            "settings": {"peer": name},
            "rows": 1,
            "object_bytes": 0,
            "rounds": [asdict(one) for one in measured],
        }
        play_back(benchmark, [one.committed_s for one in measured], facts)
