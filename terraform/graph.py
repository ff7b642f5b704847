"""Makes a picture of what a root makes: `terraform graph | python -m terraform.graph | dot -Tsvg > graph.svg`.

Keeps the parts that the architecture draws, in their modules; what lies between two of them becomes an arrow.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping

# Types that are drawn, and their names in the architecture.
DRAWN = {
    "aws_autoscaling_group": "Auto Scaling group of one",
    "aws_batch_compute_environment": "compute environment\n(Spot)",
    "aws_batch_job_definition": "job definition\nretries, timeout",
    "aws_batch_job_queue": "job queue",
    "aws_cloudwatch_dashboard": "dashboard",
    "aws_cloudwatch_event_rule": "event: job failed",
    "aws_cloudwatch_log_group": "CloudWatch log group",
    "aws_cloudwatch_log_metric_filter": "metric filters",
    "aws_cloudwatch_metric_alarm": "alarms",
    "aws_dynamodb_table": "DynamoDB\ncheckpoint table",
    "aws_ecr_repository": "ECR repository",
    "aws_ecs_cluster": "ECS cluster",
    "aws_ecs_task_definition": "task definition\n(Fargate)",
    "aws_iam_instance_profile": "instance profile",
    "aws_iam_role": "role",
    "aws_internet_gateway": "internet gateway",
    "aws_launch_template": "launch template",
    "aws_msk_cluster": "MSK cluster",
    "aws_msk_configuration": "MSK configuration",
    "aws_nat_gateway": "NAT gateway",
    "aws_s3_bucket": "S3 bucket\n(package)",
    "aws_scheduler_schedule": "schedule",
    "aws_security_group": "security group",
    "aws_sfn_state_machine": "state machine\nstarts it again",
    "aws_sns_topic": "SNS topic",
    "aws_subnet": "subnets",
    "aws_vpc": "VPC",
    "aws_vpc_endpoint": "endpoints\nS3, DynamoDB",
}
TOLD_APART = {"aws_iam_role", "aws_security_group", "aws_subnet", "aws_launch_template"}
_EDGE = re.compile(r'^ *"([^"]+)" -> "([^"]+)";$', re.MULTILINE)
_NODE = re.compile(r'^ *"([^"]+)" \[label=', re.MULTILINE)


def picture(graph: str) -> str:
    """Return Graphviz's text of the picture for the text that `terraform graph` printed."""
    needs: dict[str, set[str]] = defaultdict(set)
    for one, other in _EDGE.findall(graph):
        needs[one].add(other)
    names = [address for address in _NODE.findall(graph) if _type(address) in DRAWN]
    arrows = {(_drawn(name), _drawn(other)) for name in names for other in _nearest(name, needs)}
    arrows = _without_detours((one, other) for one, other in arrows if one != other)
    linked = {end for arrow in arrows for end in arrow}
    lines = ["digraph {", '  rankdir=LR; fontname="sans-serif"; nodesep=0.15; ranksep=0.6; bgcolor=white;']
    lines.append('  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif", fontsize=11];')
    by_module: dict[str, list[str]] = defaultdict(list)
    for address in names:
        if _drawn(address) in linked:  # what nothing needs and needs nothing is there with a count of 0
            by_module[_module(address)].append(address)
    for module, addresses in by_module.items():
        inside = dict.fromkeys(f'    "{_drawn(address)}" [label="{_label(address)}"];' for address in addresses)
        opening = (
            f'  subgraph "cluster_{module}" {{ label="{module}"; style=filled; fillcolor="#eef3f8"; color="#99aabb";'
        )
        lines += [opening, *inside, "  }"] if module else inside
    lines += [f'  "{one}" -> "{other}";' for one, other in sorted(arrows)]
    return "\n".join([*lines, "}"]) + "\n"


def _nearest(address: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Return the drawn parts that this one needs, by itself or through parts that are not drawn."""
    found, seen, open_ends = set(), {address}, list(needs[address])
    while open_ends:
        other = open_ends.pop()
        if other in seen:
            continue
        seen.add(other)
        if _type(other) in DRAWN:
            found.add(other)
        else:
            open_ends += needs[other]
    return found


def _without_detours(arrows: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leave out each arrow that a way over others says too."""
    kept, ways = set(arrows), defaultdict(set)
    for one, other in kept:
        ways[one].add(other)
    for one, other in sorted(kept):
        seen, open_ends = set(), [step for step in ways[one] if step != other]
        while open_ends:
            step = open_ends.pop()
            if step not in seen:
                seen.add(step)
                open_ends += ways[step]
        if other in seen:
            kept.discard((one, other))
            ways[one].discard(other)
    return kept


def _type(address: str) -> str:
    parts = address.split(".")
    return "" if "data" in parts else parts[-2]


def _module(address: str) -> str:
    parts = address.split(".")
    return parts[1] if parts[0] == "module" else ""


def _drawn(address: str) -> str:
    """Return the name of the box: one for all resources of a type in a module, unless they are told apart."""
    kind = _type(address)
    return address if kind in TOLD_APART else f"{_module(address)}.{kind}"


def _label(address: str) -> str:
    kind, name = _type(address), address.rpartition(".")[2]
    text = f"{DRAWN[kind]}: {name}" if kind in TOLD_APART and name != "this" else DRAWN[kind]
    return text.replace("\n", "\\n")


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read()))
