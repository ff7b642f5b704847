"""What all three options make alike, asked of the cloud in which it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from harness.target import parse_steps
from terraform.tests.deployed import Deployed
from terraform.tests.patterns import values
from terraform.tests.policies import assert_processor_rights, assert_rights_on_msk, assert_sound, role_policies

MSK = "arn:aws:kafka:eu-central-1:123456789012:cluster/rows/0a1b2c3d-0001"


def assert_shared_parts(deployed: Deployed, *, log_group: str, repository: bool) -> None:
    """Table, log, repository, network and alarms are as the architecture wants them."""
    _assert_table(deployed)
    groups = deployed.client("logs").describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
    assert [(group["logGroupName"], group["retentionInDays"]) for group in groups] == [(log_group, 30)]
    if repository:
        (made,) = deployed.client("ecr").describe_repositories()["repositories"]
        assert made["imageScanningConfiguration"] == {"scanOnPush": True}
        assert made["imageTagMutability"] == "IMMUTABLE"
        assert deployed.client("ecr").get_lifecycle_policy(repositoryName=made["repositoryName"])["lifecyclePolicyText"]
    _assert_network(deployed)
    _assert_alarms(deployed)


def assert_roles(deployed: Deployed, processor: str, others: set[str]) -> None:
    """There are these roles and no others, their policies are sound, and the processor's has what it calls."""
    assert role_policies(deployed).keys() == {processor, *others}
    assert_sound(deployed)
    assert_processor_rights(deployed, processor)
    assert_rights_on_msk(deployed, processor, MSK)


def _assert_table(deployed: Deployed) -> None:
    name = deployed.outputs["checkpoint_table"]
    table = deployed.client("dynamodb").describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "job_id", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSEDescription"]["Status"] == "ENABLED"
    backups = deployed.client("dynamodb").describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def _assert_network(deployed: Deployed) -> None:
    ec2 = deployed.client("ec2")
    (vpc,) = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
    ways_out: dict[str, set[str]] = {"public": set(), "private": set()}
    for subnet in ec2.describe_subnets(Filters=of_vpc)["Subnets"]:
        kind = "public" if "-public-" in tag(subnet, "Name") else "private"
        ways_out[kind].add(f"{subnet['AvailabilityZone']} {_way_out(tables, subnet['SubnetId'])}")
    assert {way.split()[1] for way in ways_out["public"]} == {"igw"}
    assert {way.split()[1] for way in ways_out["private"]} == {"nat"}
    assert len(ways_out["public"]) == len(ways_out["private"]) == 2  # zones
    endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    assert {point["ServiceName"].rpartition(".")[2] for point in endpoints} == {"s3", "dynamodb"}
    groups = {tag(group, "Name"): group for group in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]}
    processor, msk = groups["csv-to-kafka-processor"], groups["csv-to-kafka-msk"]
    assert processor["IpPermissions"] == []
    assert [rule["IpProtocol"] for rule in processor["IpPermissionsEgress"]] == ["-1"]
    assert {rule["FromPort"] for rule in msk["IpPermissions"]} == {9092, 9094}
    sources = {pair["GroupId"] for rule in msk["IpPermissions"] for pair in rule["UserIdGroupPairs"]}
    assert sources == {processor["GroupId"]}
    assert not any(rule["IpRanges"] for rule in msk["IpPermissions"])


def _way_out(tables: list[dict[str, Any]], subnet: str) -> str:
    for table in tables:
        if subnet in [link.get("SubnetId") for link in table["Associations"]]:
            route = next(r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0")
            return str(route.get("NatGatewayId") or route["GatewayId"]).partition("-")[0]
    raise AssertionError(f"{subnet} has no route table of its own")


def _assert_alarms(deployed: Deployed) -> None:
    filters = deployed.client("logs").describe_metric_filters(logGroupName=deployed.outputs["log_group"])
    made = {
        (transformation["metricNamespace"], transformation["metricName"])
        for one in filters["metricFilters"]
        for transformation in one["metricTransformations"]
    }
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {"csv-to-kafka-run-failed", "csv-to-kafka-error-rate", "csv-to-kafka-stalled"} <= {
        alarm["AlarmName"] for alarm in alarms
    }
    for alarm in alarms:
        assert alarm["AlarmActions"] == [deployed.outputs["alarm_topic_arn"]]
        assert alarm["TreatMissingData"] == "notBreaching", "an alarm must be silent when nothing runs"
        for namespace, name in _metrics_of(alarm):
            assert (namespace, name) in made or (namespace, name) in METRICS_OF_AWS, (alarm["AlarmName"], name)
    dashboard = deployed.client("cloudwatch").get_dashboard(DashboardName="csv-to-kafka")["DashboardBody"]
    shown = [tuple(metric) for widget in json.loads(dashboard)["widgets"] for metric in widget["properties"]["metrics"]]
    assert set(shown) <= made


# https://docs.aws.amazon.com: "Container Insights metrics", "Step Functions metrics", "Auto Scaling group metrics"
METRICS_OF_AWS = {
    ("ECS/ContainerInsights", "TaskCount"),
    ("AWS/States", "ExecutionsFailed"),
    ("AWS/AutoScaling", "GroupInServiceInstances"),
}


def _metrics_of(alarm: dict[str, Any]) -> list[tuple[str, str]]:
    if alarm.get("MetricName"):
        return [(alarm["Namespace"], alarm["MetricName"])]
    metrics = [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
    return [(metric["Namespace"], metric["MetricName"]) for metric in metrics]


def assert_filters_understand(deployed: Deployed, lines: Sequence[bytes]) -> None:
    """Each metric gets its numbers from these lines of runs that committed, retried and were refused."""
    filters = deployed.client("logs").describe_metric_filters(logGroupName=deployed.outputs["log_group"])
    published = {
        transformation["metricName"]: values(one["filterPattern"], transformation["metricValue"], lines)
        for one in filters["metricFilters"]
        for transformation in one["metricTransformations"]
    }
    assert [name for name, numbers in published.items() if not numbers] == []
    committed = [step for step in parse_steps(lines) if step.name == "committed"]
    assert sum(published["RowsCommitted"]) == sum(step.fields["rows"] for step in committed)
    assert len(published["Commits"]) == len(published["SendMs"]) == len(published["CommitMs"]) == len(committed)
    assert published["Errors"] == [1.0]


def tag(one: dict[str, Any], name: str) -> str:
    """Return a tag's value, empty without one."""
    return next((str(pair["Value"]) for pair in one.get("Tags", []) if pair["Key"] == name), "")
