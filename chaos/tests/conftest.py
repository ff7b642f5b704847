"""A calm CSV of some thousand rows, and the way to start a run of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.nemesis.stage import Stage
from chaos.tests.courses import CLIENTS, INTERVAL_ROWS, ROWS
from harness.target import Target
from harness.workload import Shape, generate
from harness.world import World

PROCESSOR = (sys.executable, "-m", "processor", "run")
Start = Callable[..., Target]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What strikes for real takes its time: nemeses and mutants have a session of their own, `nox -s strikes`."""
    for item in items:
        if item.path.name.startswith(("test_nemesis_", "test_mutants_on_")) and item.get_closest_marker("broker"):
            item.add_marker("strike")


@pytest.fixture(scope="session")
def proxied() -> Iterator[Stage]:
    """One broker and one cloud behind proxies, for the whole session."""
    with Stage() as opened:
        yield opened


@pytest.fixture
def stage(proxied: Stage) -> Iterator[Stage]:
    """The world behind proxies; no fault of one test is left for the next one."""
    yield proxied
    proxied.reset()


@pytest.fixture(scope="session")
def rows_6000() -> Job:
    """Rows of every kind but the huge ones, six thousand of them."""
    workload = generate(11, rows=6000, shape=Shape(columns=5, line_ends=("\n", "\r\n"), bom=True))
    return Job(workload.csv, workload.values("json"))


@pytest.fixture
def start(world: World, topic: str) -> Start:
    """Return a function that starts a run of an object in the world; what it is not told is as it should be."""

    def start_run(csv: bytes | None, *, number: int = 1, key: str = "rows.csv", **settings: str) -> Target:
        source = world.upload(key, csv) if csv is not None else f"s3://{world.cloud.bucket}/{key}"
        environment: Mapping[str, str] = {
            **world.environment(topic=topic, source=source, job_id=topic),
            "AWS_EC2_METADATA_DISABLED": "true",  # nobody answers there, and asking takes seconds
            **settings,
        }
        return Target(PROCESSOR, environment, number=number)

    return start_run


@pytest.fixture(scope="session")
def rows_600() -> Job:
    """Six hundred rows in transactions of a hundred."""
    workload = generate(31, rows=ROWS, shape=Shape(columns=3))
    return Job(workload.csv, workload.values("json"), settings={"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS)})


@pytest.fixture(params=CLIENTS)
def course(request: pytest.FixtureRequest, world: World, rows_600: Job) -> Iterator[Course]:
    """A course in exactly-once, by each client."""
    with Course(world, replace(rows_600, client=request.param)) as opened:
        yield opened


@pytest.fixture
def loose(world: World, rows_600: Job) -> Iterator[Course]:
    """A course in at-least-once."""
    with Course(world, replace(rows_600, client="confluent", delivery="at-least-once")) as opened:
        yield opened
