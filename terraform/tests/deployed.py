"""One option applied to a cloud of its own, and what is asked of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from chaos.job import Job
from harness.cloud import REGION
from harness.world import World
from terraform.tests.cli import Terraform

# What the emulator gives back otherwise than it was given; nothing else may differ in a second plan.
EMULATOR_DRIFT = {
    "aws_launch_template.tag_specifications",  # a template's own tags come back as tags of what it launches
    "aws_launch_template.latest_version",  # follows from it
    "aws_launch_template.default_version",
    "aws_autoscaling_group.launch_template.version",
    "aws_autoscaling_group.capacity_reservation_specification.capacity_reservation_preference",  # as above: computed
    "aws_batch_compute_environment.compute_resources.launch_template.version",
    "aws_vpc_security_group_ingress_rule.description",  # forgotten where the source is a group
}
# What the emulator makes for itself: where its Batch logs, and the cluster that stands for a compute environment.
OF_THE_EMULATOR = ("logs /aws/batch/job", ":cluster/OnDemand_Batch_")


@dataclass
class Deployed:
    """An option, applied. `before` is what the cloud held before it."""

    world: World
    terraform: Terraform
    job: Job
    topic: str
    before: set[str]
    outputs: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client of the option's cloud."""
        return boto3.client(service, **self.world.cloud._client_settings())  # as its own are made

    @property
    def in_the_place_of_aws(self) -> dict[str, str]:
        """What a container is told here and not on AWS: where the emulator is, and the credentials of a role."""
        environment = self.world.cloud.environment()
        return {name: environment[name] for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}


def variables(world: World, job: Job, topic: str, extra: Mapping[str, object]) -> dict[str, object]:
    """Return a root's variables for one job in this world."""
    return {
        "region": REGION,
        "csv_source": world.upload(f"{topic}.csv", job.csv),
        "kafka_topic": topic,
        "job_id": topic,
        "kafka_bootstrap_servers": world.broker.bootstrap_servers,
        "kafka_client": job.client,
        "settings": dict(job.settings),
        "protect": False,
        **extra,
    }


def deploy(folder: Path, root: str, world: World, job: Job, extra: Mapping[str, object]) -> Deployed:
    """Apply a root in this world, whose own checkpoint table makes way for the one of Terraform."""
    world.cloud.dynamodb.delete_table(TableName=world.cloud.table)
    terraform = Terraform(folder, root, world.cloud.environment())
    topic = world.create_topic()
    terraform.set_variables(variables(world, job, topic, extra))
    deployed = Deployed(world, terraform, job, topic, set())
    deployed.before = inventory(deployed.client)
    deployed.outputs = terraform.apply()
    assert deployed.outputs["checkpoint_table"] == world.cloud.table  # whose every version the cloud remembers
    return deployed


def inventory(client: Callable[[str], Any]) -> set[str]:
    """Return a name for everything that an option could have made and that is still there."""
    found: set[str] = set()
    for service, operation, path, name in _LISTED:
        with contextlib.suppress(ClientError):  # nothing of the kind
            for one in _walk(getattr(client(service), operation)(), path.split(".")):
                gone = isinstance(one, dict) and _state(one) in _GONE
                if not gone:
                    found.add(f"{service} {one[name] if isinstance(one, dict) else one}")
    found |= {f"ecs {cluster}" for cluster in _active_clusters(client("ecs"))}
    return {name for name in found if not any(own in name for own in OF_THE_EMULATOR)}


def _active_clusters(ecs: Any) -> Iterator[str]:
    """Yield the clusters that are not deleted: ECS lists those too, for a while."""
    for cluster in ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]:
        if cluster["status"] != "INACTIVE":
            yield cluster["clusterArn"]


_GONE = {"deleted", "terminated", "shutting-down", "INACTIVE", "DELETED"}
_LISTED = (
    ("dynamodb", "list_tables", "TableNames", ""),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("logs", "describe_metric_filters", "metricFilters", "filterName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("events", "list_rules", "Rules", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("ecs", "list_task_definitions", "taskDefinitionArns", ""),
    ("batch", "describe_compute_environments", "computeEnvironments", "computeEnvironmentName"),
    ("batch", "describe_job_queues", "jobQueues", "jobQueueName"),
    ("batch", "describe_job_definitions", "jobDefinitions", "jobDefinitionArn"),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    ("ec2", "describe_instances", "Reservations.Instances", "InstanceId"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
)


def _walk(answer: Any, path: list[str]) -> Iterator[Any]:
    values = answer.get(path[0], [])
    for value in values:
        if path[1:]:
            yield from _walk(value, path[1:])
        else:
            yield value


def _state(one: Mapping[str, Any]) -> str:
    state = one.get("State") or one.get("status") or ""
    return str(state.get("Name", "")) if isinstance(state, dict) else str(state)
