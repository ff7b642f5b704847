"""Whether a broker says that it broke its word: commits that it answered, and whose markers it then gave up.

Apache Kafka 4.3.1 does so when it is killed between the decision and the markers and started again at once: the
transaction coordinator loads before the metadata cache knows any topic, takes the partitions for deleted ones, and
calls the transaction done. Its log has a line for it. Most of the time it resigns before that is written down, and the
next load sends the markers; so the line says that commits may be lost, not that one is.
"""

from pathlib import Path

LINE = "while trying to send transaction markers for {id}, these partitions are likely deleted already"


def lost_commits(log: Path | None, transactional_id: str) -> bool:
    """Tell whether the log has the line for this id; of several brokers, whose folders lie side by side, any log."""
    if log is None:
        return False
    line = LINE.format(id=transactional_id).encode()
    return any(line in each.read_bytes() for each in {log, *log.parent.parent.glob(f"node-*/{log.name}")})
