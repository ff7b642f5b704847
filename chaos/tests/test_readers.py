"""What readers of a partition see whose writer was killed: the README's recipe, run as it stands there."""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.job import Job, Outcome, run_job
from chaos.schedule import kills_at_rows
from harness.workload import generate
from harness.world import World

README = Path(__file__).parents[2] / "README.md"
ROWS, INTERVAL_ROWS, KILLS = 400, 50, 3

pytestmark = pytest.mark.broker


@pytest.fixture
def struck(world: World) -> Outcome:
    """Return a job whose runs were killed in the middle of a batch, and which was brought to its end."""
    workload = generate(7, rows=ROWS)
    job = Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS)})
    return run_job(world, job, kills_at_rows(random.Random(7), rows=ROWS, kills=KILLS, interval_rows=INTERVAL_ROWS))


def recipe() -> str:
    found = re.search(r"```python\n(import sqlite3.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def read_by(script: str, world: World, topic: str, table: Path) -> list[bytes]:
    command = [sys.executable, "-c", script, world.broker.bootstrap_servers, topic, str(table)]
    subprocess.run(command, check=True, timeout=60)
    rows = sqlite3.connect(table).execute("SELECT value FROM lines ORDER BY offset").fetchall()
    return [value.encode() for (value,) in rows]


def test_a_reader_that_stores_its_place_with_its_rows_has_each_row_once(
    world: World, struck: Outcome, tmp_path: Path
) -> None:
    table = tmp_path / "lines.db"
    loop = "while messages := reader.consume(1000, timeout=5):"
    assert loop in recipe()
    stops_early = recipe().replace(loop, "for messages in [reader.consume(120, timeout=10)]:")
    assert 0 < len(read_by(stops_early, world, struck.topic, table)) < ROWS
    for _ in range(2):  # started once more after the end, it has nothing to do
        assert read_by(recipe(), world, struck.topic, table) == list(struck.evidence.expected)


def test_a_reader_of_uncommitted_records_has_the_rows_of_killed_attempts_too(
    world: World, struck: Outcome, tmp_path: Path
) -> None:
    careless = recipe().replace('"read_committed"', '"read_uncommitted"')
    seen = read_by(careless, world, struck.topic, tmp_path / "lines.db")
    in_flight = sum(strike.rows_in_flight for strike in struck.evidence.strikes)
    assert in_flight > 0
    assert len(seen) == ROWS + in_flight
    assert seen != list(struck.evidence.expected)
