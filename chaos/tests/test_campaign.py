"""A campaign on a real broker: it kills, counts, judges, and convicts who deserves it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chaos.campaign import launch_victims, play
from chaos.job import Staged, ended, stage, strikes_of
from chaos.nursery import Nursery
from chaos.rounds import draw_round
from chaos.schedule import (
    KillAfter,
    KillAfterRecords,
    KillAtRow,
    KillAtStep,
    KillInBatch,
    KillNode,
    Plan,
    StopAtStep,
    draw,
    draw_outside,
    kills_at_rows,
    parse,
)
from chaos.tally import IN_FLIGHT, place_of
from harness.checker import Validity, judge
from harness.history import Attempt, Records, Step
from harness.record_rule import RecordRule
from harness.world import World

PLANS: list[Plan] = [
    KillAtRow(12),
    StopAtStep("sent", 2),
    KillAtStep("sent", 2),
    KillInBatch(3, 17),
    KillAfter(0.25),
    KillAfterRecords(40),
    KillNode("leader", "sent", 2, with_run=False),
    KillNode("coordinator", "read", 1, with_run=True),
]


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_plan_travels_as_text(plan: Plan) -> None:
    assert parse(str(plan)) == plan


def test_a_seed_draws_the_same_round_and_another_seed_another() -> None:
    drawn = draw_round(1, 2, kills=5, client=None)
    assert draw_round(1, 2, kills=5, client=None) == drawn
    assert draw_round(2, 2, kills=5, client=None).job.csv != drawn.job.csv


def test_a_third_of_the_rounds_asks_for_keys_or_headers_and_none_for_another_program_does() -> None:
    rules, others = (
        [draw_round(1, number, kills=1, client=None, foreign=foreign).job.rule for number in range(60)]
        for foreign in (False, True)
    )
    assert 10 < sum(rule != RecordRule() for rule in rules) < 30
    assert sum(bool(rule.key) for rule in rules) > 5
    assert sum(rule.position for rule in rules) > 5
    assert set(others) == {RecordRule()}


def test_most_plans_of_a_campaign_strike_between_the_first_record_and_the_save() -> None:
    rng = random.Random(1)
    plans = [draw(rng, batches_left=10, interval_rows=100) for _ in range(1000)]
    inside = [
        plan for plan in plans
        if isinstance(plan, KillInBatch) or (isinstance(plan, KillAtStep) and plan.step in ("sent", "committed"))
    ]  # fmt: skip
    kills = [plan for plan in plans if not isinstance(plan, StopAtStep)]
    assert len(inside) > 0.7 * len(kills)
    assert 50 < len(plans) - len(kills) < 150


def test_a_stop_lands_where_the_run_ended_because_of_it_and_the_job_goes_on() -> None:
    plan = StopAtStep("sent", 2)
    announced = (Step({"step": "struck", "strike": str(plan), "rows_in_flight": 0}),)
    stopped, killed, missed = (
        Attempt(1, 143, None, announced),
        Attempt(1, None, 9, announced),
        Attempt(1, 143, None, ()),
    )
    assert [strikes_of([plan], [one])[0].landed for one in (stopped, killed, missed)] == [True, False, False]
    assert not ended(stopped)


def test_a_program_that_announces_nothing_is_mostly_killed_once_it_sends() -> None:
    rng = random.Random(1)
    plans = [draw_outside(rng, interval_rows=100) for _ in range(1000)]
    assert 700 < sum(isinstance(plan, KillAfterRecords) for plan in plans) < 800


def test_plain_rows_are_ascii_on_one_line_each() -> None:
    for number in range(20):
        job = draw_round(1, number, kills=5, client=None, plain=True).job
        assert job.csv.isascii()
        assert job.csv.count(b"\n") == len(job.expected) + 1


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
        evidence, *_ = play(world, launch_victims(nursery), drawn, outside_only=False)
    assert sum(attempt.signal == 9 for attempt in evidence.attempts) == 6
    assert all(strike.landed for strike in evidence.strikes)
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("number", [21, 8])
def test_bad_rows_in_a_topic_of_their_own_are_judged_as_the_good_ones_are(world: World, number: int) -> None:
    drawn = draw_round(3, number, kills=5, client=None)
    assert drawn.job.has_dead_letters
    with Nursery() as nursery:
        evidence, letters = play(world, launch_victims(nursery), drawn, outside_only=False)
    for one in (evidence, letters):
        verdict = judge(one)
        assert verdict.validity is Validity.VALID, verdict.summary
    records = [(record.offset, record.value) for record in letters.committed]
    assert [value for _, value in records] == list(drawn.job.bad_rows)
    again = (records[-1][0] + 1, records[3][1])
    plants = {"Truncated": records[:-1], "Lost": records[:2] + records[3:], "Duplicate": [*records, again]}
    for anomaly, spoilt in plants.items():
        end = replace(letters.partition, last_stable=spoilt[-1][0] + 1, end=spoilt[-1][0] + 1)
        seen = Records.of(spoilt)
        assert anomaly in judge(replace(letters, committed=seen, uncommitted=seen, partition=end)).names


@pytest.mark.broker
def test_a_victim_killed_at_birth_leaves_no_lines_of_the_one_before(world: World) -> None:
    drawn = draw_round(3, 1, kills=1, client=None)
    staged: Staged = stage(world, drawn.job)
    with Nursery() as nursery:
        launch = launch_victims(nursery)
        assert launch(staged, KillAtStep("committed", 1), 1).steps
        assert launch(staged, KillAfter(0.0), 2).steps == ()
