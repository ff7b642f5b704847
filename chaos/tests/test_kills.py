"""Ten SIGKILLs for each client and delivery, on a real broker."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chaos.job import Job, run_job
from chaos.schedule import KillAtStep, Plan, kills_at_rows
from harness.checker import Validity, judge
from harness.partition import Client
from harness.world import World

pytestmark = pytest.mark.broker
INTERVAL_ROWS = 200
SETTINGS = {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS)}


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_exactly_once_is_valid_after_ten_kills(world: World, rows_6000: Job, client: Client) -> None:
    job = replace(rows_6000, client=client, settings=SETTINGS)
    in_batches = kills_at_rows(random.Random(7), rows=6000, kills=6, interval_rows=INTERVAL_ROWS)
    plans: list[Plan] = [
        KillAtStep("claimed", 1),
        *in_batches[:3],
        KillAtStep("fenced", 1),
        KillAtStep("sent", 1),
        KillAtStep("committed", 1),
        *in_batches[3:],
    ]
    evidence = run_job(world, job, plans).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
    assert evidence.uncommitted is not None
    assert len(evidence.uncommitted) > len(evidence.committed)  # the kills left aborted rows behind


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_at_least_once_is_convicted_of_duplicates_and_of_nothing_else(
    world: World, rows_6000: Job, client: Client
) -> None:
    job = replace(rows_6000, client=client, delivery="at-least-once", settings=SETTINGS)
    plans: list[Plan] = [KillAtStep("sent", 1 + n % 3) for n in range(10)]
    evidence = run_job(world, job, plans).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.names == {"Duplicate"}, verdict.summary
    assert len(evidence.committed) == 6000 + 10 * INTERVAL_ROWS


def test_a_job_may_change_its_client_between_two_attempts(world: World, rows_6000: Job) -> None:
    """Each client reads the position that the other wrote."""
    job = replace(rows_6000, settings=SETTINGS)
    plans: list[Plan] = list(kills_at_rows(random.Random(8), rows=6000, kills=4, interval_rows=INTERVAL_ROWS))
    evidence = run_job(world, job, plans, clients=("kafka-python", "confluent")).evidence
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
