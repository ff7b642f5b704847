"""One of three brokers falls, at a moment of the run's own: the leader of its partition, or a coordinator of its job.

Each node has a proxy of its own. A gate stops the run's request at the moment, the node falls, another one takes its
place, and only then the gate opens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

from chaos.nemesis.base import Nemesis
from chaos.nemesis.broker import AFTER_COMMIT, When
from chaos.nemesis.course import Course
from chaos.nemesis.network import Gate, Moment
from chaos.proxy import KafkaWire, Proxy
from harness.broker.cluster import OFFSETS, JvmCluster, Node
from harness.broker.settings import LOOPBACK, free_ports
from harness.history import Attempt
from harness.partition import offsets
from harness.target import Target
from harness.wait import until
from harness.world import fresh_topic

MOMENT_WITHIN_S = 60.0
MOVED_WITHIN_S = 30.0
MOST_NAMES = 500  # two in three have their coordinators apart, one in nine just so
GROUP_PREFIX = "csv-to-kafka."  # of a job's group and transactional.id
AFTER_PRODUCE = When("with the answer to Produce on its way", "Produce", answer=True)


class NodeProxy(Proxy):
    """A proxy that can refuse connections, as the port of a dead node does; to accept and reset is another fault."""

    def shut(self) -> None:
        """Refuse from now on."""

        async def close() -> None:
            if self._listener is not None:
                self._listener.close()

        self._await(close())

    def open(self) -> None:
        """Accept again."""
        self._listener = self._await(self._listen())


class ClusterBehindProxies(JvmCluster):
    """Three brokers, each with a second listener that advertises a proxy; who comes through one stays on them."""

    def __init__(self) -> None:
        super().__init__()
        self._proxies = {number: NodeProxy(KafkaWire) for number in self.nodes}
        self._opened = ExitStack()
        for number, node in self.nodes.items():
            proxy = self._proxies[number]
            proxy.server = f"{LOOPBACK}:{free_ports(1)[0]}"
            node.configure(
                {
                    "listeners": f"CLIENT://{node.bootstrap_servers},PROXIED://{proxy.server},"
                    f"CONTROLLER://{node.controller}",
                    "advertised.listeners": f"CLIENT://{node.bootstrap_servers},PROXIED://{proxy.address}",
                    "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
                }
            )
        self.proxied_servers = ",".join(proxy.address for proxy in self._proxies.values())

    def __enter__(self) -> Self:
        for proxy in self._proxies.values():
            self._opened.enter_context(proxy)
        super().__enter__()
        return self

    def close(self) -> None:
        """End brokers and proxies for good."""
        super().close()
        self._opened.close()

    def fell(self, number: int, fall: Fall) -> None:
        """Let a node fall; the port of one that is gone refuses."""
        if fall.frees_port:
            self._proxies[number].shut()
        fall.down(self.nodes[number])

    def mend(self, number: int, fall: Fall) -> None:
        """Bring a fallen node back; return when all are in sync again."""
        fall.up(self.nodes[number])
        if fall.frees_port:
            self._proxies[number].open()
        self.await_whole()

    def switch_on(self, *gates: Gate) -> None:
        """Let each gate stop its request at whichever node it arrives."""
        for proxy in self._proxies.values():
            proxy.switch_on(*gates)

    def switch_off(self) -> None:
        """Drop all gates."""
        for proxy in self._proxies.values():
            proxy.switch_off()


@dataclass(frozen=True, slots=True)
class Role:
    """What a node is to one job; `of` tells which node it is just now."""

    name: str
    of: Callable[[JvmCluster, str, str], int]


LEADER = Role("leader", lambda cluster, topic, _job: cluster.leader_of(topic))
COORDINATOR = Role("transaction coordinator", lambda cluster, _topic, job: cluster.coordinator_of(job))
GROUP_COORDINATOR = Role("group coordinator", lambda cluster, _topic, job: cluster.coordinator_of(job, log=OFFSETS))


def topics_apart(cluster: JvmCluster, count: int = 1) -> list[str]:
    """Make topics whose jobs, named after them, have their three roles on three nodes, all of them on the same."""
    found: dict[str, tuple[int, int]] = {}
    for topic in (fresh_topic() for _ in range(MOST_NAMES)):
        job = f"{GROUP_PREFIX}{topic}"
        coordinators = cluster.coordinator_of(job), cluster.coordinator_of(job, log=OFFSETS)
        if len(set(coordinators)) == len(coordinators) and {coordinators} >= set(found.values()):
            found[topic] = coordinators
            (leader,) = cluster.nodes.keys() - set(coordinators)
            cluster.create_topic(topic, leader=leader)
        if len(found) == count:
            return list(found)
    raise AssertionError(f"{MOST_NAMES} names, and none has its coordinators where they are wanted")


@dataclass(frozen=True, slots=True)
class Fall:
    """How a node goes, and how it comes back."""

    name: str
    down: Callable[[Node], None]
    up: Callable[[Node], None]
    frees_port: bool = True


KILL = Fall("killed by SIGKILL", Node.kill, Node.start)
STOP = Fall("stopped cleanly", Node.stop, Node.start)
FREEZE = Fall("frozen past its session", Node.pause, Node.resume, frees_port=False)


@dataclass
class NodeNemesis(Nemesis):
    """Fells one node, when each of the jobs has reached the moment for the n-th time.

    It has struck when the role has moved to another node, and records were in flight before: sent, and not committed,
    or their commit not answered.
    """

    title = "leader or coordinator of three brokers killed, stopped or frozen"
    holds = "what two nodes have is there, the run goes on or says 75, and the next one goes on"
    struck = False
    role: Role
    fall: Fall
    when: When
    nth: int = 3
    fell_at_s: float = field(default=0.0, init=False)
    moved_after_s: float = field(default=0.0, init=False)
    _fallen: int | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """Return who falls, how and when; see `Nemesis`."""
        return f"{self.role.name} {self.fall.name} {self.when.name}"

    def gates(self, courses: Sequence[Course]) -> list[Gate]:
        """Return the gates that stop the jobs at the moment."""
        answer, request = self.when.answer, self.when.request
        return [Gate(Moment(request, self.nth, needs=course.topic.encode()), answer=answer) for course in courses]

    def strike(self, cluster: ClusterBehindProxies, courses: Sequence[Course], gates: Sequence[Gate]) -> None:
        """Wait for the moment, fell the node, and let the jobs go on once another has its role. Raises TimedOut."""
        try:
            for gate in gates:
                gate.await_strike(within_s=MOMENT_WITHIN_S)
            in_flight = all(self._in_flight(cluster, course) for course in courses)
            (number,) = {self._number(cluster, course) for course in courses}
            self.fell_at_s = time.time()  # as the step lines have it
            self._fallen = number
            cluster.fell(number, self.fall)
            for course in courses:
                what = f"another {self.role.name} than node {number}"
                until(lambda: self._number(cluster, course) != number, within_s=MOVED_WITHIN_S, what=what)  # noqa: B023  # called at once
            self.moved_after_s = time.time() - self.fell_at_s
            self.struck = in_flight
        finally:
            for gate in gates:
                gate.lift()
            cluster.switch_off()

    def mend(self, cluster: ClusterBehindProxies) -> None:
        """Bring the node back; return when all are in sync again. Does nothing where none fell."""
        if self._fallen is not None:
            cluster.mend(self._fallen, self.fall)
            self._fallen = None

    def committed_after_s(self, attempt: Attempt) -> float | None:
        """Return how long after the fall the run committed rows again; None if it did not."""
        moments = [step.at_s for step in attempt.steps if step.name == "committed" and step.at_s is not None]
        return next((moment - self.fell_at_s for moment in moments if moment > self.fell_at_s), None)

    def _number(self, cluster: JvmCluster, course: Course) -> int:
        return self.role.of(cluster, course.topic, course.group)

    def _in_flight(self, cluster: JvmCluster, course: Course) -> bool:
        if self.when is AFTER_COMMIT:  # it is decided; the run does not know
            return True
        bounds = offsets(cluster.bootstrap_servers, course.topic)
        return bounds.stable < bounds.end


@dataclass
class Outage(Nemesis):
    """Kills so many nodes that the rest is no majority; it has struck when no run committed until it was over."""

    title = "two of three brokers down"
    holds = "nothing is committed meanwhile, and the run ends with 75 or waits"
    struck = False
    numbers: Collection[int]
    _fell_at_s: float = field(default=0.0, init=False)

    def strike(self, cluster: JvmCluster) -> None:
        """Kill the nodes."""
        for number in self.numbers:
            cluster.nodes[number].kill()
        self._fell_at_s = time.time()

    def require_silence(self, runs: Sequence[Target]) -> None:
        """Raise AssertionError if one of the runs has committed since; to be called before the nodes are back."""
        late = [
            step.fields
            for run in runs
            for step in list(run.steps)
            if step.name == "committed" and (step.at_s or 0) > self._fell_at_s
        ]
        assert not late, f"committed by a minority: {late}"
        self.struck = True
