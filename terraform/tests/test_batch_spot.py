"""Option 2, applied: what was made, the job that really runs and dies, a second plan, and nothing left."""

from __future__ import annotations

from typing import Any

import docker

from chaos.schedule import KillAfterRecords
from harness.history import Attempt
from harness.partition import LiveReader
from harness.wait import until
from terraform.tests.containers import SIGKILLED, WITHIN_S, Moving, attempt, verdict_on
from terraform.tests.deployed import EMULATOR_DRIFT, Deployed, inventory
from terraform.tests.images import IMAGE
from terraform.tests.made import MSK, assert_roles, assert_shared_parts

ROOT = "batch-spot"


def extra() -> dict[str, object]:
    return {"msk_cluster_arn": MSK, "image": IMAGE}


def job_definition(deployed: Deployed) -> dict[str, Any]:
    found = deployed.client("batch").describe_job_definitions(jobDefinitions=[deployed.outputs["job_definition_arn"]])
    return found["jobDefinitions"][0]


def test_roles_may_do_what_is_called_and_nothing_else(deployed: Deployed) -> None:
    assert_roles(deployed, "The processor", {"Batch itself", "The container agent"})


def test_shared_parts_are_as_asked(deployed: Deployed) -> None:
    assert_shared_parts(deployed, log_group="/aws/batch/csv-to-kafka", repository=True)


def test_jobs_run_on_spot_and_nothing_runs_without_jobs(deployed: Deployed) -> None:
    batch = deployed.client("batch")
    (environment,) = batch.describe_compute_environments()["computeEnvironments"]
    resources = environment["computeResources"]
    assert (environment["type"], environment["state"]) == ("MANAGED", "ENABLED")
    assert (resources["type"], resources["allocationStrategy"]) == ("SPOT", "SPOT_PRICE_CAPACITY_OPTIMIZED")
    assert resources["minvCpus"] == 0
    assert "t3.medium" in resources["instanceTypes"]
    assert len(resources["subnets"]) >= 2
    (queue,) = batch.describe_job_queues()["jobQueues"]
    assert [order["computeEnvironment"] for order in queue["computeEnvironmentOrder"]] == [
        environment["computeEnvironmentArn"]
    ]


def test_job_may_write_no_file(deployed: Deployed) -> None:
    assert job_definition(deployed)["containerProperties"]["readonlyRootFilesystem"] is True


def test_everything_is_tried_again_but_what_a_person_must_mend(deployed: Deployed) -> None:
    retry = job_definition(deployed)["retryStrategy"]
    assert retry["attempts"] == 3
    outcomes = {code: is_tried_again(retry, code) for code in (2, 3, 4, 5, 6, 70, 75, 137, 143)}
    assert outcomes == {2: False, 3: False, 4: False, 5: False, 6: False, 70: True, 75: True, 137: True, 143: True}


def is_tried_again(retry: dict[str, Any], exit_code: int) -> bool:
    """What AWS says of evaluateOnExit: the first rule that matches decides, and what matches none is tried again."""
    for rule in retry["evaluateOnExit"]:
        assert set(rule) == {"onExitCode", "action"}
        pattern = rule["onExitCode"]
        exact, prefix = pattern == str(exit_code), pattern.endswith("*") and str(exit_code).startswith(pattern[:-1])
        if exact or prefix:
            return rule["action"].upper() == "RETRY"
    return True


def test_host_asks_for_metadata_tokens_and_encrypts_its_volume(deployed: Deployed) -> None:
    ec2 = deployed.client("ec2")
    (template,) = ec2.describe_launch_templates()["LaunchTemplates"]
    version = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])
    made = version["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] in (True, "true")


def test_killed_job_that_is_submitted_again_leaves_every_row_once(deployed: Deployed, image: str) -> None:
    kill = KillAfterRecords(500)
    with LiveReader(deployed.world.broker.bootstrap_servers, deployed.topic) as live:
        attempts = [run_job(deployed, 1, kill), run_job(deployed, 2, None)]
        assert (attempts[0].signal, attempts[1].exit_code) == (9, 0)
        assert is_tried_again(job_definition(deployed)["retryStrategy"], SIGKILLED)
        resumed = next(step for step in attempts[1].steps if step.name == "resumed")
        assert 0 < resumed.fields["row"] < len(deployed.job.expected)
        verdict = verdict_on(deployed, attempts, live, kill)
    assert verdict.validity == "valid", verdict.summary


def run_job(deployed: Deployed, number: int, kill: KillAfterRecords | None) -> Attempt:
    """Submit the job as a person would, kill it or let it end, and read its lines where Batch has put them."""
    batch = deployed.client("batch")
    environment = [{"name": name, "value": value} for name, value in deployed.in_the_place_of_aws.items()]
    moving = Moving(deployed)
    submitted = batch.submit_job(
        jobName="run",
        jobQueue=deployed.outputs["job_queue"],
        jobDefinition=deployed.outputs["job_definition_arn"],
        containerOverrides={"environment": environment},
    )["jobId"]
    if kill:
        container = until(lambda: container_of(submitted), within_s=WITHIN_S, what="the job's container")
        moving.kill_after(container, kill.records)

    def ended() -> dict[str, Any] | None:
        job = batch.describe_jobs(jobs=[submitted])["jobs"][0]
        return job if job["status"] in ("SUCCEEDED", "FAILED") else None

    job = until(ended, within_s=WITHIN_S, what="the job to end", every_s=0.2)
    lines = log_lines(deployed, job["container"]["logStreamName"])
    return attempt(number, exit_code(deployed, submitted, job["status"]), lines)


def container_of(job_id: str) -> Any:
    found = docker.from_env().containers.list(filters={"name": job_id})
    return found[0] if found else None


def exit_code(deployed: Deployed, job_id: str, status: str) -> int:
    """A job's exit code, which the emulator tells in the list alone."""
    listed = deployed.client("batch").list_jobs(jobQueue=deployed.outputs["job_queue"], jobStatus=status)
    (job,) = [job for job in listed["jobSummaryList"] if job["jobId"] == job_id]
    return int(job["container"]["exitCode"])


def log_lines(deployed: Deployed, stream: str) -> list[bytes]:
    logs, lines, token = deployed.client("logs"), [], None
    while True:
        at = {"nextToken": token} if token else {}
        page = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True, **at)
        lines += [event["message"].encode() for event in page["events"]]
        if not page["events"] or page["nextForwardToken"] == token:
            return lines
        token = page["nextForwardToken"]


def test_second_plan_is_empty(deployed: Deployed) -> None:
    assert deployed.terraform.drift() - EMULATOR_DRIFT == set()


def test_destroy_leaves_nothing(deployed: Deployed) -> None:
    assert inventory(deployed.client) - deployed.before
    deployed.terraform.destroy()
    assert inventory(deployed.client) - deployed.before == set()
