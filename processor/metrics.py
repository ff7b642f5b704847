"""Metrics for CloudWatch: one line a minute in the embedded metric format (EMF), beside the step lines.

The log group makes metrics of such a line by itself; nobody calls CloudWatch. The format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Latencies are arrays of values, not percentiles worked out here: of values CloudWatch can tell p50 and p99 over any
time and any number of lines, and two percentiles cannot be put together to one. An array holds 100 values at most; of
more commits than that it holds 100 that lie evenly among them by rank, the least and the greatest included, so
that percentiles stay what they are. `Commits` is the number of commits, not the number of values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from processor.ports import Step
from processor.step_lines import StepLines

NAMESPACE = "csv-to-kafka"
EVERY_S = 60.0
MOST_VALUES = 100  # of an array; the format's own limit
LAST_STEPS = frozenset({Step.DONE, Step.REFUSED, Step.STOPPED, Step.FAILED})
UNITS = {
    "RowsCommitted": "Count",
    "BytesCommitted": "Bytes",  # of values, before compression
    "Commits": "Count",
    "SendMs": "Milliseconds",
    "CommitMs": "Milliseconds",
    "Retries": "Count",
    "RowsSkipped": "Count",
    "LagBytes": "Bytes",
}


class Metrics:
    """`ports.Observer` around the step lines: passes each step on, and writes a line a minute and one at the end.

    Counts are those since the line before, so that sums over lines are right. `SendMs` and `CommitMs` are missing from
    a minute without a commit, `LagBytes` until the position is known, and in a compressed object until its end.
    Not guaranteed: the last line of a run that is killed, or ended in the middle of a batch.
    """

    def __init__(
        self, lines: StepLines, *, every_s: float = EVERY_S, now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6
    ) -> None:
        self._lines = lines
        self._every_s = every_s
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._minutes: threading.Thread | None = None
        self._size_bytes: int | None = None
        self._lag_bytes: int | None = None
        self._skipped = 0
        self._resumed = False
        self._reset()

    def step(self, step: Step, **fields: Any) -> None:
        """Pass the step on and take note of it; see `ports.Observer`."""
        self._lines.step(step, **fields)
        with self._lock:
            self._note(step, fields)
        if step in LAST_STEPS:
            self._over.set()
            self.write()
        elif self._minutes is None:
            self._minutes = threading.Thread(target=self._write_each_minute, name="metrics", daemon=True)
            self._minutes.start()

    def write(self) -> None:
        """Write what has come together since the line before."""
        with self._lock:
            found: dict[str, object] = {**self._counts, "RowsSkipped": self._skipped - self._skipped_before}
            found |= {name: spread(values) for name, values in self._latencies.items() if values}
            if self._lag_bytes is not None:
                found["LagBytes"] = self._lag_bytes
            self._reset()
        self._lines.write(emf(self._now_ms(), self._lines.job_id, found))

    def _reset(self) -> None:
        self._counts = dict.fromkeys(("RowsCommitted", "BytesCommitted", "Commits", "Retries"), 0)
        self._latencies: dict[str, list[float]] = {"SendMs": [], "CommitMs": []}
        self._skipped_before = self._skipped

    def _note(self, step: Step, fields: Mapping[str, Any]) -> None:
        if step is Step.COMMITTED:
            self._counts["RowsCommitted"] += fields["rows"]
            self._counts["BytesCommitted"] += fields["bytes"]
            self._counts["Commits"] += 1
            self._latencies["SendMs"].append(fields["send_ms"])
            self._latencies["CommitMs"].append(fields["commit_ms"])
            self._skipped = fields.get("skipped", 0)
            self._note_place(fields)
        elif step is Step.RESUMED:
            self._size_bytes = fields["size_bytes"]
            self._skipped = fields.get("skipped", 0)
            if not self._resumed:  # what is skipped already, earlier runs have counted
                self._skipped_before = self._skipped
            self._resumed = True
            self._note_place(fields)
        elif step is Step.RETRYING:
            self._counts["Retries"] += 1
        elif step is Step.DONE:
            self._lag_bytes = 0

    def _note_place(self, fields: Mapping[str, Any]) -> None:
        if self._size_bytes is not None:
            self._lag_bytes = self._size_bytes - fields["byte_offset"]

    def _write_each_minute(self) -> None:
        while not self._over.wait(self._every_s):
            self.write()


def spread(values: list[float]) -> list[float]:
    """Return the values, or 100 of them that lie evenly among them by rank."""
    if len(values) <= MOST_VALUES:
        return values
    ranked, last = sorted(values), MOST_VALUES - 1
    return [ranked[round(place * (len(values) - 1) / last)] for place in range(MOST_VALUES)]


def emf(timestamp_ms: int, job_id: str, found: Mapping[str, object]) -> dict[str, object]:
    """Return the line: what the metrics are, then their values. It has no `step` and no `level`: it is no step."""
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["job_id"]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in found],
    }
    return {"_aws": {"Timestamp": timestamp_ms, "CloudWatchMetrics": [directive]}, "job_id": job_id, **found}
