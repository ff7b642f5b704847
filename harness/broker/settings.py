"""The Kafka settings that every broker of ours runs with, and the ports it listens on."""

from __future__ import annotations

import random
import socket
import uuid
from collections.abc import Mapping

NODE_ID = 1
LOOPBACK = "127.0.0.1"
# Below the ephemeral range of every common system: while a broker is down, no outgoing connection can be given its
# port, and a client that dials a closed loopback port cannot connect to itself.
PORTS = range(20_000, 30_000)


def server_properties(
    *, listen: str, advertised: str, controller: str, log_dirs: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return server.properties of a single node that starts fast and gives up fast; `extra` wins."""
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{controller}",
        "listeners": f"CLIENT://{listen},CONTROLLER://{controller}",
        "advertised.listeners": f"CLIENT://{advertised}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": log_dirs,
        "auto.create.topics.enable": "false",  # a mistyped topic must fail, as in production
        # One node: every internal topic has one replica, and one partition each starts faster.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",  # nobody else is going to join
        "group.min.session.timeout.ms": "500",
        # After SIGKILL a broker waits for its own old session to expire; 9 s by default.
        "broker.session.timeout.ms": "1500",
        "broker.heartbeat.interval.ms": "300",
        # How soon a timed-out transaction is aborted; 10 s by default.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        **extra,
    }


def fresh_cluster_id() -> str:
    """Return a random cluster id; 22 characters of the URL-safe base64 alphabet stand for the 16 bytes Kafka wants."""
    return uuid.uuid4().hex[:22]


def free_ports(count: int) -> list[int]:
    """Return ports of `PORTS` that nobody listens on, each another one."""
    ports: list[int] = []
    for port in random.sample(PORTS, k=200):
        if _is_free(port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"no {count} free ports among 200 tries in {PORTS}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the JVM does it: connections of the broker that ran here before, in TIME_WAIT, are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
