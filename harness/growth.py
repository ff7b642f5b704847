"""How far a partition has come, asked again and again at the price of one request."""

from __future__ import annotations

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import OffsetSpec

from harness.consumers import Isolation, admin_client

ANSWERED_WITHIN_S = 10.0


class Growth:
    """Watches the end of partition 0 of a topic over one connection."""

    def __init__(self, bootstrap_servers: str, topic: str, isolation: Isolation) -> None:
        """With `read_committed`, the end is the last stable offset: nothing after it is visible yet."""
        self._admin = admin_client(bootstrap_servers)
        self._place = TopicPartition(topic, 0)
        committed = isolation == "read_committed"
        self._level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED

    def end(self) -> int:
        """Return the offset after the last record as of now. Raises KafkaException."""
        asked = self._admin.list_offsets(
            {self._place: OffsetSpec.latest()}, isolation_level=self._level, request_timeout=ANSWERED_WITHIN_S
        )
        return int(asked[self._place].result().offset)
