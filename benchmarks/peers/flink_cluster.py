"""Flink on loopback: job manager, task manager and SQL gateway, each a JVM of its own, as in a small production set-up.

Flink itself comes with the package `apache-flink-libraries` (dependency group `flink`); what else it takes is fetched
as Kafka's jars are. `python -m benchmarks.peers.flink_cluster` prints the list of those anew, to be committed as
`flink-VERSION.sha256`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from harness.broker import BrokerUnavailable, jars, leftovers
from harness.broker.guarded_jvm import WARNINGS_ON_STDOUT, GuardedJvm, ask
from harness.broker.settings import LOOPBACK, free_ports
from harness.broker.startable import Startable
from harness.wait import until

PACKAGE = "apache-flink-libraries"
VERSION = "2.2.1"
JARS = jars.JarSet(
    "flink",
    VERSION,
    alone=(
        f"org.apache.flink:flink-sql-gateway:{VERSION}",
        "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",
        # The gateway looks for YARN among its cluster clients, and on a new Java does not survive the lack of Hadoop.
        "org.apache.hadoop:hadoop-client-api:3.4.1",
    ),
    lists=Path(__file__).parent,
)
HEAP_MB = 2560
CHECKPOINT_INTERVAL_MS = 1_000
READY_WITHIN_S = 120.0
_EVERY_S = 0.05
# What the distribution's own configuration gives every JVM, as far as this job needs it.
_OPENED = (
    *("java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text", "java.time"),
    *("java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks"),
)
# A task manager that is started without the distribution's script has to be told all of its memory.
_TASK_MANAGER = {
    "taskmanager.cpu.cores": "1.0",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": f"{HEAP_MB - 128}m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0",
    "taskmanager.memory.network.min": "128m",
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.managed.size": "64m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}
_ENDS = ("FINISHED", "FAILED", "CANCELED")


class FlinkCluster(Startable):
    """One task manager with one slot. As a context manager it starts at once and is closed at the end."""

    def __init__(self) -> None:
        self._folder = leftovers.make_folder()
        self._rest_port, self._rpc_port, self._gateway_port = free_ports(3)
        self._jvms: dict[str, GuardedJvm] = {}
        self._session = ""

    def start(self) -> None:
        """Start all three and return once a job could run. Raises BrokerUnavailable, TimedOut, RuntimeError."""
        leftovers.sweep()
        self._class_path = [*_packaged_jars(), *jars.fetch(JARS)]
        (self._folder / "log4j2.properties").write_text(WARNINGS_ON_STDOUT, encoding="ascii")
        settings = "".join(f"{name}: {value}\n" for name, value in self._settings().items())
        (self._folder / "config.yaml").write_text(settings, encoding="utf-8")
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._launch("job manager", entry, "-c", str(self._folder), heap_mb=512)
        self._launch("gateway", "org.apache.flink.table.gateway.SqlGateway", heap_mb=512)
        self.start_task_manager()
        until(self._is_ready, within_s=READY_WITHIN_S, what="Flink to answer, with a free slot")
        self._session = self._ask_gateway("POST", "/v1/sessions", {"properties": {}})["sessionHandle"]

    def start_task_manager(self) -> None:
        """Start the task manager and return at once."""
        given = [part for name, value in _TASK_MANAGER.items() for part in ("-D", f"{name}={value}")]
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self._launch("task manager", entry, "-c", str(self._folder), *given, heap_mb=HEAP_MB)

    def kill_task_manager(self) -> None:
        """SIGKILL; on return it is dead."""
        self._jvms.pop("task manager").kill()

    def execute(self, statement: str) -> list[Any]:
        """Run one SQL statement; return the fields of its first row. Raises RuntimeError where it is refused."""
        path = f"/v1/sessions/{self._session}"
        operation = self._ask_gateway("POST", f"{path}/statements", {"statement": statement})["operationHandle"]
        at = f"{path}/operations/{operation}"
        until(
            lambda: self._ask_gateway("GET", f"{at}/status")["status"] in ("FINISHED", "ERROR"),
            within_s=READY_WITHIN_S,
            what=f"Flink to take {statement.split('(', maxsplit=1)[0]}",
            every_s=_EVERY_S,
        )
        rows = self._ask_gateway("GET", f"{at}/result/0")["results"]["data"]
        return list(rows[0]["fields"]) if rows else []

    def await_job(self, job: str, *, within_s: float) -> None:
        """Return once the job has moved everything. Raises RuntimeError where it failed, TimedOut."""

        def state() -> str:
            for name, jvm in self._jvms.items():
                jvm.require_alive(f"Flink's {name}")
            found = str((self._ask_job_manager(f"/jobs/{job}") or {}).get("state"))
            return found if found in _ENDS else ""

        ended = until(state, within_s=within_s, what="the Flink job to end", every_s=_EVERY_S)
        if ended != "FINISHED":
            why = self._ask_job_manager(f"/jobs/{job}/exceptions") or {}
            raise RuntimeError(f"the Flink job ended {ended}: {str(why)[:2000]}")

    def close(self) -> None:
        """End all three at once, and remove their folder. May be called again."""
        while self._jvms:
            self._jvms.popitem()[1].kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _settings(self) -> Mapping[str, object]:
        return {
            "jobmanager.rpc.address": LOOPBACK,
            "jobmanager.bind-host": LOOPBACK,
            "jobmanager.rpc.port": self._rpc_port,
            "taskmanager.host": LOOPBACK,
            "taskmanager.bind-host": LOOPBACK,
            "rest.address": LOOPBACK,
            "rest.bind-address": LOOPBACK,
            "rest.port": self._rest_port,
            "sql-gateway.endpoint.rest.address": LOOPBACK,
            "sql-gateway.endpoint.rest.port": self._gateway_port,
            "io.tmp.dirs": self._folder / "temporary",
            "parallelism.default": 1,
            "pipeline.object-reuse": "true",  # half as fast again
            "execution.checkpointing.interval": f"{CHECKPOINT_INTERVAL_MS} ms",
            "execution.checkpointing.dir": (self._folder / "checkpoints").as_uri(),
            # A dead task manager is noticed within two seconds, and the job started again at once; 50 s by default.
            "heartbeat.interval": "500 ms",
            "heartbeat.timeout": "2 s",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 1000,
            "restart-strategy.fixed-delay.delay": "100 ms",
        }

    def _launch(self, name: str, *main: str, heap_mb: int) -> None:
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        arguments = [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", f"-Djava.io.tmpdir={self._folder}", logging, *opened, *main]
        log = self._folder / f"{name.replace(' ', '-')}.log"
        self._jvms[name] = GuardedJvm(
            self._class_path, arguments, log, environment={"FLINK_CONF_DIR": str(self._folder)}
        )

    def _is_ready(self) -> bool:
        for name, jvm in self._jvms.items():
            jvm.require_alive(f"Flink's {name}")
        gateway = ask(self._gateway_port, "GET", "/v1/info")
        overview = self._ask_job_manager("/overview") or {}
        return gateway is not None and overview.get("slots-available", 0) > 0

    def _ask_job_manager(self, path: str) -> Any:
        status, answer = ask(self._rest_port, "GET", path) or (HTTPStatus.NOT_FOUND, None)
        return answer if status == HTTPStatus.OK else None

    def _ask_gateway(self, method: str, path: str, body: object = None) -> Any:
        """Return the answer. Raises RuntimeError where there is none but a refusal."""
        status, answer = ask(self._gateway_port, method, path, body) or (HTTPStatus.NOT_FOUND, "nobody answers")
        if status != HTTPStatus.OK:
            causes = [line for line in str(answer).split("\\n") if line.startswith("Caused by")]
            raise RuntimeError(f"Flink refuses {method} {path}: {causes or answer}")
        return answer


def _packaged_jars() -> list[Path]:
    """Return the jars of the Python package. Raises BrokerUnavailable where it is not installed in this version."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as missing:
        raise BrokerUnavailable(f"the Python package {PACKAGE} is not installed") from missing
    if package.version != VERSION:
        raise BrokerUnavailable(f"{PACKAGE} is {package.version}, not {VERSION}")
    return sorted(Path(str(package.locate_file("pyflink"))).glob("lib/*.jar"))


if __name__ == "__main__":
    jars.print_list(JARS)
