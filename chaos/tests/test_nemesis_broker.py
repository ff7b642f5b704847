"""The broker dies, restarts or freezes in the middle of a transaction or of a commit of both clients at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.broker import (
    AFTER_COMMIT,
    BEFORE_COMMIT,
    FREEZE,
    IN_TRANSACTION,
    KILL,
    STOP,
    Blow,
    BrokerNemesis,
    When,
)
from chaos.nemesis.stage import Play, Stage
from harness.partition import Client
from harness.workload import Shape, generate

pytestmark = [pytest.mark.broker, pytest.mark.slow]
CLIENTS: tuple[Client, ...] = ("kafka-python", "confluent")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened:
        yield opened


@pytest.fixture(scope="module")
def job() -> Job:
    workload = generate(14, rows=1000, shape=Shape(columns=4))
    settings = {"CHECKPOINT_INTERVAL": "50", "KAFKA_TRANSACTION_TIMEOUT_MS": "4000"}
    return Job(workload.csv, workload.values("json"), settings=settings)


@pytest.mark.parametrize("when", [IN_TRANSACTION, BEFORE_COMMIT, AFTER_COMMIT], ids=lambda when: when.name)
@pytest.mark.parametrize("blow", [KILL, STOP, FREEZE], ids=lambda blow: blow.name)
def test_a_run_goes_on_after_its_broker_was_struck(stage: Stage, job: Job, blow: Blow, when: When) -> None:
    with ExitStack() as opened:
        plays = [opened.enter_context(Play(stage, replace(job, client=client))) for client in CLIENTS]
        nemesis = BrokerNemesis(blow, when, [play.topic for play in plays])
        stage.kafka.switch_on(*nemesis.gates)
        runs = [play.start() for play in plays]
        nemesis.strike(stage.world.broker)
        for play, run in zip(plays, runs, strict=True):
            end = play.end(run, within_s=90)
            assert end.exit_code == 0, f"{play.job.client}: {run.stderr}"
            print(f"{nemesis.name}, {play.job.client}: {run.seconds:.1f} s")
        for play in plays:
            play.require_valid(nemesis)


@pytest.mark.parametrize("client", CLIENTS)
def test_broker_and_run_die_together_in_mid_commit_and_the_next_run_goes_on(
    stage: Stage, job: Job, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        nemesis = BrokerNemesis(KILL, AFTER_COMMIT, [play.topic])
        stage.kafka.switch_on(*nemesis.gates)
        run = play.start()
        nemesis.gates[0].await_strike(within_s=60)
        run.signal(signal.SIGKILL)
        nemesis.strike(stage.world.broker)
        assert play.end(run, within_s=10).signal == signal.SIGKILL
        stage.clear()
        again = play.start()
        assert play.end(again, within_s=60).exit_code == 0, again.stderr
        play.require_valid(nemesis)
