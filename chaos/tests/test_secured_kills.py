"""SIGKILLs over secured connections: each restart logs in again, and every row is there once."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from chaos.job import Job, run_job
from chaos.schedule import KillAtStep, Plan, kills_at_rows
from chaos.tests.test_kills import INTERVAL_ROWS, SETTINGS
from harness.broker.secure import Listener, SecureBroker
from harness.checker import Validity, judge
from harness.cloud import Cloud
from harness.world import World


@pytest.mark.broker
@pytest.mark.secure
@pytest.mark.parametrize("listener", ["mtls", "scram"])
def test_exactly_once_is_valid_after_ten_kills_of_both_clients_in_turn(
    secure_broker: SecureBroker, cloud: Cloud, rows_6000: Job, listener: Listener
) -> None:
    job = replace(rows_6000, settings={**SETTINGS, **secure_broker.variables(listener)})
    at_rows = kills_at_rows(random.Random(9), rows=6000, kills=8, interval_rows=INTERVAL_ROWS)
    plans: list[Plan] = [KillAtStep("fenced", 1), KillAtStep("sent", 1), *at_rows]
    with World(broker=secure_broker, cloud=cloud) as world:
        evidence = run_job(world, job, plans, clients=("kafka-python", "confluent")).evidence
    assert all(strike.landed for strike in evidence.strikes), evidence.strikes
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
