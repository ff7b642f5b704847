"""What the strikes on state and on the partition share: where their runs are killed, and who runs them."""

from __future__ import annotations

import pytest

from chaos.schedule import KillAtStep
from harness.partition import Client

ROWS, INTERVAL_ROWS = 600, 100
BEHIND = KillAtStep("committed", 3)  # 300 rows committed, the checkpoint counts 200
LEVEL = KillAtStep("saved", 3)
CLIENTS: list[Client] = ["kafka-python", "confluent"]


def by(client: Client, course: str = "course") -> pytest.MarkDecorator:
    """One client is enough where no client is asked about what the nemesis changed, or a like test has the other."""
    return pytest.mark.parametrize(course, [client], indirect=True)
