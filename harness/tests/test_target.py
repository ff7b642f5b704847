"""A process of the target that ends just when it is sent a signal is no error of whoever sends it."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any

from harness.target import Target


class EndsUnheard:
    """What Popen is, of a process that has ended and was waited for by somebody else: it looks alive, and is not."""

    def __init__(self, command: Any, **_: Any) -> None:
        self.pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], os.environ, setsid=True)
        os.waitpid(self.pid, 0)
        self.stdout, self.returncode = io.BytesIO(), None

    def poll(self) -> None:
        return None

    def wait(self, timeout: float | None = None) -> int:
        return 0


def test_signal_to_a_process_that_has_just_ended_goes_nowhere() -> None:
    Target(["anything"], {}, start=EndsUnheard).signal(signal.SIGCONT)
