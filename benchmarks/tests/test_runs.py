"""A run that did less than it should has no time."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from benchmarks.contestants import Variant
from benchmarks.made_csv import MadeCsv
from benchmarks.object_server import ObjectServer
from benchmarks.open_peers import OpenPeers
from benchmarks.runs import PROCESSOR, measure, require_last_record, run_processor
from benchmarks.stage import Stage
from harness.world import World

pytestmark = pytest.mark.broker
MADE = MadeCsv("rows", 100, 2_500)
SETTINGS = Variant("confluent", interval_rows=1_000).environment()


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    with ObjectServer() as objects, OpenPeers(world.broker.bootstrap_servers) as peers:
        yield Stage(world, objects, peers)


def test_a_run_tells_its_rows_commits_and_memory(stage: Stage) -> None:
    run = run_processor(stage, MADE, SETTINGS)
    assert (run.rows, run.commits, run.object_bytes) == (MADE.rows, 3, MADE.size_bytes)
    assert run.value_bytes == sum(len(MADE.value(row)) for row in range(MADE.rows))
    assert run.seconds > 0
    assert 20 * 2**20 < (run.peak_memory_bytes or 0) < 2**30
    assert 0.1 < (run.cpu_s or 0) < 60


def test_a_partition_that_does_not_end_with_the_last_row_is_refused(stage: Stage) -> None:
    with stage.topic() as topic:
        run = measure(PROCESSOR, stage.environment(MADE, topic, SETTINGS), MADE)
        last = MADE.value(MADE.rows - 1)
        require_last_record(stage, topic, last, commits=run.commits, rows=run.rows)
        with pytest.raises(RuntimeError, match="not the last row"):
            require_last_record(stage, topic, MADE.value(MADE.rows - 2), commits=run.commits, rows=run.rows)
        with pytest.raises(RuntimeError, match="ends at offset"):
            require_last_record(stage, topic, last, commits=run.commits, rows=run.rows + 100)


@pytest.mark.parametrize(("rows", "end"), [(MADE.rows, "sys.exit(5)"), (MADE.rows - 1, "pass")])
def test_a_command_that_fails_or_moves_too_few_rows_has_no_time(rows: int, end: str) -> None:
    steps = [{"step": "resumed", "ts": 1}, {"step": "committed", "ts": 2, "rows": rows}, {"step": "measured"}]
    script = f"import sys; print(chr(10).join({list(map(json.dumps, steps))})); {end}"
    with pytest.raises(RuntimeError, match="ended with exit code"):
        measure((sys.executable, "-c", script), {}, MADE)


def test_the_time_runs_from_resumed_to_the_last_commit() -> None:
    steps = [("claimed", 1), ("resumed", 10), ("committed", 12), ("committed", 14.5), ("saved", 20), ("measured", 21)]
    lines = [json.dumps({"step": step, "ts": ts, "rows": MADE.rows // 2, "commit_ms": 7}) for step, ts in steps]
    run = measure((sys.executable, "-c", f"print(chr(10).join({lines}))"), {}, MADE)
    assert (run.seconds, run.rows, run.commits, run.commit_ms) == (4.5, MADE.rows, 2, 14)
