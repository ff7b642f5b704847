"""Mutants as victims on a real broker: convicted by the same names there, and the unbroken processor is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from chaos.job import Job, ended
from chaos.mutants import REGISTERED, Mutant
from chaos.mutants.real import Gone, Real
from chaos.nemesis.base import Nemesis
from chaos.nemesis.course import Course
from chaos.nemesis.state import CheckpointLost, PositionExpired
from chaos.tests.courses import CLIENTS
from chaos.victim import MUTANT_VARIABLE
from harness.checker import Validity, Verdict
from harness.partition import Client
from harness.world import World
from processor.model import Delivery

pytestmark = pytest.mark.broker

ON_KAFKA = {name: mutant for name, mutant in REGISTERED.items() if isinstance(mutant.real, Real)}
MOST_RUNS = 4
TAKEN = {Gone.ITEM: CheckpointLost, Gone.GROUP: PositionExpired}


def play(world: World, mutant: Mutant, client: Client, environment: Mapping[str, str]) -> Verdict:
    """Play the mutant's moves with a victim of this environment, then start it until it ends; have it judged."""
    assert isinstance(mutant.real, Real)
    trial, workload = mutant.trial, mutant.trial.workload()
    rows = len(workload.rows) if mutant.real.one_batch else trial.interval_rows
    bad_rows = {"ON_BAD_ROW": "skip"} if workload.bad else {}
    settings = {"CHECKPOINT_INTERVAL": str(rows), **bad_rows, **environment}
    expected = trial.rule.expected(workload, "json")
    job = Job(workload.csv, expected, client, trial.delivery.value, settings, trial.rule, [b""] * len(workload.bad))
    with Course(world, job) as course:
        taken: list[Nemesis] = []
        for move in mutant.real.moves:
            if isinstance(move, Gone):
                taken.append(TAKEN[move](course))
            else:
                course.kill(move)
        for _ in range(MOST_RUNS):
            course.run()
            if ended(course.attempts[-1]):
                break
        return course.verdict(*taken)


@pytest.mark.parametrize("name", ON_KAFKA)
def test_mutant_is_convicted_on_a_real_broker_by_its_expected_anomaly(world: World, name: str) -> None:
    mutant = ON_KAFKA[name]
    client = CLIENTS[list(ON_KAFKA).index(name) % len(CLIENTS)]
    verdict = play(world, mutant, client, {MUTANT_VARIABLE: name})
    assert mutant.expected in verdict.names, f"{client}: {verdict.summary}"


UNBROKEN = {
    f"{mutant.real}, {mutant.trial.workload.__name__}, {mutant.trial.rule}": mutant for mutant in ON_KAFKA.values()
}


@pytest.mark.parametrize("played", UNBROKEN)
def test_unbroken_processor_is_valid_on_a_real_broker_under_the_same_moves(world: World, played: str) -> None:
    mutant = UNBROKEN[played]
    verdict = play(world, mutant, "confluent", {})
    repeats = mutant.trial.delivery is Delivery.AT_LEAST_ONCE
    assert verdict.validity is Validity.VALID or (repeats and verdict.names == {"Duplicate"}), verdict.summary
