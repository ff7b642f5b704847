"""Sees to it that a JVM of ours does not outlive the process that started it."""

from __future__ import annotations

import contextlib
import subprocess

from harness.broker import leftovers


class Guard:
    """Watches over one running JVM from its start until `dismiss`.

    However this process dies, the JVM is killed at once; where the guardian was killed too, by the next sweep.
    """

    def __init__(self, pid: int) -> None:
        # The guardian reads a pipe that only this process holds open. However this process dies, the read ends and
        # the JVM is killed. (The parent death signal of Linux would fire when the starting *thread* ends.)
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; kill -9 "$1"', "guardian", str(pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._registration = leftovers.register_jvm(pid)

    def dismiss(self) -> None:
        """End the watch; the JVM has ended."""
        self._guardian.kill()
        self._guardian.wait()
        if self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.close()
        self._registration.unlink(missing_ok=True)
