"""Nothing is left behind: who started what is written down, and the next start ends what a dead owner left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

_FOLDER_PREFIX = "csv-to-kafka-broker-"
_OWNER_FILE = "owner.json"


@dataclass(frozen=True, slots=True)
class ProcessName:
    """One process, told apart by machine and start time from every other one with the same id."""

    host: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessName:
        """Name a running process of this machine."""
        return cls(host=socket.gethostname(), pid=pid, started=_start_time(pid) or "gone")

    @classmethod
    def of_this_process(cls) -> ProcessName:
        """Name the process that asks."""
        return cls.of(os.getpid())

    @classmethod
    def from_json(cls, text: str) -> ProcessName:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(host=fields["host"], pid=fields["pid"], started=fields["started"])

    def to_json(self) -> str:
        """Return the name as a text, for a file or a label."""
        return json.dumps(asdict(self))

    def is_dead(self) -> bool:
        """Tell whether it surely has ended; of a process elsewhere (a container shares our files) we cannot know."""
        return self.host == socket.gethostname() and _start_time(self.pid) != self.started


def make_folder() -> Path:
    """Make a temporary folder that a later sweep removes once this process has died."""
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    (folder / _OWNER_FILE).write_text(ProcessName.of_this_process().to_json(), encoding="utf-8")
    return folder


def register_jvm(pid: int) -> Path:
    """Write down that this process owns a JVM; the returned file is to be removed when the JVM has ended."""
    path = registry() / f"jvm-{pid}-{os.getpid()}.json"
    draft = path.with_suffix(".draft")
    draft.write_text(f"{ProcessName.of_this_process().to_json()}\n{ProcessName.of(pid).to_json()}\n", encoding="utf-8")
    draft.rename(path)  # a sweep beside us sees all of it or nothing
    return path


def sweep() -> list[str]:
    """End every JVM and remove every folder whose owner has died; return what was done."""
    done = []
    for path in sorted(registry().glob("jvm-*.json")):
        with contextlib.suppress(FileNotFoundError):  # another sweep may be faster
            owner, jvm = map(ProcessName.from_json, path.read_text(encoding="utf-8").splitlines())
            if owner.is_dead():
                if not jvm.is_dead():
                    os.kill(jvm.pid, signal.SIGKILL)
                path.unlink()
                done.append(f"killed broker {jvm.pid} of process {owner.pid}")
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*/{_OWNER_FILE}")):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if ProcessName.from_json(path.read_text(encoding="utf-8")).is_dead():
                shutil.rmtree(path.parent)
                done.append(f"removed {path.parent}")
    return done


def registry() -> Path:
    """Return the folder of registrations, one for each user."""
    path = Path(tempfile.gettempdir()) / f"csv-to-kafka-jvms-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to somebody else, and would say which processes to kill")
    return path


def _start_time(pid: int) -> str | None:
    """Return when the process started, as a text that only serves for comparison; None if there is no process."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
        return None if fields[0] == "Z" else fields[19]
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None
