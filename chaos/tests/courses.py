"""What the strikes share: where their runs are killed, who runs them, and where the network can go wrong."""

from __future__ import annotations

import pytest

from chaos.nemesis.stage import Stage
from chaos.proxy import Proxy
from chaos.schedule import KillAtStep
from harness.history import Attempt
from harness.partition import Client

ROWS, INTERVAL_ROWS = 600, 100
BEHIND = KillAtStep("committed", 3)  # 300 rows committed, the checkpoint counts 200
LEVEL = KillAtStep("saved", 3)
CLIENTS: list[Client] = ["kafka-python", "confluent"]


def by(client: Client, course: str = "course") -> pytest.MarkDecorator:
    """One client is enough where no client is asked about what the nemesis changed, or a like test has the other."""
    return pytest.mark.parametrize(course, [client], indirect=True)


def proxy_of(stage: Stage, service: str) -> Proxy:
    """The proxy before a service."""
    return {"kafka": stage.kafka, "s3": stage.s3, "dynamodb": stage.dynamodb}[service]


def count(attempt: Attempt, step: str) -> int:
    """How often the attempt announced a step."""
    return [told.name for told in attempt.steps].count(step)
