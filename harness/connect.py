"""Kafka Connect's distributed worker with its file source, exactly-once: the peer that comes nearest to the processor.

Only a distributed worker has exactly-once for sources (KIP-618), so this is one, alone in its group. Where it goes on
is in its offsets topic, written in the transaction that carries the lines. The topics bear the worker's name: one that
is started again under the same name on the same cluster goes on where the last one was killed.

The file source sends lines. It knows no header and no quotes, sends no last line without its newline, and counts its
place in UTF-16 units while it skips bytes, so that it loses it after the first character that is not ASCII.
"""

from __future__ import annotations

import http.client
import json
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harness.broker import jars, leftovers
from harness.broker.guarded_jvm import WARNINGS_ON_STDOUT, GuardedJvm, ask
from harness.broker.settings import LOOPBACK, free_ports
from harness.broker.startable import Startable
from harness.consumers import admin_client
from harness.partition import LiveReader, read
from harness.wait import TimedOut, until

Boundary: TypeAlias = Literal["poll", "interval"]
READY_WITHIN_S = 90.0  # behind a transaction that nobody ends, a worker waits until the broker times it out
_STRINGS = "org.apache.kafka.connect.storage.StringConverter"
# What the distribution's own start script gives the JVM.
_JVM = ("-Xms256M", "-Xmx2G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35")


def worker_properties(bootstrap_servers: str, name: str, *, port: int) -> dict[str, str]:
    """Return the settings of a worker that is alone, starts fast, and promises exactly-once."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": f"connect-{name}",
        "config.storage.topic": f"connect-configs-{name}",
        "offset.storage.topic": offsets_topic(name),
        "status.storage.topic": f"connect-status-{name}",
        "offset.storage.partitions": "1",  # 25 by default: one connector has one place to remember
        "status.storage.partitions": "1",
        **{f"{topic}.storage.replication.factor": "1" for topic in ("config", "offset", "status")},
        "exactly.once.source.support": "enabled",
        "key.converter": _STRINGS,
        "value.converter": _STRINGS,  # a line's characters, and nothing around them
        "listeners": f"http://{LOOPBACK}:{port}",
        "plugin.discovery": "service_load",  # the default opens every jar to look for plugins: 4 s of 9
        # A dead worker is given up before the next one is up: its start takes longer than this.
        "session.timeout.ms": "3000",
        "heartbeat.interval.ms": "500",
        "scheduled.rebalance.max.delay.ms": "0",  # 5 minutes by default, for a worker that may come back
    }


def file_source(lines: Path, topic: str, *, boundary: Boundary, batch_rows: int) -> dict[str, str]:
    """Return a connector's settings: one task that sends the lines of a file to a topic, each exactly once.

    With the boundary `poll` a transaction holds the lines of one batch, with `interval` those of a second.
    """
    return {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
        "tasks.max": "1",
        "file": str(lines),
        "topic": topic,
        "batch.size": str(batch_rows),
        "exactly.once.support": "required",
        "transaction.boundary": boundary,
        **({"transaction.boundary.interval.ms": "1000"} if boundary == "interval" else {}),
        "producer.override.compression.type": "lz4",
        "producer.override.batch.size": "262144",  # 16 KB by default
        # A worker that starts behind the open transaction of a dead one waits for this, 60 s by default.
        "producer.override.transaction.timeout.ms": "10000",
    }


def committed_place(bootstrap_servers: str, name: str) -> int:
    """Return where the one connector of a worker that is down will go on in its file; 0 where it never committed.

    Waits until the broker has ended what a dead worker left open. Raises TimedOut.
    """
    topic = offsets_topic(name)
    if topic not in admin_client(bootstrap_servers).list_topics(timeout=10).topics:
        return 0
    values = until(lambda: _decided(bootstrap_servers, topic), within_s=READY_WITHIN_S, what=f"{topic} to be decided")
    return place_of(values[-1])


def _decided(bootstrap_servers: str, topic: str) -> list[bytes | None]:
    """Return the values of all places, the empty one before the first; nothing while a transaction is open."""
    found = read(bootstrap_servers, topic, isolation="read_committed")
    return [None, *(record.value for record in found)] if found.bounds.stable == found.bounds.end else []


def place_of(value: bytes | None) -> int:
    """Return the place that a record of the offsets topic names: a number of UTF-16 units."""
    return int(json.loads(value or b'{"position": 0}')["position"])


def utf16_units(content: bytes) -> int:
    """Return the length of a text as the file source counts it; a byte that is no character counts as one."""
    return len(content) if content.isascii() else len(content.decode(errors="replace").encode("utf-16-le")) // 2


def offsets_topic(name: str) -> str:
    """Return the topic in which the worker of this name keeps its places."""
    return f"connect-offsets-{name}"


class ConnectWorker(Startable):
    """One worker on loopback. As a context manager it starts at once and is closed at the end.

    After `kill`, `start` brings another one up under the same name. With `own_session=False` it dies with
    the process group of whoever started it, as a part of a victim must.
    """

    def __init__(self, bootstrap_servers: str, name: str, *, own_session: bool = True) -> None:
        self._servers = bootstrap_servers
        self._name = name
        self._own_session = own_session
        self._folder = leftovers.make_folder()
        self._jvm: GuardedJvm | None = None
        self.log_path = self._folder / "connect.log"

    def start(self) -> None:
        """Start it and return once it answers for its connectors. Raises BrokerUnavailable, TimedOut, RuntimeError."""
        if self._jvm is not None:
            raise RuntimeError("the worker runs already")
        leftovers.sweep()
        class_path = jars.fetch(jars.TOOLS)
        (self._port,) = free_ports(1)
        properties = worker_properties(self._servers, self._name, port=self._port)
        settings, logging = self._folder / "worker.properties", self._folder / "log4j2.properties"
        settings.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")
        logging.write_text(WARNINGS_ON_STDOUT, encoding="ascii")
        main = [f"-Dlog4j2.configurationFile={logging}", "org.apache.kafka.connect.cli.ConnectDistributed"]
        self._jvm = GuardedJvm(class_path, [*_JVM, *main, str(settings)], self.log_path, own_session=self._own_session)
        until(lambda: self._ask("GET", "/connectors") is not None, within_s=READY_WITHIN_S, what="Connect to answer")

    def submit(self, connector: str, settings: Mapping[str, str]) -> None:
        """Have a connector run with these settings; one that is there with the same ones is left as it is.

        Raises RuntimeError where they are refused, and TimedOut.
        """
        path = f"/connectors/{connector}/config"
        wanted = {**settings, "name": connector}
        if self._ask("GET", path) == wanted:
            return
        # Refused with 409 while the worker still joins its group.
        until(lambda: self._ask("PUT", path, wanted), within_s=READY_WITHIN_S, what=f"Connect to take {connector}")

    def delete(self, connector: str) -> None:
        """End a connector and forget it, but not its place."""
        path = f"/connectors/{connector}"
        self._ask("DELETE", path)
        until(lambda: self._ask("GET", path) is None, within_s=READY_WITHIN_S, what=f"Connect to forget {connector}")

    def await_place(
        self,
        connector: str,
        place: int,
        places: LiveReader,
        *,
        within_s: float,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        """Return once the connector has committed this place or a later one; `places` reads it, and no other's.

        Calls `meanwhile` before each look. Raises TimedOut, with the reason where its task has given up.
        """

        def is_reached() -> bool:
            meanwhile()
            seen = places.seen()
            return bool(seen) and place_of(seen[-1].value) >= place

        try:
            until(is_reached, within_s=within_s, what=f"{connector} to commit place {place:,}")
        except TimedOut as late:
            raise TimedOut(f"{late}; {self._task_failure(connector) or 'its task has not failed'}") from None

    def kill(self) -> None:
        """SIGKILL; on return the worker is dead, and was not dead before. Raises AssertionError otherwise."""
        returncode = self._running().kill()
        self._jvm = None
        if returncode != -signal.SIGKILL:
            raise AssertionError(f"the worker was to die by SIGKILL, but ended with {returncode}: {self.log_path}")

    def close(self) -> None:
        """End it for good, at once, and remove its folder. May be called again."""
        if self._jvm is not None:
            self._jvm.kill()
            self._jvm = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _task_failure(self, connector: str) -> str | None:
        status = self._ask("GET", f"/connectors/{connector}/status") or {}
        return next((task["trace"] for task in status.get("tasks", ()) if task["state"] == "FAILED"), None)

    def _running(self) -> GuardedJvm:
        if self._jvm is None:
            raise RuntimeError("the worker is not running")
        return self._jvm

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Return the answer; None where there is none, or not yet. Raises RuntimeError: it has died, or will not."""
        self._running().require_alive("Connect")
        status, answer = ask(self._port, method, path, body) or (http.client.NOT_FOUND, None)
        if status == http.client.BAD_REQUEST:
            raise RuntimeError(f"Connect refuses {method} {path}: {answer}")
        return answer if status < http.client.BAD_REQUEST else None
