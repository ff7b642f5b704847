"""pytest fixtures of the harness, and the one way for a test to say that it cannot run here.

`BROKER` chooses the broker: jvm (the default), docker, external or auto.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn, cast

import pytest

from harness.broker import Broker, BrokerKind, BrokerUnavailable, open_broker
from harness.cloud import Cloud
from harness.world import World

if TYPE_CHECKING:
    from harness.broker.secure import SecureBroker

_NOT_RUN = pytest.StashKey[list[str]]()
_session_config: list[pytest.Config] = []


def not_run(part: str, *, what: str, why: object) -> NoReturn:
    """End the calling test with `NOT RUN: what, why`; a failure when `REQUIRE` names the part (docker, terraform)."""
    line = f"NOT RUN: {what}, {why}"
    for config in _session_config:
        config.stash[_NOT_RUN].append(line)
    print(line)  # seen at once with `pytest -s`
    if part in required_parts():
        pytest.fail(f"{line} (REQUIRE={os.environ['REQUIRE']})", pytrace=False)
    pytest.skip(line)


def required_parts() -> set[str]:
    """Return the parts that must run on this machine: the comma list in `REQUIRE`."""
    return {part.strip() for part in os.environ.get("REQUIRE", "").split(",") if part.strip()}


def pytest_configure(config: pytest.Config) -> None:
    """Begin the list of what did not run."""
    config.stash[_NOT_RUN] = []
    _session_config.append(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget the list with its session."""
    if config in _session_config:
        _session_config.remove(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Repeat what did not run at the end, where it is read."""
    lines = config.stash[_NOT_RUN]
    for line in dict.fromkeys(lines):
        terminalreporter.write_line(line, yellow=True)


def broker_kind() -> BrokerKind:
    """Return the kind of broker that `BROKER` asks for."""
    return cast("BrokerKind", os.environ.get("BROKER", "jvm"))


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """Return one broker for the whole session; a test that stops or kills it brings it back."""
    kind = broker_kind()
    try:
        opened = open_broker(kind)
        with opened:
            yield opened
    except BrokerUnavailable as why:
        not_run(kind, what=f"tests on a {kind} broker", why=why)


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[SecureBroker]:
    """Return one JVM broker for the whole session that listens in every secured way, and asks for rights."""
    from harness.broker.secure import SecureBroker  # noqa: PLC0415  # needs trustme, which others may not have

    try:
        with SecureBroker() as opened:
            yield opened
    except BrokerUnavailable as why:
        not_run("jvm", what="tests on a secured broker", why=why)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """Return an S3 bucket and a checkpoint table of the test's own."""
    with Cloud() as opened:
        yield opened


@pytest.fixture
def world(broker: Broker, cloud: Cloud) -> Iterator[World]:
    """Return the session's broker with a cloud of the test's own."""
    with World(broker=broker, cloud=cloud) as opened:
        yield opened


@pytest.fixture
def topic(world: World) -> str:
    """Return a topic with one partition that no other test has seen."""
    return world.create_topic()
