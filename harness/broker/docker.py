"""A Kafka broker in a container, through testcontainers; works with the local image and with apache/kafka's."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from harness.broker import leftovers
from harness.broker.image import engine, usable_image
from harness.broker.ready import wait_until_ready
from harness.broker.settings import LOOPBACK, free_ports, fresh_cluster_id, server_properties
from harness.broker.startable import Startable
from harness.broker.unavailable import BrokerUnavailable

if TYPE_CHECKING:
    from docker.models.containers import Container

READY_WITHIN_S = 90.0
STOPPED_WITHIN_S = 30
OWNER_LABEL = "csv-to-kafka.owner"
_CONTROLLER = f"{LOOPBACK}:9093"  # inside the container only
_LOG_DIRS = "/var/lib/kafka/data"
_CLEAN_EXIT_CODES = (0, 128 + signal.SIGTERM)

# testcontainers' own reaper is an image from a public registry; containers are labelled and swept here instead.
testcontainers_config.ryuk_disabled = True


class DockerBroker(Startable):
    """One container, published on loopback at a port that stays; its storage lives as long as the container."""

    kind = "docker"

    def __init__(self, folder: Path | None = None, properties: Mapping[str, str] | None = None) -> None:
        """Prepare a broker; its log goes into `folder`, or into one removed by `close`. Raises BrokerUnavailable."""
        self._image = usable_image()
        self._owns_folder = folder is None
        self._folder = leftovers.make_folder() if folder is None else folder.absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._extra = dict(properties or {})
        self._container: Container | None = None
        self._running = False
        (self._port,) = free_ports(1)
        self.bootstrap_servers = f"{LOOPBACK}:{self._port}"

    @property
    def log_path(self) -> Path:
        """Return the file with the container's log, brought up to date by this call."""
        path = self._folder / "broker.log"
        if self._container is not None:
            with contextlib.suppress(NotFound):
                path.write_bytes(self._container.logs())
        return path

    def start(self) -> None:
        """Start the container, made at the first start, and return once the broker serves."""
        if self._running:
            raise RuntimeError("the broker runs already")
        sweep()
        try:
            if self._container is None:
                self._container = self._create()
            else:
                self._container.start()
        except DockerException as failure:
            raise BrokerUnavailable(f"the container cannot be started from {self._image}: {failure}") from failure
        self._running = True
        try:
            wait_until_ready(self.bootstrap_servers, within_s=READY_WITHIN_S, still_alive=self._assert_alive)
        except BaseException:
            self._running = False
            with contextlib.suppress(DockerException):
                self._container.kill("SIGKILL")
            raise

    def stop(self) -> None:
        """Shut the broker down cleanly; its storage stays. Raises AssertionError when it died of something else."""
        self._take_running().stop(timeout=STOPPED_WITHIN_S)
        self._assert_ended_with(_CLEAN_EXIT_CODES, "to stop cleanly")

    def kill(self) -> None:
        """SIGKILL; on return the container is dead. Raises AssertionError when something else ended it before."""
        try:
            self._take_running().kill("SIGKILL")
        except APIError as refused:
            raise AssertionError(f"the broker was to be killed, but: {refused}; log: {self.log_path}") from refused
        self._assert_ended_with((128 + signal.SIGKILL,), "to die by SIGKILL")

    def pause(self) -> None:
        """Freeze the container: connections stay open, nothing is answered."""
        self._present().pause()

    def resume(self) -> None:
        """Let a paused broker go on."""
        self._present().unpause()

    def close(self) -> None:
        """Remove the container with its storage, and the folder if it was made here. May be called again."""
        if self._container is not None:
            if not self._owns_folder:
                self.log_path  # noqa: B018  # the log outlives the container
            with contextlib.suppress(NotFound):
                self._container.remove(force=True, v=True)
            self._container = None
            self._running = False
        if self._owns_folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.close)

    def _create(self) -> Container:
        # The broker connects to its own advertised address to write transaction markers, so the port is the same
        # inside and outside.
        properties = server_properties(
            listen=f"0.0.0.0:{self._port}",
            advertised=self.bootstrap_servers,
            controller=_CONTROLLER,
            log_dirs=_LOG_DIRS,
            extra=self._extra,
        )
        environment = {variable(name): value for name, value in properties.items()}
        environment |= {"CLUSTER_ID": fresh_cluster_id(), "KAFKA_HEAP_OPTS": "-Xmx512m"}
        container = DockerContainer(self._image).with_envs(**environment)
        container.with_kwargs(labels={OWNER_LABEL: leftovers.ProcessName.of_this_process().to_json()})
        ports: dict[str, Any] = container.ports  # typed for a number; Docker's client takes an address as well
        ports[f"{self._port}/tcp"] = (LOOPBACK, self._port)
        atexit.register(self.close)
        return container.start().get_wrapped_container()

    def _present(self) -> Container:
        if self._container is None or not self._running:
            raise RuntimeError("the broker is not running")
        return self._container

    def _take_running(self) -> Container:
        container = self._present()
        self._running = False
        return container

    def _assert_ended_with(self, expected: tuple[int, ...], what: str) -> None:
        if self._container is None:
            raise RuntimeError("the broker was closed meanwhile")
        exit_code = self._container.wait(timeout=STOPPED_WITHIN_S)["StatusCode"]
        if exit_code not in expected:
            raise AssertionError(f"the broker was {what}, but ended with {exit_code}; log: {self.log_path}")

    def _assert_alive(self) -> None:
        container = self._present()
        container.reload()
        if container.status == "exited":
            self._running = False
            tail = container.logs(tail=5).decode("utf-8", errors="replace").splitlines()
            raise BrokerUnavailable(f"the container of {self._image} ended: " + " | ".join(tail))


def variable(name: str) -> str:
    """Return the environment variable that the image turns into this Kafka setting."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def sweep() -> list[str]:
    """Remove every container, and every folder, whose owner has died; return what was done."""
    done = []
    for container in engine().containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True):
        if leftovers.ProcessName.from_json(container.labels[OWNER_LABEL]).is_dead():
            with contextlib.suppress(APIError):  # another sweep may be faster
                container.remove(force=True, v=True)
            done.append(f"removed container {container.name}")
    return done + leftovers.sweep()
