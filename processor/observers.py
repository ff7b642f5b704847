"""Who is told of a run's steps: lines on stdout, metrics among them, a bar on stderr; by settings and terminals.

::

    stderr is      stdout is      --log-level   on stdout                                    bar
    anything       anything       debug         every step                                   none
    anything       anything       warning       what goes wrong, and the end                 none
    no terminal    anything       info          every step                                   none
    a terminal     no terminal    info          every step                                   yes
    a terminal     a terminal     info          what goes wrong, and the end                 yes
"""

from __future__ import annotations

import logging
import os
from typing import TextIO

from processor.metrics import Metrics
from processor.ports import Observer
from processor.progress import Progress
from processor.settings import Settings
from processor.step_lines import StepLines


def observer_for(settings: Settings, stdout: TextIO, stderr: TextIO) -> Observer:
    """Return what the settings ask for; see the table above."""
    with_bar = settings.log_level == "info" and stderr.isatty() and os.environ.get("TERM") != "dumb"
    quiet = settings.log_level == "warning" or (with_bar and stdout.isatty())
    lines = StepLines(settings.job_id, stdout, quiet=quiet)
    observer: Observer = Metrics(lines) if settings.metrics == "emf" else lines
    if settings.log_level == "debug":
        hear_libraries(stderr)
    return Progress(observer, stderr) if with_bar else observer


def hear_libraries(stream: TextIO) -> None:
    """Let the libraries' own log through, from INFO up: what they say at DEBUG may hold a secret."""
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.INFO)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(super().format(record).split())
