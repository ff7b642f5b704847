"""Flink SQL from CSV to Kafka with exactly-once: the one peer that does the whole job, on a cluster that stays up."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.peers.flink_cluster import FlinkCluster
from benchmarks.peers.peer import Measured, PeerUnavailable, Prepared
from benchmarks.peers.watch import Watch, time_to_new_row
from harness.broker import BrokerUnavailable

DONE_WITHIN_S = 300.0
# What suits it best: large requests, a short wait for them, one in flight as for everyone.
PRODUCER = {
    "compression.type": "lz4",
    "batch.size": "1048576",
    "linger.ms": "20",
    "max.in.flight.requests.per.connection": "1",
    "transaction.timeout.ms": "10000",  # readers wait so long behind what a dead task manager may leave open
}


class FlinkPeer:
    """Reads CSV and writes JSON, in transactions as long as its checkpoints are apart: one second.

    Object reuse is on and the task manager has 2.5 GB of heap. Its CSV format takes a header for a row, so it is
    given the rows without theirs.
    """

    delivery = "exactly-once"
    in_order = True
    name = "Flink SQL"

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._opened = ExitStack()

    def run(self, prepared: Prepared, topic: str) -> Measured:
        """Submit the job, and wait until it has ended."""
        with Watch(self._servers, topic) as watch:
            job = self._submit(prepared, topic)
            self._cluster.await_job(job, within_s=DONE_WITHIN_S)
            return watch.measured(prepared.rows)

    def resume_s(self, prepared: Prepared, topic: str) -> float:
        """SIGKILL the task manager once its first rows are visible; return how long a new one took to the next ones.

        Raises RuntimeError where the rows were too few to be cut short.
        """
        job = self._submit(prepared, topic)
        kill, start = self._cluster.kill_task_manager, self._cluster.start_task_manager
        resumed_s = time_to_new_row(self._servers, topic, prepared.rows, kill=kill, start=start)
        self._cluster.await_job(job, within_s=DONE_WITHIN_S)
        return resumed_s

    def __enter__(self) -> Self:
        try:
            self._cluster = self._opened.enter_context(FlinkCluster())
        except BrokerUnavailable as why:
            raise PeerUnavailable(str(why)) from why
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _submit(self, prepared: Prepared, topic: str) -> str:
        """Start moving the rows; return the job's id. Flink's tables outlive a job, so they have names of their own."""
        with prepared.csv.open(encoding="utf-8") as csv:
            names = csv.readline().rstrip("\n").split(",")
        columns = ", ".join(f"`{name}` STRING" for name in names)
        run = uuid.uuid4().hex
        source = {"connector": "filesystem", "path": _without_header(prepared.csv).as_uri(), "format": "csv"}
        sink = {
            "connector": "kafka",
            "topic": topic,
            "properties.bootstrap.servers": self._servers,
            "format": "json",
            "sink.delivery-guarantee": "exactly-once",
            "sink.transactional-id-prefix": run,
            **{f"properties.{name}": value for name, value in PRODUCER.items()},
        }
        for table, options in (("source", source), ("sink", sink)):
            listed = ", ".join(f"'{name}' = '{value}'" for name, value in options.items())
            self._cluster.execute(f"CREATE TABLE {table}_{run} ({columns}) WITH ({listed})")
        (job,) = self._cluster.execute(f"INSERT INTO sink_{run} SELECT * FROM source_{run}")  # noqa: S608  # ours
        return str(job)


def _without_header(csv: Path) -> Path:
    """Return a copy of the file without its first line, which is made at its first use."""
    bare = csv.with_name(f"{csv.stem}.bare.csv")
    if not bare.exists():
        bare.write_bytes(csv.read_bytes().partition(b"\n")[2])
    return bare
