"""A broker that somebody else runs: `KAFKA_BOOTSTRAP_SERVERS`. It can be used and judged, but not struck."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NoReturn

from harness.broker.ready import wait_until_ready
from harness.broker.startable import Startable
from harness.broker.unavailable import BrokerUnavailable

READY_WITHIN_S = 30.0


class ExternalBroker(Startable):
    """Bring your own. `start` only asks whether it answers; every fault raises BrokerUnavailable."""

    kind = "external"
    log_path = None  # it is where its owner keeps it

    def __init__(self, properties: Mapping[str, str] | None = None) -> None:
        """Take the address from the environment. Raises BrokerUnavailable without one, or when settings are asked."""
        self.bootstrap_servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
        if not self.bootstrap_servers:
            raise BrokerUnavailable("KAFKA_BOOTSTRAP_SERVERS is not set")
        if properties:
            raise BrokerUnavailable(f"the settings of an external broker are not ours to change: {sorted(properties)}")

    def start(self) -> None:
        """Return once it serves. Raises TimedOut."""
        wait_until_ready(self.bootstrap_servers, within_s=READY_WITHIN_S, still_alive=lambda: None)

    def stop(self) -> NoReturn:
        """Refuse."""
        self._refuse("stopped")

    def kill(self) -> NoReturn:
        """Refuse."""
        self._refuse("killed")

    def pause(self) -> NoReturn:
        """Refuse."""
        self._refuse("paused")

    def resume(self) -> NoReturn:
        """Refuse."""
        self._refuse("resumed")

    def close(self) -> None:
        """Leave it as it is; it is not ours."""

    def _refuse(self, done: str) -> NoReturn:
        raise BrokerUnavailable(f"an external broker cannot be {done} from here")
