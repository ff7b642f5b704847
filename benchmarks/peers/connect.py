"""Kafka Connect's file source with exactly-once, on a worker that stays up from run to run."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from benchmarks.peers.peer import Measured, PeerUnavailable, Prepared
from benchmarks.peers.watch import Watch, time_to_new_row
from harness.broker import BrokerUnavailable
from harness.connect import Boundary, ConnectWorker, file_source, offsets_topic, utf16_units
from harness.growth import Growth
from harness.partition import LiveReader

BATCH_ROWS = 10_000
DONE_WITHIN_S = 300.0


class ConnectPeer:
    """Sends prepared lines; it knows no CSV. With `poll` a transaction is a batch of 10,000 lines, else one second.

    Where the number of rows is no multiple of the batch, the file source may keep the last lines to itself, and the
    run times out.
    """

    delivery = "exactly-once"
    in_order = True

    def __init__(self, bootstrap_servers: str, boundary: Boundary = "poll") -> None:
        self.name = f"Connect file source, transaction.boundary={boundary}"
        self._servers = bootstrap_servers
        self._boundary = boundary
        self._worker_name = f"bench-{uuid.uuid4().hex[:12]}"
        self._opened = ExitStack()

    def run(self, prepared: Prepared, topic: str) -> Measured:
        """Submit a connector of the run's own, and wait until the last line's place is committed."""
        with Watch(self._servers, topic) as watch, self._places() as places:
            self._submit(prepared, topic)
            self._await_end(prepared, topic, places)
            measured = watch.measured(prepared.rows)
        self._worker.delete(topic)
        return measured

    def resume_s(self, prepared: Prepared, topic: str) -> float:
        """SIGKILL the worker once its first rows are visible; return how long its new start took to the next ones.

        Raises RuntimeError where the rows were too few to be cut short.
        """
        with self._places() as places:
            self._submit(prepared, topic)
            kill, start = self._worker.kill, self._worker.start
            resumed_s = time_to_new_row(self._servers, topic, prepared.rows, kill=kill, start=start)
            self._await_end(prepared, topic, places)
        self._worker.delete(topic)
        return resumed_s

    def __enter__(self) -> Self:
        try:
            self._worker = self._opened.enter_context(ConnectWorker(self._servers, self._worker_name))
        except BrokerUnavailable as why:
            raise PeerUnavailable(str(why)) from why
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _submit(self, prepared: Prepared, topic: str) -> None:
        self._worker.submit(topic, file_source(prepared.lines, topic, boundary=self._boundary, batch_rows=BATCH_ROWS))

    def _places(self) -> LiveReader:
        """Return a reader of the places that are committed from now on, which are those of one connector."""
        topic = offsets_topic(self._worker_name)
        return LiveReader(self._servers, topic, start_offset=Growth(self._servers, topic, "read_uncommitted").end())

    def _await_end(self, prepared: Prepared, topic: str, places: LiveReader) -> None:
        end = utf16_units(prepared.lines.read_bytes())
        self._worker.await_place(topic, end, places, within_s=DONE_WITHIN_S)
