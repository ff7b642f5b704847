"""One JVM on loopback beside the broker, which dies with whoever started it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.broker.guard import Guard
from harness.broker.jre import java_home
from harness.broker.settings import LOOPBACK

_ANSWERED_WITHIN_S = 90.0
# What log4j2 is told.
WARNINGS_ON_STDOUT = """\
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{ISO8601} %p %m (%c)%n
"""


class GuardedJvm:
    """Runs from the moment it is made until `kill`; what it says goes to the end of a file."""

    def __init__(
        self,
        class_path: Sequence[Path],
        arguments: Sequence[str],
        log_path: Path,
        *,
        environment: Mapping[str, str] | None = None,
        own_session: bool = True,
    ) -> None:
        """Start `java` with these arguments. With `own_session=False` it dies with its starter's process group."""
        self._log_path = log_path
        command = [str(java_home() / "bin" / "java"), "-cp", os.pathsep.join(map(str, class_path)), *arguments]
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=own_session,
                env={**os.environ, **(environment or {})},
            )
        self._guard = Guard(self._process.pid)

    def require_alive(self, name: str) -> None:
        """Raise RuntimeError, with the end of what it said, where it has died."""
        code = self._process.poll()
        if code is not None:
            tail = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise RuntimeError(f"{name} ended with {code}: {' | '.join(tail)}")

    def kill(self) -> int:
        """SIGKILL; on return it is dead. Returns how it ended, which may have been before."""
        self._process.kill()
        code = self._process.wait()
        self._guard.dismiss()
        return code


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, Any] | None:
    """Return status and JSON of the answer of a server on loopback, or its text where it is no JSON.

    None where nobody answers, or not yet.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWERED_WITHIN_S)
    content = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    except OSError:
        return None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text or b"{}")
    except ValueError:
        return answer.status, text.decode(errors="replace")
