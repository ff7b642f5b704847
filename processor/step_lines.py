"""Steps as JSON lines: the log in production, the history in the harness, the source of metrics.

`docs/operations.md` has the fields of each step and their types; tests hold it equal to what runs print.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

from processor.ports import Step

LEVELS = {
    Step.SKIPPED: "WARNING",
    Step.RETRYING: "WARNING",
    Step.REFUSED: "ERROR",
    Step.FAILED: "ERROR",
    Step.STOPPED: "WARNING",
}


class StepLines:
    """`ports.Observer` that writes one JSON object a line, flushed, with `ts`, `level`, `step` and `job_id` first.

    A `quiet` one leaves out the steps of level INFO, but for the end of the job.
    """

    def __init__(self, job_id: str, stream: TextIO, *, quiet: bool = False) -> None:
        self.job_id = job_id
        self._stream = stream
        self._quiet = quiet
        self._one_line = threading.Lock()  # a save tells its step from a thread of its own

    def step(self, step: Step, **fields: object) -> None:
        """Write one line."""
        if self._quiet and step not in LEVELS and step is not Step.DONE:
            return
        ts = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.write({"ts": ts, "level": LEVELS.get(step, "INFO"), "step": step, "job_id": self.job_id, **fields})

    def write(self, line: Mapping[str, object]) -> None:
        """Write an object as a line of its own, whatever other threads write."""
        with self._one_line:
            try:
                self._stream.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._stream.flush()
            except BrokenPipeError:
                # Whoever read the lines has gone; the rows are more important than the log.
                self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # open until the end
                os.dup2(self._stream.fileno(), sys.stdout.fileno())  # or the interpreter fails to flush it at exit
