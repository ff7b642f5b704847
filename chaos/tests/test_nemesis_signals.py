"""Signals, freezes and strangers: the exit code is the documented one, the drain is short, and no row suffers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.network import Gate, Moment, save
from chaos.nemesis.signals import (
    Freeze,
    RandomKill,
    Signals,
    Stranger,
    kill_in_drain,
    terminate,
    terminate_twice,
)
from chaos.nemesis.stage import Play, Stage
from chaos.proxy import Proxy
from harness.history import Step
from harness.partition import Client
from harness.workload import Shape, generate

pytestmark = pytest.mark.broker
CLIENTS: list[Client] = ["kafka-python", "confluent"]
TRANSACTION_TIMEOUT_S = 3.0
COMMIT_S = 2.25  # three quarters of the transaction timeout
DRAIN_S = COMMIT_S + 5


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened:
        yield opened


@pytest.fixture(scope="module")
def job() -> Job:
    workload = generate(15, rows=4000, shape=Shape(columns=4, repeat_rate=0))
    settings = {
        "CHECKPOINT_INTERVAL": "50",
        "KAFKA_TRANSACTION_TIMEOUT_MS": str(int(TRANSACTION_TIMEOUT_S * 1000)),
    }
    return Job(workload.csv, workload.values("json"), settings=settings)


def committed(step: Step) -> bool:
    return step.name == "committed"


def finish(play: Play) -> None:
    play.stage.clear()
    last = play.start()
    assert play.end(last, within_s=60).exit_code == 0, last.stderr


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_is_met_soon_and_the_next_run_goes_on(
    stage: Stage, job: Job, number: signal.Signals, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        nemesis = terminate(number)
        run = play.start()
        run.await_step(committed, within_s=30, what="the first commit")
        seconds = nemesis.strike(run, within_s=DRAIN_S + 10)
        print(f"{nemesis.name}, {client}: drained in {seconds:.2f} s")
        assert play.end(run, within_s=1).exit_code == 128 + number, run.stderr
        assert stage.world.cloud.checkpoint_versions(play.topic)[-1]["status"] == "STOPPED"
        assert seconds < DRAIN_S
        finish(play)
        play.require_valid(nemesis)


# The request at which the run waits, and the seconds that it may take to end. DynamoDB's own bounds are long: the run
# gives up waiting for it well before the 30 s after which an orchestrator kills.
WAITS: dict[str, tuple[str, Moment, Client, float]] = {
    **{f"for a fence, {name}": ("kafka", Moment("InitProducerId"), name, DRAIN_S) for name in CLIENTS},
    **{f"for a delivery, {name}": ("kafka", Moment("Produce", 3), name, DRAIN_S) for name in CLIENTS},
    **{f"for a commit, {name}": ("kafka", Moment("EndTxn", 3), name, DRAIN_S) for name in CLIENTS},
    "for rows": ("s3", Moment("GetObject", 3), "kafka-python", DRAIN_S),
    "for a save": ("dynamodb", save(), "kafka-python", 25.0),
}


@pytest.mark.parametrize(("service", "moment", "client", "drain_s"), WAITS.values(), ids=WAITS.keys())
@pytest.mark.parametrize("ask", [terminate, terminate_twice], ids=["once", "twice"])
def test_a_run_that_waits_ends_soon_when_it_is_asked_and_at_once_when_it_is_asked_twice(
    stage: Stage, job: Job, ask: Callable[[], Signals], service: str, moment: Moment, client: Client, drain_s: float
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        gate, nemesis = Gate(replace(moment)), ask()
        proxies: dict[str, Proxy] = {"kafka": stage.kafka, "s3": stage.s3, "dynamodb": stage.dynamodb}
        proxies[service].switch_on(gate)
        run = play.start()
        gate.await_strike(within_s=30)
        bound_s = drain_s if len(nemesis.numbers) == 1 else 3
        seconds = nemesis.strike(run, within_s=bound_s)
        print(f"{nemesis.name} while it waits at {moment}, {client}: {seconds:.2f} s")
        play.end(run, within_s=1)
        gate.lift()
        finish(play)
        play.require_valid(nemesis, gate)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_that_is_killed_in_its_drain_leaves_nothing_half_done(stage: Stage, job: Job, client: Client) -> None:
    with Play(stage, replace(job, client=client)) as play:
        gate, nemesis = Gate(Moment("EndTxn", 3)), kill_in_drain()
        stage.kafka.switch_on(gate)
        run = play.start()
        gate.await_strike(within_s=30)
        nemesis.strike(run, within_s=5)
        assert play.end(run, within_s=1).signal == signal.SIGKILL
        gate.lift()
        finish(play)
        play.require_valid(nemesis, gate)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_frozen_in_mid_transaction_wakes_up_as_a_zombie_and_exits_4(
    stage: Stage, job: Job, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        gate, freeze = Gate(Moment("AddOffsetsToTxn", 3)), Freeze()
        stage.kafka.switch_on(gate)
        zombie = play.start()
        gate.await_strike(within_s=30)
        freeze.strike(zombie, seconds=TRANSACTION_TIMEOUT_S + 1, meanwhile=lambda: finish(play))
        gate.lift()
        assert play.end(zombie, within_s=30).exit_code == 4, zombie.stderr
        play.require_valid(freeze, gate)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_frozen_in_mid_transaction_heals_by_itself_where_it_has_no_rival(
    stage: Stage, job: Job, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        gate, freeze = Gate(Moment("AddOffsetsToTxn", 3)), Freeze()
        stage.kafka.switch_on(gate)
        run = play.start()
        gate.await_strike(within_s=30)
        freeze.strike(run, seconds=TRANSACTION_TIMEOUT_S + 1, meanwhile=gate.lift)
        assert play.end(run, within_s=60).exit_code == 0, run.stderr
        assert "retrying" in [step.name for step in run.steps]
        play.require_valid(freeze, gate)


@pytest.mark.parametrize("client", CLIENTS)
def test_of_two_runs_started_at_the_same_moment_one_finishes_and_the_other_exits_4(
    stage: Stage, job: Job, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        runs = [play.start(), play.start()]
        codes = sorted(play.end(run, within_s=60).exit_code or 0 for run in runs)
        assert codes == [0, 4], [run.stderr for run in runs]
        play.require_valid()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("bare", CLIENTS)
def test_a_run_takes_its_transactional_id_back_from_a_stranger(
    stage: Stage, job: Job, bare: Client, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        stranger = Stranger(bare)
        run = play.start()
        run.await_step(committed, within_s=30, what="the first commit")
        stranger.strike(stage.world.broker.bootstrap_servers, play.topic, f"csv-to-kafka.{play.topic}")
        end = play.end(run, within_s=60)
        assert end.exit_code == 0, run.stderr
        assert [step.name for step in end.steps].count("fenced") > 1
        play.require_valid(stranger)


@pytest.mark.parametrize("client", CLIENTS)
def test_kills_at_random_moments_and_one_between_fence_and_resume_leave_every_row_once(
    stage: Stage, job: Job, client: Client
) -> None:
    with Play(stage, replace(job, client=client)) as play:
        kills = [RandomKill(seed, longest_s=0.6) for seed in (1, 2, 3)]
        for kill in kills:
            run = play.start()
            kill.strike(run)
            play.end(run, within_s=1)
        gate = Gate(Moment("GetItem", 3))  # preflight, claim, and the look at the lease after the fence
        stage.dynamodb.switch_on(gate)
        recovering = play.start()
        gate.await_strike(within_s=30)
        assert [step.name for step in recovering.steps] == ["claimed", "fenced"]
        recovering.signal(signal.SIGKILL)
        assert play.end(recovering, within_s=10).signal == signal.SIGKILL
        gate.lift()
        finish(play)
        play.require_valid(gate, *kills)
