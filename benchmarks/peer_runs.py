"""Peers as contestants: the same rows as the processor, prepared once in the forms that peers can read.

What is timed differs a little, and not in our favour: a peer's rate is that from its first visible row on, the
processor's from `resumed` on, before its first row is read. Connect's worker and Flink's cluster stay up between runs,
so they are warm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.made_csv import MadeCsv
from benchmarks.peers.connect import ConnectPeer
from benchmarks.peers.count import count_rows
from benchmarks.peers.flink import FlinkPeer
from benchmarks.peers.peer import Peer
from benchmarks.peers.programs import confluent_script, kafka_python_loop, kcat, perf_test
from benchmarks.runs import Run
from benchmarks.scale import Scale
from benchmarks.stage import Stage
from processor.model import LINGER_MS
from processor.sink_kafka_python import PRODUCE_BATCH_BYTES

PEER_BYTES = 100_000_000
ROWS_IN_STEPS_OF = 10_000  # the file source of Connect sends whole batches
FEWEST_ROWS = 50_000  # some transactions, or all rows become visible at once and there is nothing to time
# The settings of our own sink, so that the loop is that client's limit and nothing else.
SAME_AS_OURS = {
    "acks": "all",
    "compression_type": "gzip",
    "max_in_flight_requests_per_connection": 1,
    "enable_idempotence": True,
    "batch_size": PRODUCE_BATCH_BYTES,
    "linger_ms": LINGER_MS,
    "metrics_enabled": False,
}


@dataclass(frozen=True, slots=True)
class PeerRun:
    """A peer, by the function that makes it for a broker."""

    name: str
    make: Callable[[str], Peer]
    share: float = 1.0  # of the rows that the fastest peers move
    quick: bool = False
    resumes: bool = False  # whether it goes on after a kill, with what it had not committed
    role: str = "peer"

    def made(self, scale: Scale, *, times: int = 1) -> MadeCsv:
        """Return the object to move at this scale, or one of so many times the rows."""
        rows = times * int(PEER_BYTES * self.share * scale.end_to_end_share) // 100
        return MadeCsv("rows", 100, max(rows - rows % ROWS_IN_STEPS_OF, FEWEST_ROWS))

    def settings(self) -> dict[str, object]:
        """Return what tells it from the others; the rest stands in `peers.programs` and `peers.connect`."""
        return {"peer": self.name}

    def run(self, stage: Stage, made: MadeCsv) -> Run:
        """Move the rows on a topic of its own, and count what a reader finds there."""
        peer, prepared = stage.peers.peer(self.name, self.make), stage.peers.prepared(made)
        with stage.topic({}) as topic:  # nothing is dropped before it was counted
            found = peer.run(prepared, topic)
            counted = count_rows(stage.world.broker.bootstrap_servers, topic, prepared, in_order=peer.in_order)
        return Run(made.rows / found.rows_per_s, made.rows, made.size_bytes, mark=counted.mark)

    def resume_s(self, stage: Stage, made: MadeCsv) -> float:
        """Kill it in mid-file; return the seconds to its first new row. Raises RuntimeError where rows are wrong then.

        Its process is started again, nothing else: broker, job manager and what else it has stay up.
        """
        peer, prepared = stage.peers.peer(self.name, self.make), stage.peers.prepared(made)
        with stage.topic({}) as topic:
            seconds = peer.resume_s(prepared, topic)
            mark = count_rows(stage.world.broker.bootstrap_servers, topic, prepared).mark
        if seconds is None or mark:
            raise RuntimeError(f"{self.name} after a kill: {mark or 'knows no resume'}")
        return seconds


PEERS = (
    PeerRun("kcat -P -l", kcat, quick=True),
    PeerRun("producer-perf-test", perf_test, quick=True),
    PeerRun("producer-perf-test transactional", lambda at: perf_test(at, transaction_ms=50), quick=True),
    PeerRun("Connect file source exactly-once", ConnectPeer, quick=True, resumes=True),
    PeerRun("Connect file source exactly-once by interval", lambda at: ConnectPeer(at, "interval")),
    PeerRun("Flink SQL exactly-once", FlinkPeer, resumes=True),
    PeerRun("confluent-kafka script each 10000", confluent_script, share=0.3),
    PeerRun(
        "kafka-python loop gzip each 10000",
        lambda at: kafka_python_loop(at, transaction_rows=10_000, settings=SAME_AS_OURS),
        share=0.3,
        quick=True,
    ),
)
