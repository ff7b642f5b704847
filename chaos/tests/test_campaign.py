"""A campaign on a real broker: it kills, counts, judges, and convicts who deserves it."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from chaos.__main__ import main
from chaos.campaign import IN_FLIGHT, draw_round, launch_victims, place_of, play
from chaos.job import Staged, stage
from chaos.nursery import Nursery
from chaos.schedule import KillAfter, KillAtRow, KillAtStep, KillInBatch, Plan, draw, kills_at_rows, parse
from harness.checker import Validity, judge
from harness.history import Attempt, Step
from harness.world import World

NAIVE = (sys.executable, "-m", "chaos.outsiders.naive")


@pytest.mark.parametrize("plan", [KillAtRow(12), KillAtStep("sent", 2), KillInBatch(3, 17), KillAfter(0.25)], ids=str)
def test_a_plan_travels_as_text(plan: Plan) -> None:
    assert parse(str(plan)) == plan


def test_a_seed_draws_the_same_round_and_another_seed_another() -> None:
    drawn = draw_round(1, 2, kills=5, client=None)
    assert draw_round(1, 2, kills=5, client=None) == drawn
    assert draw_round(2, 2, kills=5, client=None).job.csv != drawn.job.csv


def test_most_plans_of_a_campaign_strike_between_the_first_record_and_the_save() -> None:
    rng = random.Random(1)
    plans = [draw(rng, batches_left=10, interval_rows=100) for _ in range(1000)]
    inside = [
        plan for plan in plans
        if isinstance(plan, KillInBatch) or (isinstance(plan, KillAtStep) and plan.step in ("sent", "committed"))
    ]  # fmt: skip
    assert len(inside) > 700


def test_rows_to_kill_at_rise_and_none_is_the_first_of_its_batch() -> None:
    plans = kills_at_rows(random.Random(5), rows=1000, kills=10, interval_rows=100)
    rows = [plan.row for plan in plans]
    assert rows == sorted(set(rows))
    assert all(row % 100 for row in rows)


def test_a_kill_is_placed_by_the_last_step_before_it() -> None:
    steps = tuple(Step({"step": name}) for name in ("claimed", "fenced", "resumed", "read", "sent", "struck"))
    assert place_of(Attempt(1, None, 9, steps)) == IN_FLIGHT[1]
    assert place_of(Attempt(1, None, 9, ())) == "before the claim"


def test_a_save_that_is_told_late_does_not_place_a_kill() -> None:
    committed, saved = (Step({"step": name, "row": 10}) for name in ("committed", "saved"))
    read = Step({"step": "read", "row": 20})
    assert place_of(Attempt(1, None, 9, (committed, saved))) == "saved, before the next batch"
    assert place_of(Attempt(1, None, 9, (committed,))) == "committed, not saved"
    assert place_of(Attempt(1, None, 9, (committed, read, saved))) == "sending"


@pytest.mark.broker
def test_a_round_is_played_to_its_end_and_every_planned_strike_lands(world: World) -> None:
    drawn = draw_round(3, 1, kills=6, client=None)
    with Nursery() as nursery:
        evidence, attempts = play(world, launch_victims(nursery), drawn, outside_only=False)
    assert sum(attempt.signal == 9 for attempt in attempts) == 6
    assert all(strike.landed for strike in evidence.strikes)
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.broker
def test_a_victim_killed_at_birth_leaves_no_lines_of_the_one_before(world: World) -> None:
    drawn = draw_round(3, 1, kills=1, client=None)
    staged: Staged = stage(world, drawn.job)
    with Nursery() as nursery:
        launch = launch_victims(nursery)
        assert launch(staged, KillAtStep("committed", 1), 1).steps
        assert launch(staged, KillAfter(0.0), 2).steps == ()


@pytest.mark.broker
def test_a_naive_program_is_convicted_and_its_run_kept(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", world.broker.bootstrap_servers)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    code = main(["run", "--seed", "3", "--first", "1", "--rounds", "1", "--kills", "4", "--workers", "1", "--", *NAIVE])
    said = capsys.readouterr().out
    assert code == 1, said
    assert "replay: nox -s chaos -- --seed 3 --first 1" in said
    assert (tmp_path / "runs" / "3-1" / "evidence.json").exists()
