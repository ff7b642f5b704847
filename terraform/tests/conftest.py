"""An option applied once for all tests of its file, each on a cloud of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.job import Job
from harness.broker import Broker, BrokerUnavailable
from harness.cloud import Cloud
from harness.plugin import not_run
from harness.workload import Shape, generate
from harness.world import World
from terraform.tests import images
from terraform.tests.cli import TerraformUnavailable, require_terraform
from terraform.tests.deployed import Deployed, deploy
from terraform.tests.emulator import answer_for_step_functions
from terraform.tests.policies import BAD_ROWS, SECRET

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # roles attach policies of AWS
os.environ["MOTO_DOCKER_NETWORK_MODE"] = "host"  # a job reaches loopback, as the broker and the cloud do

answer_for_step_functions()

INTERVAL_ROWS = 50
ROWS = 6000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need Terraform and minutes: they have a session of their own, `nox -s terraform`."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("terraform")


@pytest.fixture(scope="session", autouse=True)
def _terraform() -> None:
    try:
        require_terraform()
    except TerraformUnavailable as why:
        not_run("terraform", what="the tests of Terraform", why=why)


@pytest.fixture(scope="session")
def image() -> str:
    """The processor's image."""
    try:
        return images.present()
    except BrokerUnavailable as why:
        not_run("docker", what="the processor's container", why=why)


@pytest.fixture(scope="session")
def job() -> Job:
    """Six thousand rows of every kind but the huge ones, in transactions of fifty."""
    workload = generate(61, rows=ROWS, shape=Shape(columns=3))
    settings = {
        "CHECKPOINT_INTERVAL": str(INTERVAL_ROWS),
        "KAFKA_COMPRESSION": "lz4",
        "KAFKA_SASL_PASSWORD_FROM": SECRET,
        "DEAD_LETTER_TOPIC": BAD_ROWS,
    }
    return Job(workload.csv, workload.values("json"), client="confluent", settings=settings)


@pytest.fixture(scope="module")
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker: Broker, job: Job
) -> Iterator[Deployed]:
    """The root that the test file names in ROOT, with the variables of its EXTRA, applied."""
    with Cloud() as cloud, World(broker=broker, cloud=cloud) as world:
        folder = tmp_path_factory.mktemp(request.module.ROOT)
        try:
            yield deploy(folder, request.module.ROOT, world, job, request.module.extra())
        except TerraformUnavailable as why:
            not_run("terraform", what=f"{request.module.ROOT}, applied", why=why)
