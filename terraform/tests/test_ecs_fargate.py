"""Option 1, applied: what was made, its container stopped and killed, the state machine, a second plan, no rest."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from chaos.schedule import KillAfterRecords
from harness.history import Attempt
from harness.partition import LiveReader
from harness.wait import until
from terraform.tests.containers import WITHIN_S, Moving, attempt, verdict_on
from terraform.tests.deployed import EMULATOR_DRIFT, Deployed, inventory
from terraform.tests.images import IMAGE, LABEL
from terraform.tests.made import MSK, assert_filters_understand, assert_roles, assert_shared_parts
from terraform.tests.policies import role_policies

ROOT = "ecs-fargate"
DRAIN_S = 20  # processor.__main__.DRAIN_WITHIN_S


def extra() -> dict[str, object]:
    return {"msk_cluster_arn": MSK, "image": IMAGE, "schedule": "rate(1 day)", "restart_wait_s": 1, "max_restarts": 2}


def task_definition(deployed: Deployed) -> dict[str, Any]:
    arn = deployed.outputs["task_definition_arn"]
    return deployed.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]


def test_roles_may_do_what_is_called_and_nothing_else(deployed: Deployed) -> None:
    assert_roles(deployed, "The processor", {"ECS itself", "The state machine", "The schedule"})


def test_shared_parts_are_as_asked(deployed: Deployed) -> None:
    assert_shared_parts(deployed, log_group="/ecs/csv-to-kafka", repository=True)


def test_task_has_two_cpus_two_roles_and_the_time_to_drain(deployed: Deployed) -> None:
    task = task_definition(deployed)
    assert (task["cpu"], task["memory"], task["networkMode"]) == ("2048", "4096", "awsvpc")
    assert task["requiresCompatibilities"] == ["FARGATE"]
    assert task["taskRoleArn"] != task["executionRoleArn"]
    (container,) = task["containerDefinitions"]
    assert DRAIN_S < container["stopTimeout"] <= 120
    assert container["readonlyRootFilesystem"] is True
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/ecs/csv-to-kafka"


def test_stopped_and_killed_container_leaves_every_row_once(deployed: Deployed, image: str) -> None:
    kill = KillAfterRecords(500)
    with LiveReader(deployed.world.broker.bootstrap_servers, deployed.topic) as live:
        runs = [run_task(deployed, 1, "kill"), run_task(deployed, 2, "stop")]
        deployed.world.cloud.fail("UpdateItem", status=500, code="InternalServerError", skip=3, times=4)  # a save
        attempts, lines = zip(*runs, run_task(deployed, 3, ""), strict=True)
        ends = [(one.signal, one.exit_code) for one in attempts]
        assert ends == [(signal.SIGKILL, None), (None, 128 + signal.SIGTERM), (None, 0)]
        assert "stopped" in {step.name for step in attempts[1].steps}
        verdict = verdict_on(deployed, attempts, live, kill)
    assert verdict.validity == "valid", verdict.summary
    refused, refused_lines = run_task(deployed, 4, "", DELIVERY="at-least-once")  # not as the job began
    assert refused.exit_code == 6
    assert_filters_understand(deployed, [line for run in lines for line in run] + refused_lines)


def run_task(deployed: Deployed, number: int, strike: str, **overrides: str) -> tuple[Attempt, list[bytes]]:
    """Start the applied container as ECS does, and strike it once it has sent five hundred records."""
    (definition,) = task_definition(deployed)["containerDefinitions"]
    environment = {pair["name"]: pair["value"] for pair in definition["environment"]}
    moving = Moving(deployed)
    container = docker.from_env().containers.run(
        definition["image"],
        definition["command"],
        environment={**environment, **deployed.in_the_place_of_aws, **overrides},
        read_only=definition["readonlyRootFilesystem"],
        network_mode="host",
        labels=LABEL,
        detach=True,
    )
    try:
        if strike == "kill":
            moving.kill_after(container, 500)
        elif strike == "stop":
            is_at_work = lambda: b'"committed"' in container.logs(stderr=False)  # noqa: E731
            until(is_at_work, within_s=WITHIN_S, what="a committed batch")
            container.stop(timeout=definition["stopTimeout"])
        code = container.wait(timeout=WITHIN_S)["StatusCode"]
        lines = container.logs(stderr=False).splitlines()
        return attempt(number, code, lines), lines
    finally:
        container.remove(force=True)


# ------------------------------------------------------------------------------------------------- the state machine


@pytest.fixture(scope="module")
def machine(deployed: Deployed) -> dict[str, Any]:
    arn = deployed.outputs["state_machine_arn"]
    return json.loads(deployed.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"])


def test_state_machine_starts_the_applied_task_in_private_subnets(deployed: Deployed, machine: dict[str, Any]) -> None:
    asked = machine["States"]["Run"]["Parameters"]
    assert asked["TaskDefinition"] == deployed.outputs["task_definition_arn"]
    network = asked["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (len(network["Subnets"]), network["AssignPublicIp"]) == (2, "DISABLED")


def test_schedule_starts_the_state_machine(deployed: Deployed) -> None:
    schedule = deployed.client("scheduler").get_schedule(Name="csv-to-kafka")
    assert schedule["Target"]["Arn"] == deployed.outputs["state_machine_arn"]


@pytest.fixture
def states(deployed: Deployed) -> Iterator[Any]:
    """Step Functions of the emulator, with its interpreter switched on."""
    from moto.core.config import default_user_config  # noqa: PLC0415

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    yield deployed.client("stepfunctions")
    default_user_config["stepfunctions"]["execute_state_machine"] = False


TASK_ENDS = [
    ({"Containers": [{"ExitCode": code}], "StopCode": "EssentialContainerExited"}, "NeedsAPerson")
    for code in (1, 2, 3, 4, 5, 6, 70)
] + [
    ({"Containers": [{"ExitCode": 75}], "StopCode": "EssentialContainerExited"}, "RestartsUsedUp"),
    ({"Containers": [{"ExitCode": 137}]}, "RestartsUsedUp"),
    ({"Containers": [{"ExitCode": 143}], "StopCode": "SpotInterruption"}, "RestartsUsedUp"),
    ({"Containers": [{}], "StopCode": "TaskFailedToStart"}, "RestartsUsedUp"),
]


@pytest.mark.parametrize(("end", "error"), TASK_ENDS, ids=lambda value: json.dumps(value) if value else "")
def test_restarts_follow_the_exit_code(
    deployed: Deployed, machine: dict[str, Any], states: Any, end: dict[str, Any], error: str
) -> None:
    # The emulator runs no containers: in the place of the task stands a branch that ends as the task would.
    run = machine["States"]["Run"]
    # A branch cannot raise a name of the States themselves, so it has another, and the copy catches that.
    assert run["Catch"][0]["ErrorEquals"] == ["States.TaskFailed"]
    branch = {"StartAt": "End", "States": {"End": {"Type": "Fail", "Error": "TaskFailed", "Cause": json.dumps(end)}}}
    catch = [{**run["Catch"][0], "ErrorEquals": ["TaskFailed"]}, *run["Catch"][1:]]
    stand_in = {"Type": "Parallel", "Branches": [branch], "ResultPath": None, "Catch": catch, "Next": run["Next"]}
    definition = {**machine, "States": {**machine["States"], "Run": stand_in}}
    name = f"end-{TASK_ENDS.index((end, error))}"
    role = deployed.client("iam").list_roles()["Roles"][0]["Arn"]
    arn = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    try:
        started = states.start_execution(stateMachineArn=arn)["executionArn"]
        described = lambda: states.describe_execution(executionArn=started)  # noqa: E731
        until(lambda: described()["status"] != "RUNNING", within_s=30, what="the execution to end")
        assert (described()["status"], described()["error"]) == ("FAILED", error)
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for event in states.get_execution_history(executionArn=started, maxResults=1000)["events"]
            if "stateEnteredEventDetails" in event
        ]
        assert entered.count("Run") == (3 if error == "RestartsUsedUp" else 1)
    finally:
        states.delete_state_machine(stateMachineArn=arn)


def test_second_plan_is_empty(deployed: Deployed) -> None:
    assert deployed.terraform.drift() - EMULATOR_DRIFT == set()


def test_without_a_topic_for_bad_rows_there_is_no_right_on_one(deployed: Deployed) -> None:
    def statements() -> dict[str, Any]:
        (policy,) = role_policies(deployed)["The processor"]
        return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}

    before = statements()
    assert "WriteBadRows" in before
    only = "-target=aws_iam_role_policy.task"
    deployed.terraform.run("apply", "-auto-approve", "-input=false", only, "-var", "settings={}")
    without = {sid: statement for sid, statement in before.items() if sid not in ("WriteBadRows", "ReadItsSecrets")}
    assert statements() == without


def test_destroy_leaves_nothing(deployed: Deployed) -> None:
    assert inventory(deployed.client) - deployed.before
    deployed.terraform.destroy()
    assert inventory(deployed.client) - deployed.before == set()
