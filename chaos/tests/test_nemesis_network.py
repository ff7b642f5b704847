"""The network to Kafka, S3 and DynamoDB goes wrong once, each by itself: the run heals, and the judge finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_CALLS, SHORT_PAUSES
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
from chaos.nemesis.stage import Stage
from chaos.proxy import Direction
from chaos.tests.courses import CLIENTS, count, proxy_of
from harness.partition import Client
from harness.wait import until
from harness.workload import Shape, generate

pytestmark = pytest.mark.broker
TO_SERVER, TO_CLIENT = Direction.TO_SERVER, Direction.TO_CLIENT
IMPATIENT = {"KAFKA_TRANSACTION_TIMEOUT_MS": "4000"}  # bounds a delivery and a commit by 3 s
INTERVAL_ROWS = 50
Strikes = Callable[[], list[NetworkNemesis]]


@pytest.fixture(scope="module")
def job() -> Job:
    """Twenty transactions."""
    workload = generate(12, rows=1000, shape=Shape(columns=4, line_ends=("\n", "\r\n")))
    return Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS), **IMPATIENT})


@pytest.fixture(scope="module")
def long_object() -> Job:
    """An object that takes several requests."""
    workload = generate(13, rows=6000, shape=Shape(columns=5, repeat_rate=0))
    return Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": "1000"})


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
    with Course(stage, replace(job, client=client)) as course:
        stage.kafka.switch_on(*nemeses)
        assert course.run(**SHORT_PAUSES) == 0, course.stderr
        course.assert_valid(*nemeses)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("request_name", ["Produce", "EndTxn"])
@pytest.mark.parametrize("way", Direction, ids=lambda way: way.value)
def test_a_run_gives_up_connections_in_a_black_hole_and_heals(
    stage: Stage, job: Job, way: Direction, request_name: str, client: Client
) -> None:
    hole = BlackHole(Moment(request_name, 3), way)
    with Course(stage, replace(job, client=client)) as course:
        stage.kafka.switch_on(hole)
        run = course.start(None, **SHORT_PAUSES)
        hole.await_strike(within_s=30)
        until(
            lambda: "retrying" in [step.name for step in list(run.steps)],
            within_s=30,
            what=f"the run to give up the attempt in a {hole.name}",
        )
        hole.lift()
        assert course.end(run).exit_code == 0, course.stderr
        course.assert_valid(hole)


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
    with Course(stage, replace(job, delivery=delivery)) as course:
        stage.dynamodb.switch_on(*nemeses)
        assert course.run() == 0, course.stderr
        course.assert_valid(*nemeses)


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
def test_a_run_heals_from_faults_on_the_way_to_s3(stage: Stage, long_object: Job, strikes: Strikes) -> None:
    nemeses = strikes()
    with Course(stage, long_object) as course:
        stage.s3.switch_on(*nemeses)
        assert course.run() == 0, course.stderr
        course.assert_valid(*nemeses)


HOLES: dict[str, tuple[str, Callable[[], Moment]]] = {
    "s3, looking up": ("s3", lambda: Moment("HeadObject")),
    "s3, reading": ("s3", lambda: Moment("GetObject", 3)),
    "dynamodb, claiming": ("dynamodb", claim),
    "dynamodb, saving": ("dynamodb", save),
}


@pytest.mark.parametrize("way", Direction, ids=lambda way: way.value)
@pytest.mark.parametrize(("service", "moment"), HOLES.values(), ids=HOLES.keys())
def test_a_request_that_a_black_hole_swallows_is_sent_again_on_another_connection(
    stage: Stage, long_object: Job, service: str, moment: Callable[[], Moment], way: Direction
) -> None:
    hole = BlackHole(moment(), way)
    with Course(stage, long_object) as course:
        proxy_of(stage, service).switch_on(hole)
        run = course.start(None, **SHORT_CALLS)
        hole.await_second_try(within_s=30)
        hole.lift()
        assert course.end(run).exit_code == 0, course.stderr
        assert not count(course.attempts[-1], "retrying")
        course.assert_valid(hole)


@pytest.mark.parametrize("request_name", ["HeadObject", "GetObject"])
def test_an_answer_of_s3_cut_within_its_head_is_no_changed_object(stage: Stage, job: Job, request_name: str) -> None:
    cut = CutAfter(Moment(request_name), TO_CLIENT, after_bytes=60)
    with Course(stage, job) as course:
        stage.s3.switch_on(cut)
        assert course.run() in (0, 75), course.stderr
        course.assert_finishes(cut)


class TestLate:
    @pytest.mark.parametrize("client", CLIENTS)
    def test_requests_to_kafka_that_arrive_after_the_restart_change_nothing(
        self, stage: Stage, job: Job, client: Client
    ) -> None:
        late = [HoldBack(Moment(name, 3)) for name in ("Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")]
        with Course(stage, replace(job, client=client)) as course:
            for held in late:
                stage.kafka.switch_on(held)
                run = course.start()
                held.await_strike(within_s=30)
                course.kill_now(run)
                stage.clear()
            last = course.asleep_at("committed")
            for held in late:
                held.deliver(stage.kafka.server)
            assert course.woken(last).exit_code == 0, course.stderr
            course.assert_valid(*late)

    @pytest.mark.parametrize("client", CLIENTS)
    def test_a_commit_that_arrives_after_its_own_run_gave_it_up_changes_nothing(
        self, stage: Stage, job: Job, client: Client
    ) -> None:
        held = HoldBack(Moment("EndTxn", 3))
        with Course(stage, replace(job, client=client)) as course:
            stage.kafka.switch_on(held)
            run = course.asleep_at("committed", 3, **SHORT_PAUSES)  # the third was held
            assert held.struck
            held.deliver(stage.kafka.server)
            assert course.woken(run).exit_code == 0, course.stderr
            assert count(course.attempts[-1], "fenced") == 2
            course.assert_valid(held)

    @pytest.mark.parametrize("late", [claim, save], ids=["claim", "save"])
    @pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
    def test_a_write_to_the_checkpoint_that_arrives_after_the_restart_changes_nothing(
        self, stage: Stage, job: Job, late: Callable[[], Moment], delivery: str
    ) -> None:
        held = HoldBack(late())
        with Course(stage, replace(job, delivery=delivery)) as course:
            stage.dynamodb.switch_on(held)
            first = course.start()
            held.await_strike(within_s=30)
            course.kill_now(first)
            second = course.asleep_at("committed")
            assert b"ConditionalCheckFailed" in held.deliver(stage.dynamodb.server)
            assert course.woken(second).exit_code == 0, course.stderr
            if delivery == "exactly-once" or late is claim:
                course.assert_valid(held)
            else:
                course.assert_repeats_at_most(INTERVAL_ROWS, held)

    def test_a_claim_of_a_dead_run_that_arrives_late_ends_the_living_one_and_the_next_start_goes_on(
        self, stage: Stage, job: Job
    ) -> None:
        """The newest claim owns the job, even one whose run has died: no row is lost, but somebody must start it."""
        with Course(stage, job) as course:
            living = course.asleep_at("committed")
            held = HoldBack(claim())
            stage.dynamodb.switch_on(held)
            dead = course.start()
            held.await_strike(within_s=30)
            course.kill_now(dead)
            assert b" 200 " in held.deliver(stage.dynamodb.server)[:20]
            assert course.woken(living).exit_code == 4, course.stderr
            course.assert_finishes(held)
