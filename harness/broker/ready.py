"""Asks a broker, in Kafka's own protocol, whether it serves; a port that accepts connections proves nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from harness.wait import until

_SILENT = logging.getLogger("harness.broker.silent")  # librdkafka reports every refused connection on stderr
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())


def wait_until_ready(
    bootstrap_servers: str, *, within_s: float, still_alive: Callable[[], None], nodes: Collection[int] = ()
) -> None:
    """Return once the broker lists itself and leads every partition it has.

    With `nodes`, once all of them are there, every replica is in sync, and the first of each partition leads it.
    `still_alive` is asked before each try and raises when waiting has become pointless. Raises TimedOut.
    """
    admin = quiet_admin(bootstrap_servers)

    def serves() -> bool:
        still_alive()
        try:
            metadata = admin.list_topics(timeout=1)
        except KafkaException:
            return False
        parts = [part for topic in metadata.topics.values() for part in topic.partitions.values()]
        # A broker that was killed answers before it has left its old session, as the leader of nothing.
        led = bool(metadata.brokers) and all(part.leader != -1 for part in parts)
        in_sync = all(set(part.isrs) == set(part.replicas) and part.leader == part.replicas[0] for part in parts)
        return led and (not nodes or (in_sync and set(nodes) <= metadata.brokers.keys()))

    until(serves, within_s=within_s, what=f"the broker at {bootstrap_servers} to answer with metadata")


def quiet_admin(bootstrap_servers: str) -> AdminClient:
    """Return an admin client that finds a broker as soon as it is there, and says nothing while it is not."""
    return AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 100,  # 10 s by default, long after the broker is back
            "socket.connection.setup.timeout.ms": 2000,
        },
        logger=_SILENT,
    )
