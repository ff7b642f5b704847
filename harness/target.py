"""One process of the target: started in a session of its own, its step lines read as they come, its end confirmed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from harness.history import Attempt, Step
from harness.wait import until


class Process(Protocol):
    """What a target asks of its process; `subprocess.Popen` has it."""

    pid: int
    stdout: IO[bytes] | None
    returncode: Any

    def poll(self) -> int | None:
        """Return the return code, None while it lives."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the return code. Raises subprocess.TimeoutExpired."""


class Target:
    """A running process. What it prints on stdout as JSON objects with a `step` becomes its history.

    The process leads a session of its own, and signals go to all of it: a child that outlived its parent would be a
    zombie that nobody planned.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        number: int = 1,
        start: Callable[..., Process] = subprocess.Popen,
    ) -> None:
        """Start the process; `environment` is added to this process's own, `start` is called as Popen is."""
        self.number = number
        self.steps: list[Step] = []
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process is asked about
        self.started_s = time.monotonic()
        self._process = start(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"target {number}", daemon=True)
        self._reader.start()

    def wait(self, *, within_s: float) -> Attempt:
        """Return how the process ended. One that has not after `within_s` is killed, and TimeoutError raised."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired as late:
            self.signal(signal.SIGKILL)
            self._process.wait()
            last = self.steps[-1].fields if self.steps else "no step"
            raise TimeoutError(
                f"attempt {self.number} was still running after {within_s:g} s; last: {last}; {self.stderr}"
            ) from late
        self.seconds = time.monotonic() - self.started_s
        self._reader.join()
        code = self._process.returncode
        return Attempt(self.number, code if code >= 0 else None, -code if code < 0 else None, tuple(self.steps))

    def await_step(self, matches: Callable[[Step], bool], *, within_s: float, what: str, every_s: float = 0.05) -> Step:
        """Return the first step that matches. Raises TimedOut, also when the process has ended without one."""

        def look() -> Step | bool | None:
            ended = self._process.poll() is not None
            found = next(filter(matches, list(self.steps)), None)
            return found or (ended and not self._reader.is_alive())

        found = until(look, within_s=within_s, what=what, every_s=every_s)
        if not isinstance(found, Step):
            raise TimeoutError(f"the process ended without {what}; {self.stderr}")
        return found

    def kill_after(self, seconds: float) -> None:
        """SIGKILL the session after some time, unless it has ended by then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            return
        self.signal(signal.SIGKILL)

    def kill_when(self, condition: Callable[[], bool], *, within_s: float, what: str) -> None:
        """SIGKILL the session once the condition holds, unless it has ended by then. Raises TimedOut, and kills."""
        try:
            until(lambda: self._process.poll() is not None or condition(), within_s=within_s, what=what, every_s=0.005)
        finally:
            self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole session, if it still lives."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile, and somebody else has heard of it
                os.killpg(self._process.pid, number)

    @property
    def stderr(self) -> str:
        """What the process has written on stderr so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def _read(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        for step in parse_steps(stdout):
            self.steps.append(step)  # one by one, for whoever awaits a step


def parse_steps(lines: Iterable[bytes]) -> Iterator[Step]:
    """Yield the step lines; a COMMAND of somebody else may print what it likes between them."""
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if isinstance(fields, dict) and "step" in fields:
            yield Step(fields)
