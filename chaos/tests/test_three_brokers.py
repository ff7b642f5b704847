"""Three brokers, replication 3, min.insync.replicas 2: any one of them may fall, at any moment."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest
from confluent_kafka import KafkaError, Producer

from chaos.campaign import launch_victims, play
from chaos.job import Job
from chaos.nemesis.broker import AFTER_COMMIT, BEFORE_COMMIT, IN_TRANSACTION, When
from chaos.nemesis.cluster import (
    AFTER_PRODUCE,
    COORDINATOR,
    FREEZE,
    GROUP_COORDINATOR,
    GROUP_PREFIX,
    KILL,
    LEADER,
    STOP,
    ClusterBehindProxies,
    Fall,
    NodeNemesis,
    Outage,
    Role,
    topics_apart,
)
from chaos.nemesis.course import Course
from chaos.nemesis.inside import SHORT_CALLS
from chaos.nemesis.node_kills import NodeKills
from chaos.nemesis.signals import pass_time
from chaos.nursery import Nursery
from chaos.rounds import draw_round
from chaos.tests.courses import CLIENTS
from harness.broker.cluster import NUMBERS
from harness.checker import Validity, judge
from harness.cloud import Cloud
from harness.partition import read
from harness.target import Target
from harness.tests.contracts.kafka_world import SINKS
from harness.wait import until
from harness.workload import Shape, generate
from harness.world import World
from processor.model import SinkSettings
from processor.ports import Sink

pytestmark = [pytest.mark.broker, pytest.mark.cluster, pytest.mark.timeout(400)]
WITHIN_S = 150.0  # of which a fence may take 30: so long a coordinator waits for a fallen leader
STRIKES = [
    (LEADER, KILL, AFTER_PRODUCE),
    (LEADER, KILL, IN_TRANSACTION),
    (LEADER, STOP, IN_TRANSACTION),
    (LEADER, FREEZE, IN_TRANSACTION),
    (COORDINATOR, KILL, IN_TRANSACTION),
    (COORDINATOR, KILL, BEFORE_COMMIT),
    (COORDINATOR, KILL, AFTER_COMMIT),
    (GROUP_COORDINATOR, KILL, IN_TRANSACTION),
]
# So long would a client wait by itself: a run that does not give up what stands still fails by WITHIN_S.
PATIENT = {"CHECKPOINT_INTERVAL": "50", "KAFKA_TRANSACTION_TIMEOUT_MS": "600000"}
MakeCourses = Callable[..., list[Course]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterBehindProxies]:
    with ClusterBehindProxies() as opened:
        yield opened


@pytest.fixture
def courses(cluster: ClusterBehindProxies, cloud: Cloud) -> Iterator[MakeCourses]:
    """Return a function that makes a course for each client."""
    with ExitStack() as opened:
        world = opened.enter_context(World(broker=cluster, cloud=cloud))

        def make(*, rows: int = 1000, **settings: str) -> list[Course]:
            workload = generate(23, rows=rows, shape=Shape(columns=4))
            job = Job(workload.csv, workload.values("json"), settings={**PATIENT, **settings})
            topics = topics_apart(cluster, len(CLIENTS))
            return [
                opened.enter_context(Course(world, replace(job, client=client), topic=topic))
                for client, topic in zip(CLIENTS, topics, strict=True)
            ]

        yield make
    if not all(node.is_running for node in cluster.nodes.values()):
        cluster.start()  # for the next test, whatever became of this one


def finish(course: Course) -> None:
    """Start the job again as long as it says that it wants to be."""
    while course.attempts[-1].exit_code == 75:
        course.run(within_s=WITHIN_S)
    assert course.attempts[-1].exit_code == 0, f"{course.job.client}: {course.stderr}"


@pytest.mark.parametrize(("role", "fall", "when"), STRIKES, ids=lambda part: part.name)
def test_runs_go_on_when_a_node_falls(
    cluster: ClusterBehindProxies, courses: MakeCourses, role: Role, fall: Fall, when: When
) -> None:
    nemesis = NodeNemesis(role, fall, when)
    both = courses(KAFKA_BOOTSTRAP_SERVERS=cluster.proxied_servers)
    gates = nemesis.gates(both)
    cluster.switch_on(*gates)
    runs = [course.start() for course in both]
    try:
        nemesis.strike(cluster, both, gates)
        for course, run in zip(both, runs, strict=True):
            end = course.end(run, within_s=WITHIN_S)
            committed = nemesis.committed_after_s(end)
            print(f"{course.job.client}: moved after {nemesis.moved_after_s:.1f} s, committed after {committed} s")
    finally:
        nemesis.mend(cluster)
    for course in both:
        finish(course)
        course.assert_valid(nemesis)


def test_what_was_committed_is_there_whichever_node_dies(cluster: ClusterBehindProxies, courses: MakeCourses) -> None:
    both = courses(rows=3000, CHECKPOINT_INTERVAL="10")
    runs = [course.start() for course in both]
    for number in NUMBERS:
        advance(runs, commits=20)
        cluster.nodes[number].kill()
        advance(runs, commits=5)
        for course, run in zip(both, runs, strict=True):
            rows = count_commits(run) * 10
            # Their markers may be on their way: a commit is answered when it is decided.
            until(lambda: len(course.rows()) >= rows, within_s=60, what=f"{rows} rows on two nodes")  # noqa: B023
            seen = course.rows()
            assert seen == list(course.job.expected[: len(seen)])
        cluster.start()
    for run in runs:
        run.signal(signal.SIGCONT)
    for course, run in zip(both, runs, strict=True):
        course.end(run, within_s=WITHIN_S)
        finish(course)
        course.assert_valid()


def advance(runs: Sequence[Target], *, commits: int) -> None:
    """Wake the runs, and stop each after so many more commits: the faster one must not be done before the slower."""
    wanted = [(run, count_commits(run) + commits) for run in runs]
    for run in runs:
        run.signal(signal.SIGCONT)

    def stopped() -> bool:
        for run, count in list(wanted):
            if count_commits(run) >= count:
                run.signal(signal.SIGSTOP)
                wanted.remove((run, count))
        return not wanted

    until(stopped, within_s=60, what=f"{commits} more commits of each")


def count_commits(run: Target) -> int:
    return sum(step.name == "committed" for step in list(run.steps))


def await_commits(run: Target, count: int) -> None:
    run.await_step(lambda _: count_commits(run) >= count, within_s=60, what=f"{count} commits")


def test_runs_wait_or_end_with_75_while_two_of_three_are_down(
    cluster: ClusterBehindProxies, courses: MakeCourses
) -> None:
    """Nothing is committed meanwhile: one replica is fewer than min.insync.replicas, and one voter no majority."""
    patient, hasty = courses(rows=3000), courses(rows=3000, **SHORT_CALLS)
    everyone = [*patient, *hasty]
    runs = [course.start() for course in everyone]
    for run in runs:
        await_commits(run, 1)
    outage = Outage((cluster.leader_of(patient[0].topic), cluster.coordinator_of(patient[0].group)))
    try:
        outage.strike(cluster)
        for course, run in zip(hasty, runs[2:], strict=True):
            assert course.end(run, within_s=WITHIN_S).exit_code == 75, run.stderr
        for run in runs[:2]:
            run.await_step(lambda step: step.name == "retrying", within_s=60, what="a retry")
        outage.require_silence(runs)
    finally:
        cluster.start()
    for course, run in zip(patient, runs[:2], strict=True):
        course.end(run, within_s=WITHIN_S)
    for course in everyone:
        finish(course)
        course.assert_valid(outage)


def test_a_record_that_one_node_alone_acknowledged_is_lost_with_it(cluster: ClusterBehindProxies) -> None:
    """What acks=all and min.insync.replicas=2 are for, and that the tests above would notice without them."""
    (topic,) = topics_apart(cluster)
    leader = cluster.leader_of(topic)
    followers = [node for number, node in cluster.nodes.items() if number != leader]
    assert written(cluster, topic, b"before", acks="all")
    for node in followers:
        node.pause()
    pass_time(1.0)  # a fetch that waits at the leader for records, 500 ms at most, has come back without them
    try:
        assert written(cluster, topic, b"one", acks="1")
        assert not written(cluster, topic, b"all", acks="all")
        cluster.nodes[leader].kill()
    finally:
        for node in followers:
            node.resume()
    until(lambda: cluster.leader_of(topic) != leader, within_s=30, what="another leader")
    cluster.start()
    seen = [record.value for record in read(cluster.bootstrap_servers, topic, isolation="read_committed")]
    assert seen == [b"before"]


def written(cluster: ClusterBehindProxies, topic: str, value: bytes, *, acks: str) -> bool:
    """Tell whether the record was acknowledged within some seconds."""
    refusals: list[KafkaError | None] = []
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap_servers, "acks": acks, "delivery.timeout.ms": 3000, "log_level": 0}
    )
    producer.produce(topic, value, partition=0, on_delivery=lambda error, _: refusals.append(error))
    producer.flush(10)
    return refusals[0] is None  # not `== None`: comparing a KafkaError with None leaves an exception pending


def sinks(cluster: ClusterBehindProxies, topic: str) -> list[Sink]:
    settings = SinkSettings(cluster.bootstrap_servers, topic, 0, f"{GROUP_PREFIX}{topic}")
    return [SINKS[client](settings) for client in CLIENTS]


@pytest.mark.parametrize("role", [LEADER, GROUP_COORDINATOR], ids=lambda role: role.name)
def test_a_sink_that_knew_the_fallen_node_asks_its_successor(cluster: ClusterBehindProxies, role: Role) -> None:
    (topic,) = topics_apart(cluster)
    both = sinks(cluster, topic)
    before = [(sink.describe(), sink.bounds(), sink.position()) for sink in both]
    number = role.of(cluster, topic, f"{GROUP_PREFIX}{topic}")
    cluster.nodes[number].kill()
    try:
        until(lambda: role.of(cluster, topic, f"{GROUP_PREFIX}{topic}") != number, within_s=30, what=role.name)
        assert [(sink.describe(), sink.bounds(), sink.position()) for sink in both] == before
    finally:
        cluster.start()
    for sink in both:
        sink.discard()


def test_a_new_sink_finds_its_way_past_a_silent_node(cluster: ClusterBehindProxies) -> None:
    (topic,) = topics_apart(cluster)
    known = sinks(cluster, topic)[0].describe()
    cluster.nodes[1].pause()  # the first in the list of servers
    try:
        until(
            lambda: all(
                role.of(cluster, topic, f"{GROUP_PREFIX}{topic}") != 1
                for role in (LEADER, COORDINATOR, GROUP_COORDINATOR)
            ),
            within_s=30,
            what="a cluster without node 1",
        )
        for _ in range(3):
            assert [sink.describe() for sink in sinks(cluster, topic)] == [known, known]
    finally:
        cluster.nodes[1].resume()
        cluster.await_whole()


def test_a_round_of_a_campaign_is_valid_and_every_kill_of_a_node_lands(
    cluster: ClusterBehindProxies, cloud: Cloud
) -> None:
    drawn = draw_round(5, 1, kills=3, client=None, node_kills=2)
    with World(broker=cluster, cloud=cloud) as world, Nursery() as nursery, NodeKills(cluster) as node_kills:
        evidence, *_ = play(world, launch_victims(nursery, node_kills), drawn, outside_only=False)
    strikes = [strike for strike in evidence.strikes if strike.name == "KillNode"]
    assert all(strike.landed for strike in strikes)
    assert node_kills.landed.total() == len(strikes) > 0
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
