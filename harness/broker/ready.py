"""Asks a broker, in Kafka's own protocol, whether it serves; a port that accepts connections proves nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from harness.wait import until

_SILENT = logging.getLogger("harness.broker.silent")  # librdkafka reports every refused connection on stderr
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())


def wait_until_ready(bootstrap_servers: str, *, within_s: float, still_alive: Callable[[], None]) -> None:
    """Return once the broker lists itself and leads every partition it has.

    `still_alive` is asked before each try and raises when waiting has become pointless. Raises TimedOut.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 100,  # 10 s by default, long after the broker is back
            "socket.connection.setup.timeout.ms": 2000,
        },
        logger=_SILENT,
    )

    def serves() -> bool:
        still_alive()
        try:
            metadata = admin.list_topics(timeout=1)
        except KafkaException:
            return False
        leaders = [part.leader for topic in metadata.topics.values() for part in topic.partitions.values()]
        # A broker that was killed answers before it has left its old session, as the leader of nothing.
        return bool(metadata.brokers) and -1 not in leaders

    until(serves, within_s=within_s, what=f"the broker at {bootstrap_servers} to answer with metadata")
