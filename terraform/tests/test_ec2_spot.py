"""Option 3, applied: what was made, the user data that really runs, a second plan, and nothing left."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.broker.image import engine
from harness.partition import LiveReader
from terraform.tests.containers import attempt, verdict_on
from terraform.tests.deployed import EMULATOR_DRIFT, Deployed, inventory
from terraform.tests.images import LABEL, REPOSITORY, build_recorder
from terraform.tests.made import MSK, assert_roles, assert_shared_parts
from terraform.tests.policies import BAD_ROWS, SECRET

ROOT = "ec2-spot"
WHEELS = REPOSITORY / "build" / "terraform-tests"
INSTANCE = "csv-to-kafka-instance:tests"
WITHIN_S = 240.0
USER_DATA_BYTES = 16 * 1024


def extra() -> dict[str, object]:
    WHEELS.mkdir(parents=True, exist_ok=True)
    for older in WHEELS.glob("*.whl"):
        older.unlink()
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(WHEELS), str(REPOSITORY)]
    subprocess.run(pip, check=True)
    (wheel,) = WHEELS.glob("csv_to_kafka-*.whl")
    # Small transactions, and a rate: the run has to last for some looks at the metadata service, one each five seconds.
    settings = {
        "CHECKPOINT_INTERVAL": "5",
        "MAX_ROWS_PER_S": "400",
        "KAFKA_COMPRESSION": "lz4",
        "KAFKA_SASL_PASSWORD_FROM": SECRET,
        "DEAD_LETTER_TOPIC": BAD_ROWS,
    }
    return {"msk_cluster_arn": MSK, "wheel_path": str(wheel), "restart_wait_s": 1, "settings": settings}


def template(deployed: Deployed) -> dict[str, Any]:
    versions = deployed.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=deployed.outputs["launch_template_id"]
    )
    return versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]


def user_data(deployed: Deployed) -> str:
    return base64.b64decode(template(deployed)["UserData"]).decode()


def test_roles_may_do_what_is_called_and_nothing_else(deployed: Deployed) -> None:
    assert_roles(deployed, "The instance", set())


def test_shared_parts_are_as_asked(deployed: Deployed) -> None:
    assert_shared_parts(deployed, log_group="/ec2/csv-to-kafka", repository=False)


def test_instance_is_a_spot_one_that_ends_for_good_and_guards_its_metadata(deployed: Deployed) -> None:
    made = template(deployed)
    assert made["InstanceType"] == "t3.medium"
    assert made["InstanceMarketOptions"]["MarketType"] == "spot"
    assert made["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] in (True, "true")
    assert len(base64.b64decode(made["UserData"])) < USER_DATA_BYTES


def test_group_holds_one_instance_in_private_subnets_and_may_hold_none(deployed: Deployed) -> None:
    (group,) = deployed.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (0, 1, 1)
    assert len(group["VPCZoneIdentifier"].split(",")) == 2


def test_package_is_where_the_user_data_looks_for_it(deployed: Deployed) -> None:
    s3 = deployed.client("s3")
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("csv-to-kafka-2")]
    for key in [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]:
        assert f"s3://{bucket}/{key}" in user_data(deployed)
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())


# -------------------------------------------------------------------------------------------- the user data, run


@pytest.fixture(scope="module")
def instance(image: str) -> str:
    """The base with the real `aws`, and recorders for what an instance has and a container has not."""
    build_recorder(engine(), Path(__file__).parent / "instance", INSTANCE)
    return INSTANCE


class Instance:
    """A container in which the user data has run to its end."""

    def __init__(self, deployed: Deployed, folder: Path, *, notice_after: int | None = None) -> None:
        (folder / "user-data").write_text(user_data(deployed), encoding="utf-8")
        container = engine().containers.run(
            INSTANCE,
            environment={**deployed.in_the_place_of_aws, "NOTICE_AFTER_COMMITS": str(notice_after or "")},
            volumes={str(folder): {"bind": "/recorded", "mode": "rw"}},
            network_mode="host",
            labels=LABEL,
            detach=True,
        )
        try:
            container.wait(timeout=WITHIN_S)
            self.said = container.logs().decode()
        finally:
            container.remove(force=True)
        self.calls = (folder / "calls").read_text(encoding="utf-8").splitlines()
        self.log = (folder / "csv-processor.log").read_bytes().splitlines()
        self.agent = json.loads((folder / "agent.json").read_text(encoding="utf-8"))


def desired(deployed: Deployed) -> int:
    (group,) = deployed.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return int(group["DesiredCapacity"])


def test_user_data_installs_runs_logs_and_ends_the_instance(deployed: Deployed, instance: str, tmp_path: Path) -> None:
    with LiveReader(deployed.world.broker.bootstrap_servers, deployed.topic) as live:
        (tmp_path / "taken").mkdir()
        taken = Instance(deployed, tmp_path / "taken", notice_after=3)
        first = attempt(1, 143, taken.log)
        assert "stopped" in {step.name for step in first.steps}, taken.said
        assert any(b"Spot takes this instance away" in line for line in taken.log)
        assert taken.calls[-1] == "shutdown -h now"
        assert desired(deployed) == 1, "a Spot notice must leave the group to start the next instance"

        (tmp_path / "next").mkdir()
        following = Instance(deployed, tmp_path / "next")
        second = attempt(2, 0, following.log)
        assert "done" in {step.name for step in second.steps}, following.said
        assert following.calls[-1] == "shutdown -h now"
        assert desired(deployed) == 0, "without this call the group would replace the instance for ever"
        verdict = verdict_on(deployed, [first, second], live, None)
    assert verdict.validity == "valid", verdict.summary
    assert "dnf install -y python3.11 amazon-cloudwatch-agent" in following.calls
    assert following.calls.index("systemctl stop amazon-cloudwatch-agent") < following.calls.index("shutdown -h now")
    (shipped,) = following.agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert shipped["file_path"] == "/var/log/csv-processor.log"
    assert shipped["log_group_name"] == deployed.outputs["log_group"]


def test_second_plan_is_empty(deployed: Deployed) -> None:
    assert deployed.terraform.drift() - EMULATOR_DRIFT == set()


def test_destroy_leaves_nothing(deployed: Deployed) -> None:
    assert inventory(deployed.client) - deployed.before
    deployed.terraform.destroy()
    assert inventory(deployed.client) - deployed.before == set()
