"""The network to Kafka, S3 and DynamoDB goes wrong, each by itself: the run heals, and the judge finds nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.network import (
    BlackHole,
    CutAfter,
    Delay,
    HoldBack,
    LoseAnswer,
    Moment,
    NetworkNemesis,
    Reset,
    claim,
    save,
)
from chaos.nemesis.stage import HASTY, Play, Stage
from chaos.proxy import Direction
from harness.history import Step
from harness.partition import Client
from harness.wait import until
from harness.workload import Shape, generate

pytestmark = pytest.mark.broker
CLIENTS: list[Client] = ["kafka-python", "confluent"]
TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT
IMPATIENT = {"KAFKA_TRANSACTION_TIMEOUT_MS": "4000"}  # bounds a delivery and a commit by 3 s
Strikes = Callable[[], list[NetworkNemesis]]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened:
        yield opened


@pytest.fixture(scope="module")
def job() -> Job:
    workload = generate(12, rows=1000, shape=Shape(columns=4, line_ends=("\n", "\r\n")))
    return Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": "50", **IMPATIENT})


@pytest.fixture(scope="module")
def long_job() -> Job:
    """Long enough that the object takes several requests, and that a run is still at work when a second one begins."""
    workload = generate(13, rows=6000, shape=Shape(columns=5, repeat_rate=0))
    return Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": "50", **IMPATIENT})


def committed(step: Step) -> bool:
    return step.name == "committed"


ON_KAFKA: dict[str, Strikes] = {
    "resets": lambda: [Reset(Moment("InitProducerId")), Reset(Moment("Produce", 3)), Reset(Moment("EndTxn", 9))],
    "cuts": lambda: [
        CutAfter(Moment("Produce", 3), TO_SERVER, after_bytes=100),
        CutAfter(Moment("EndTxn", 8), TO_SERVER, after_bytes=20),
        CutAfter(Moment("TxnOffsetCommit", 13), TO_CLIENT, after_bytes=7),
    ],
    "answers lost": lambda: [
        LoseAnswer(Moment("InitProducerId")),
        LoseAnswer(Moment("Produce", 3)),
        LoseAnswer(Moment("AddOffsetsToTxn", 6)),
        LoseAnswer(Moment("TxnOffsetCommit", 9)),
        LoseAnswer(Moment("EndTxn", 12)),
    ],
    "answer to the last commit lost": lambda: [LoseAnswer(Moment("EndTxn", 20))],
    "answers lost in silence": lambda: [
        LoseAnswer(Moment("Produce", 3), silent=True),
        LoseAnswer(Moment("EndTxn", 6), silent=True),
    ],
    "delay": lambda: [Delay(0.01)],
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("strikes", ON_KAFKA.values(), ids=ON_KAFKA.keys())
def test_a_run_heals_from_faults_on_the_way_to_kafka(stage: Stage, job: Job, strikes: Strikes, client: Client) -> None:
    nemeses = strikes()
    with Play(stage, replace(job, client=client)) as play:
        stage.kafka.switch_on(*nemeses)
        run = play.start()
        assert play.end(run, within_s=60).exit_code == 0, run.stderr
        play.require_valid(*nemeses)


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_gives_up_connections_in_a_black_hole_and_heals(stage: Stage, job: Job, client: Client) -> None:
    holes = [BlackHole(Moment(name, 3), way) for name in ("Produce", "EndTxn") for way in Direction]
    with Play(stage, replace(job, client=client)) as play:
        run = play.start()
        for hole in holes:
            patience = [step.name for step in run.steps].count("retrying")
            stage.kafka.switch_on(hole)
            hole.await_strike(within_s=30)
            until(
                lambda: [step.name for step in run.steps].count("retrying") > patience,  # noqa: B023  # used at once
                within_s=20,
                what=f"the run to give up the attempt in a {hole.name}",
            )
            hole.lift()
        assert play.end(run, within_s=60).exit_code == 0, run.stderr
        play.require_valid(*holes)


ON_DYNAMODB: dict[str, Strikes] = {
    "resets": lambda: [Reset(claim()), Reset(save(2))],
    "cuts": lambda: [
        CutAfter(save(2), TO_SERVER, after_bytes=300),
        CutAfter(save(5), TO_CLIENT, after_bytes=30),
        CutAfter(Moment("GetItem", 2), TO_CLIENT, after_bytes=300),
    ],
    "answers lost": lambda: [
        LoseAnswer(claim()),
        LoseAnswer(Moment("UpdateItem", needs=b":start_offset")),
        LoseAnswer(save(3)),
        LoseAnswer(Moment("UpdateItem", needs=b"COMPLETED")),
    ],
    "delay": lambda: [Delay(0.01)],
}


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
@pytest.mark.parametrize("strikes", ON_DYNAMODB.values(), ids=ON_DYNAMODB.keys())
def test_a_run_heals_from_faults_on_the_way_to_dynamodb(
    stage: Stage, job: Job, strikes: Strikes, delivery: str
) -> None:
    nemeses = strikes()
    with Play(stage, replace(job, delivery=delivery)) as play:
        stage.dynamodb.switch_on(*nemeses)
        run = play.start()
        assert play.end(run, within_s=45).exit_code == 0, run.stderr
        play.require_valid(*nemeses)
        assert play.committed is not None
        assert len(play.committed) == len(job.expected)


ON_S3: dict[str, Strikes] = {
    "resets": lambda: [Reset(Moment("HeadObject")), Reset(Moment("GetObject")), Reset(Moment("GetObject", 4))],
    "cuts": lambda: [
        CutAfter(Moment("GetObject", 2), TO_SERVER, after_bytes=50),
        CutAfter(Moment("GetObject", 3), TO_CLIENT, after_bytes=50_000),
    ],
    "answers lost": lambda: [LoseAnswer(Moment("HeadObject")), LoseAnswer(Moment("GetObject", 3))],
    "delay": lambda: [Delay(0.05)],
}


@pytest.mark.parametrize("strikes", ON_S3.values(), ids=ON_S3.keys())
def test_a_run_heals_from_faults_on_the_way_to_s3(stage: Stage, long_job: Job, strikes: Strikes) -> None:
    nemeses = strikes()
    with Play(stage, replace(long_job, settings={"CHECKPOINT_INTERVAL": "1000"})) as play:
        stage.s3.switch_on(*nemeses)
        run = play.start()
        assert play.end(run, within_s=45).exit_code == 0, run.stderr
        play.require_valid(*nemeses)


@pytest.mark.parametrize("request_name", ["HeadObject", "GetObject"])
def test_an_answer_of_s3_cut_within_its_head_is_no_changed_object(stage: Stage, job: Job, request_name: str) -> None:
    cut = CutAfter(Moment(request_name), TO_CLIENT, after_bytes=60)
    with Play(stage, job) as play:
        stage.s3.switch_on(cut)
        run = play.start()
        assert play.end(run, within_s=45).exit_code in (0, 75), run.stderr
        again = play.start()
        assert play.end(again, within_s=45).exit_code == 0, again.stderr
        play.require_valid(cut)


@pytest.mark.parametrize("client", CLIENTS)
def test_requests_to_kafka_that_arrive_after_the_restart_change_nothing(
    stage: Stage, long_job: Job, client: Client
) -> None:
    late = [HoldBack(Moment(name, 3)) for name in ("Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")]
    with Play(stage, replace(long_job, client=client)) as play:
        for held in late:
            stage.kafka.switch_on(held)
            run = play.start()
            held.await_strike(within_s=30)
            run.signal(signal.SIGKILL)
            assert play.end(run, within_s=10).signal == signal.SIGKILL
            stage.clear()
        last = play.start()
        for held in late:
            held.deliver_to_frozen(last, stage.kafka.server)
        assert play.end(last, within_s=60).exit_code == 0, last.stderr
        play.require_valid(*late)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_commit_that_arrives_after_its_own_run_gave_it_up_changes_nothing(
    stage: Stage, long_job: Job, client: Client
) -> None:
    held = HoldBack(Moment("EndTxn", 3))
    with Play(stage, replace(long_job, client=client)) as play:
        stage.kafka.switch_on(held)
        run = play.start()
        run.await_step(lambda step: step.fields.get("attempt") == 2 and committed(step), within_s=30, what="attempt 2")
        held.deliver_to_frozen(run, stage.kafka.server)
        assert play.end(run, within_s=60).exit_code == 0, run.stderr
        play.require_valid(held)


@pytest.mark.parametrize("late", [claim, save], ids=["claim", "save"])
@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_a_write_to_the_checkpoint_that_arrives_after_the_restart_changes_nothing(
    stage: Stage, long_job: Job, late: Callable[[], Moment], delivery: str
) -> None:
    held = HoldBack(late())
    with Play(stage, replace(long_job, delivery=delivery)) as play:
        stage.dynamodb.switch_on(held)
        first = play.start()
        held.await_strike(within_s=30)
        first.signal(signal.SIGKILL)
        assert play.end(first, within_s=10).signal == signal.SIGKILL
        second = play.start()
        assert b"ConditionalCheckFailed" in held.deliver_to_frozen(second, stage.dynamodb.server)
        assert play.end(second, within_s=60).exit_code == 0, second.stderr
        play.require_valid(held)


def test_a_claim_of_a_dead_run_that_arrives_late_ends_the_living_one_and_the_next_start_goes_on(
    stage: Stage, long_job: Job
) -> None:
    """The newest claim owns the job, even one whose run has died: no row is lost, but somebody must start it again."""
    with Play(stage, long_job) as play:
        living = play.start()
        living.await_step(committed, within_s=30, what="the first commit")
        held = HoldBack(claim())
        stage.dynamodb.switch_on(held)
        dead = play.start()
        held.await_strike(within_s=30)
        dead.signal(signal.SIGKILL)
        assert play.end(dead, within_s=10).signal == signal.SIGKILL
        assert b" 200 " in held.deliver_to_frozen(living, stage.dynamodb.server)[:20]
        assert play.end(living, within_s=60).exit_code == 4, living.stderr
        last = play.start()
        assert play.end(last, within_s=60).exit_code == 0, last.stderr
        play.require_valid(held)


def resets_from(moment: Callable[[], Moment]) -> Callable[[], NetworkNemesis]:
    return lambda: Reset(moment(), for_ever=True)


def third_commit() -> Moment:
    return Moment("EndTxn", 3)


FOR_EVER: dict[str, tuple[str, Callable[[], NetworkNemesis], dict[str, str]]] = {
    **{f"kafka resets, {name}": ("kafka", resets_from(third_commit), {"KAFKA_CLIENT": name}) for name in CLIENTS},
    **{
        f"kafka swallows, {name}": ("kafka", lambda: BlackHole(third_commit(), TO_SERVER), {"KAFKA_CLIENT": name})
        for name in CLIENTS
    },
    "dynamodb resets from the claim on": ("dynamodb", resets_from(claim), {}),
    "dynamodb resets from a save on": ("dynamodb", resets_from(save), {}),
    "dynamodb resets, at-least-once": ("dynamodb", resets_from(save), {"DELIVERY": "at-least-once"}),
    "s3 resets": ("s3", resets_from(lambda: Moment("GetObject", 2)), {}),
}
# Six attempts, each bounded by fence (2 s), read (2 s) and commit (3 s), and four tries of botocore's with its pauses
# in each of the five reconnects of a read.
GIVES_UP_WITHIN_S = 75


@pytest.mark.slow
@pytest.mark.parametrize(("service", "strike", "settings"), FOR_EVER.values(), ids=FOR_EVER.keys())
def test_a_fault_for_ever_ends_in_75_within_the_bound_and_the_next_start_goes_on(
    stage: Stage, job: Job, service: str, strike: Callable[[], NetworkNemesis], settings: dict[str, str]
) -> None:
    nemesis = strike()
    delivery = settings.get("DELIVERY", job.delivery)
    with Play(stage, replace(job, delivery=delivery, settings={**job.settings, **settings})) as play:
        proxy = {"kafka": stage.kafka, "s3": stage.s3, "dynamodb": stage.dynamodb}[service]
        proxy.switch_on(nemesis)
        run = play.start(*HASTY)
        assert play.end(run, within_s=GIVES_UP_WITHIN_S).exit_code == 75, run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        nemesis.lift()
        stage.clear()
        again = play.start()
        assert play.end(again, within_s=45).exit_code == 0, again.stderr
        play.require_valid(nemesis)
