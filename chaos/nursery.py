"""Victims without their start-up: a process that has imported everything forks one for each attempt.

What a victim does from `main` on is the same as in a process of its own; only the interpreter's start and the imports
(0.4 s of 0.5 s) are not done again. `python -m chaos.nursery` reads one JSON line for each victim and answers with
two: its pid when it was born, and its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.history import Attempt, Step
from harness.target import parse_steps

BORN_WITHIN_S = 30.0


class Nursery:
    """The harness's end: starts victims one after the other and says how each ended. A context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="csv-to-kafka-nursery-")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, environment: Mapping[str, str], *, number: int, within_s: float, kill_after_s: float | None = None
    ) -> Attempt:
        """Start a victim and wait for its end; SIGKILL it after `kill_after_s`, if it lives that long.

        Raises TimeoutError when it has not ended within the bound; then it is killed too.
        """
        lines = Path(self._folder.name) / "lines"
        errors = Path(self._folder.name) / "errors"
        for left in (lines, errors):  # one that is killed at birth leaves nothing, least of all another one's lines
            left.write_bytes(b"")
        order = {"environment": dict(environment), "lines": str(lines), "errors": str(errors)}
        self._say(order)
        pid = int(self._hear()["pid"])
        killed_late = self._await_end(pid, kill_after_s, within_s)
        end = self._hear()
        if killed_late:
            raise TimeoutError(f"attempt {number} ran longer than {within_s:g} s: {lines.read_text()[-500:]}")
        steps: tuple[Step, ...] = tuple(parse_steps(lines.read_bytes().splitlines()))
        self.stderr = errors.read_text(errors="replace")
        return Attempt(number, end["exit_code"], end["signal"], steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _await_end(self, pid: int, kill_after_s: float | None, within_s: float) -> bool:
        """Wait until the nursery has something to say; kill the victim at its time, or at the bound."""
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the nursery has no stdout")
        began = time.monotonic()
        for limit_s in (kill_after_s, within_s):
            if limit_s is None:
                continue
            if _readable(stdout.fileno(), began + limit_s - time.monotonic()):
                return False
            _kill(pid)
        return _readable(stdout.fileno(), BORN_WITHIN_S)

    def _say(self, order: Mapping[str, Any]) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the nursery has no stdin")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("the nursery has no stdout")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the nursery ended with {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said


def _readable(descriptor: int, seconds: float) -> bool:
    import select  # noqa: PLC0415  # the forked side has no use for it

    return bool(select.select([descriptor], [], [], max(0.0, seconds))[0])


def _kill(pid: int) -> None:
    for kill in (os.killpg, os.kill):  # one that was just born has no session of its own yet
        with contextlib.suppress(ProcessLookupError):  # or it ended by itself, a moment ago
            kill(pid, signal.SIGKILL)


def warm_up() -> None:
    """Import what a victim imports, and let boto3 read its service models, without asking anybody anything."""
    import processor.checkpoint_dynamodb  # noqa: PLC0415
    import processor.sink_confluent  # noqa: PLC0415
    import processor.sink_kafka_python  # noqa: PLC0415
    import processor.source_s3  # noqa: F401, PLC0415
    from processor.aws import aws_session  # noqa: PLC0415

    for service in ("s3", "dynamodb"):
        aws_session().client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106  # signs nothing


def serve() -> None:
    """Fork a victim for each line on stdin until it ends."""
    warm_up()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        _answer({"pid": pid})
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        _answer({"exit_code": code if code >= 0 else None, "signal": -code if code < 0 else None})


def _live(order: Mapping[str, Any]) -> None:
    """Be the victim: a session, files and an environment of its own, then the command line's `main`."""
    from chaos.victim import build_victim  # noqa: PLC0415
    from processor.__main__ import main  # noqa: PLC0415

    os.setsid()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    os.dup2(os.open(order["lines"], flags), 1)
    os.dup2(os.open(order["errors"], flags), 2)
    os.environ.update(order["environment"])
    random.seed()
    code = 70
    try:
        code = main(["run"], assemble=build_victim)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()
