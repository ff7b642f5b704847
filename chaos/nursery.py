"""Victims without their start-up: a process that has imported everything forks one for each attempt.

What a victim does from `main` on is the same as in a process of its own; only the interpreter's start and the imports
(a second of CPU time) are not done again. `python -m chaos.nursery FD` gets one byte for each victim on a socket, and
with it four pipes: its order, its stdout, its stderr, and one on which its end is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from harness.history import Attempt
from harness.target import Target

BORN_WITHIN_S = 30.0


class Born:
    """A victim as `subprocess.Popen` would present it."""

    def __init__(self, stdout: int, end: int) -> None:
        """Wait for its birth. Raises RuntimeError when there is none."""
        self.stdout: IO[bytes] | None = os.fdopen(stdout, "rb")
        self.returncode: int | None = None
        self._end = os.fdopen(end, "rb", buffering=0)  # what lay in a buffer, select would not see
        self.pid = self._told(BORN_WITHIN_S)

    def poll(self) -> int | None:
        """Return the return code, None while it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the return code. Raises TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._told(timeout)
            self._end.close()
        return self.returncode

    def _told(self, within_s: float | None) -> int:
        if not select.select([self._end], [], [], within_s)[0]:
            raise subprocess.TimeoutExpired("a victim of the nursery", within_s or 0)
        line = self._end.readline()
        if not line:
            raise RuntimeError("the nursery is gone")
        return int(line)


class Nursery:
    """Forks victims, several at once if need be. A context manager."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaos.nursery", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, _command: Sequence[str], *, env: Mapping[str, str], stderr: IO[bytes], **_: object) -> Born:
        """Have a victim born, in a process group of its own; to be called as Popen is, for the command of a victim."""
        order, for_order = os.pipe()
        stdout, for_lines = os.pipe()
        end, for_end = os.pipe()
        handed_over = (order, for_lines, stderr.fileno(), for_end)
        try:
            socket.send_fds(self._orders, [b"1"], handed_over)
        except OSError:
            os.close(stdout)
            os.close(end)
            raise
        finally:
            for descriptor in (order, for_lines, for_end):
                os.close(descriptor)
        with os.fdopen(for_order, "wb") as written:
            written.write(json.dumps(dict(env)).encode())
        return Born(stdout, end)

    def run(
        self, environment: Mapping[str, str], *, number: int, within_s: float, kill_after_s: float | None = None
    ) -> Attempt:
        """Start a victim and wait for its end; SIGKILL it after `kill_after_s`, if it lives that long.

        Raises TimeoutError when it has not ended within the bound; then it is killed too.
        """
        target = Target((), environment, number=number, start=self.start)
        if kill_after_s is not None:
            target.kill_after(kill_after_s)
        return target.wait(within_s=within_s)

    def close(self) -> None:
        """End the nursery; whoever was born in it lives on."""
        self._orders.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def warm_up() -> None:
    """Import what a victim imports, and let boto3 read its service models, without asking anybody anything."""
    import processor.checkpoint_dynamodb  # noqa: PLC0415
    import processor.sink_confluent  # noqa: PLC0415
    import processor.sink_kafka_python  # noqa: PLC0415
    import processor.source_s3  # noqa: F401, PLC0415
    from processor.aws import aws_session  # noqa: PLC0415

    for service in ("s3", "dynamodb"):
        aws_session().client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")  # noqa: S106  # signs nothing


def serve(orders: socket.socket) -> None:
    """Fork a keeper for each order until there are no more."""
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    while True:
        order, descriptors, _flags, _address = socket.recv_fds(orders, 1, 4)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            _keep(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(order: int, stdout: int, stderr: int, end: int) -> NoReturn:
    """Fork the victim, tell its pid, wait for it, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(end)
        _live(order, stdout, stderr)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # both sides do it, so that the group is there before anybody signals it
    for descriptor in (order, stdout, stderr):
        os.close(descriptor)
    os.write(end, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
        os.write(end, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _live(order: int, stdout: int, stderr: int) -> NoReturn:
    """Be the victim: a process group and an environment of its own, then the command line's `main`."""
    from chaos.victim import build_victim  # noqa: PLC0415
    from processor.__main__ import main  # noqa: PLC0415

    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    with os.fdopen(order, "rb") as written:
        environment: dict[str, Any] = json.loads(written.read())
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    code = 70
    try:
        code = main(["run"], assemble=build_victim)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
