"""Three brokers as one: the setting of production, replication 3 and `min.insync.replicas` 2, from plain JVMs.

Each node is broker and controller. What one of the other kinds does to its broker, this one does to all three; one
node is struck through `nodes[number]`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from harness.broker import leftovers
from harness.broker.jvm import JvmBroker
from harness.broker.ready import quiet_admin, wait_until_ready
from harness.broker.settings import LOOPBACK, free_ports
from harness.broker.startable import Startable
from harness.wait import until

NUMBERS = (1, 2, 3)
READY_WITHIN_S = 120.0  # three JVMs start at once, on as few cores as there are
ELECTED_WITHIN_S = 30.0
TRANSACTIONS = "__transaction_state"
OFFSETS = "__consumer_offsets"
_REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    # Each node leads some, and one id falls into different ones: the roles of a job can lie apart.
    "transaction.state.log.num.partitions": "3",
    "offsets.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A dead broker is replaced when its session ends, 9 s by default. Not shorter: a loaded machine must not end it.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "leader.imbalance.check.interval.seconds": "1",  # who is back in sync leads again what it led; 300 s by default
}


class Node(JvmBroker):
    """One of the three. Its `start` returns once it serves; `JvmCluster.await_whole` says when it is in sync again."""

    kind = "jvm3"

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        """Prepare a node that serves at the first of the ports and votes at the second."""
        super().__init__(folder)
        self._port, self._controller_port = ports[:2]
        self.bootstrap_servers = f"{LOOPBACK}:{self._port}"

    @property
    def controller(self) -> str:
        """Return the address at which it votes."""
        return f"{LOOPBACK}:{self._controller_port}"

    def configure(self, properties: Mapping[str, str]) -> None:
        """Add to Kafka's own settings; read at the next start."""
        self._extra |= properties


class JvmCluster(Startable):
    """Three brokers on loopback; storages and ports stay the same from the first start to `close`.

    Which node leads is Kafka's business: ask `leader_of` and `coordinator_of`.
    """

    kind = "jvm3"

    def __init__(self, folder: Path | None = None, properties: Mapping[str, str] | None = None) -> None:
        """Prepare the nodes, each below `folder`; without one, in a folder removed by `close`."""
        self._owns_folder = folder is None
        self._folder = leftovers.make_folder() if folder is None else folder.absolute()
        ports = free_ports(2 * len(NUMBERS))
        nodes = {number: Node(self._folder / f"node-{number}", ports[2 * number - 2 :]) for number in NUMBERS}
        self.nodes: Mapping[int, Node] = MappingProxyType(nodes)
        self.bootstrap_servers = ",".join(node.bootstrap_servers for node in nodes.values())
        voters = ",".join(f"{number}@{node.controller}" for number, node in nodes.items())
        for number, node in nodes.items():
            node.cluster_id = nodes[1].cluster_id
            node.configure({"node.id": str(number), "controller.quorum.voters": voters, **_REPLICATED})
            node.configure(properties or {})

    @property
    def log_path(self) -> Path:
        """Return the log of the first node; those of the others lie in the folders beside its own."""
        return self.nodes[1].log_path

    def start(self) -> None:
        """Start every node that is down; return when all are in sync. Raises BrokerUnavailable or TimedOut."""
        down = [node for node in self.nodes.values() if not node.is_running]
        if not down:
            raise RuntimeError("the brokers run already")
        for node in down:
            node.launch()
        self.await_whole()
        if not self.leaders_of(OFFSETS):
            make_logs(self.bootstrap_servers)

    def await_whole(self) -> None:
        """Return once every node is in sync, and leads what it led at first. Raises BrokerUnavailable or TimedOut."""
        running = [node for node in self.nodes.values() if node.is_running]

        def still_alive() -> None:
            for node in running:
                node.assert_alive()

        servers, nodes = self.bootstrap_servers, self.nodes.keys()
        wait_until_ready(servers, within_s=READY_WITHIN_S, still_alive=still_alive, nodes=nodes)

    def stop(self) -> None:
        """Shut all nodes down cleanly, at the same time; the storages stay."""
        self._each(Node.stop)

    def kill(self) -> None:
        """SIGKILL every node that runs; on return all are dead."""
        self._each(Node.kill)

    def pause(self) -> None:
        """Freeze all nodes."""
        self._each(Node.pause)

    def resume(self) -> None:
        """Let paused nodes go on."""
        self._each(Node.resume)

    def close(self) -> None:
        """End all nodes for good, at once; a folder that was made here is removed. May be called again."""
        for node in self.nodes.values():
            node.close()
        if self._owns_folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def leader_of(self, topic: str, partition: int = 0) -> int:
        """Return the number of the node that leads the partition, as soon as one does. Raises TimedOut."""
        what = f"{topic}-{partition} to have a leader"
        return until(lambda: self.leaders_of(topic).get(partition, 0), within_s=ELECTED_WITHIN_S, what=what)

    def coordinator_of(self, transactional_id: str, *, log: str = TRANSACTIONS) -> int:
        """Return the number of the node that decides this producer's transactions; with OFFSETS, the group's."""
        what = f"{log} to have leaders"
        leaders = until(lambda: self.leaders_of(log), within_s=ELECTED_WITHIN_S, what=what)
        return self.leader_of(log, java_hash(transactional_id) % len(leaders))

    def leaders_of(self, topic: str) -> dict[int, int]:
        """Return the leader of each partition that has one, as some node knows it; nothing while none answers."""
        admin = quiet_admin(self.bootstrap_servers)
        try:
            partitions = admin.list_topics(topic, timeout=2).topics[topic].partitions
        except KafkaException:
            return {}
        return {number: partition.leader for number, partition in partitions.items() if partition.leader > 0}

    def create_topic(self, topic: str, *, leader: int) -> None:
        """Create a topic of one partition that this node leads while it can."""
        replicas = [leader, *(number for number in NUMBERS if number != leader)]
        admin = quiet_admin(self.bootstrap_servers)
        admin.create_topics([NewTopic(topic, num_partitions=1, replica_assignment=[replicas])])[topic].result(
            ELECTED_WITHIN_S
        )
        until(lambda: self.leader_of(topic) == leader, within_s=ELECTED_WITHIN_S, what=f"{topic} on node {leader}")

    def _each(self, strike: Callable[[Node], None]) -> None:
        """Do it to every node that runs, to all at the same time: one that is alone cannot even stop by itself."""
        running = [node for node in self.nodes.values() if node.is_running]
        if not running:
            raise RuntimeError("the brokers are not running")
        with ThreadPoolExecutor(len(running)) as pool:
            for done in [pool.submit(strike, node) for node in running]:
                done.result()


def make_logs(bootstrap_servers: str) -> None:
    """Let Kafka make the logs of both kinds of coordinators, as it does when it is first asked for one."""
    connection = {"bootstrap.servers": bootstrap_servers, "log_level": 0}
    Producer({**connection, "transactional.id": "harness"}).init_transactions(ELECTED_WITHIN_S)
    with closing(Consumer({**connection, "group.id": "harness"})) as member:

        def is_told() -> bool:
            try:
                return bool(member.committed([TopicPartition(TRANSACTIONS, 0)], timeout=ELECTED_WITHIN_S))
            except KafkaException:  # it is being elected
                return False

        until(is_told, within_s=ELECTED_WITHIN_S, what="a group coordinator")


def java_hash(text: str) -> int:
    """Return the number by which Kafka spreads ids over the partitions of its logs, never negative."""
    number = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        number = (31 * number + unit) & 0xFFFFFFFF
    return number & 0x7FFFFFFF  # as Utils.abs: the sign is dropped, whatever the number
