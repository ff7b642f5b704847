"""Real Kafka brokers behind one interface, chosen by what the machine has.

jvm       a plain process; jars and JRE come with pip installs
jvm3      three of them, replicated: the setting of production
docker    a container, through testcontainers
external  bring your own: `KAFKA_BOOTSTRAP_SERVERS`; it cannot be killed, stopped or paused
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, get_args

from harness.broker.unavailable import BrokerUnavailable

__all__ = ["KINDS", "Broker", "BrokerKind", "BrokerUnavailable", "choose_kind", "open_broker"]

BrokerKind = Literal["auto", "jvm", "jvm3", "docker", "external"]
KINDS: tuple[BrokerKind, ...] = get_args(BrokerKind)


class Broker(Protocol):
    """One broker, or several that answer as one. As a context manager it starts at once and is closed at the end.

    After `stop` or `kill`, `start` brings it back with the same storage at the same address. What a broker cannot
    do raises BrokerUnavailable.
    """

    @property
    def kind(self) -> str:
        """Return jvm, jvm3, docker or external."""

    @property
    def bootstrap_servers(self) -> str:
        """Return the address, or several with commas; it never changes, not while the broker is down either."""

    @property
    def log_path(self) -> Path | None:
        """Return the file with the broker's own log as of now; None where we cannot have it."""

    def start(self) -> None:
        """Start, and return once metadata is served. Raises BrokerUnavailable or harness.wait.TimedOut."""

    def stop(self) -> None:
        """Shut down cleanly and keep the storage."""

    def kill(self) -> None:
        """SIGKILL; on return the broker is dead, and was not dead before."""

    def pause(self) -> None:
        """Freeze: connections stay open, nothing is answered."""

    def resume(self) -> None:
        """Let a paused broker go on."""

    def close(self) -> None:
        """End for good and remove what was made for it. May be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_broker(
    kind: BrokerKind = "auto", *, folder: Path | None = None, properties: Mapping[str, str] | None = None
) -> Broker:
    """Return a broker, not started yet, of the kind asked for.

    `folder` keeps storage and log when it is given. `properties` are Kafka's own names and win over ours. An
    external broker takes neither. Raises BrokerUnavailable with the reason.
    """
    chosen = choose_kind() if kind == "auto" else kind
    if chosen == "external":
        from harness.broker.external import ExternalBroker  # noqa: PLC0415  # each kind needs packages of its own

        return ExternalBroker(properties=properties)
    if chosen == "docker":
        from harness.broker.docker import DockerBroker  # noqa: PLC0415

        return DockerBroker(folder=folder, properties=properties)
    if chosen == "jvm3":
        from harness.broker.cluster import JvmCluster  # noqa: PLC0415

        return JvmCluster(folder=folder, properties=properties)
    from harness.broker.jvm import JvmBroker  # noqa: PLC0415

    return JvmBroker(folder=folder, properties=properties)


def choose_kind() -> BrokerKind:
    """Tell what "auto" means here: external if an address is given, docker if an image can be run, else jvm."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return "external"
    try:
        from harness.broker.image import usable_image  # noqa: PLC0415

        usable_image()
    except (BrokerUnavailable, ImportError):  # no engine, no image, or no testcontainers
        return "jvm"
    return "docker"
