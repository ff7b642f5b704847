"""What a run costs: measured rows a second times unit prices, for each way to run it. `python -m terraform.cost`.

Prints the tables of terraform/README.md. Not counted: MSK itself, traffic to brokers in another zone (0.01 USD a GB
each way), storage of the object, taxes, free tiers.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from processor.ports import Step
from processor.step_lines import StepLines

# USD in us-east-1, on demand, without free tiers. AWS's own price pages were out of reach; read elsewhere, on the day
# in brackets: Fargate, wring.co/blog/aws-fargate-pricing-guide (2026-03-10); NAT and its address,
# cloudburn.io/blog/aws-nat-gateway-pricing (2026-02-24); DynamoDB,
# airbyte.com/data-engineering-resources/dynamodb-pricing (2025-07-21); metrics, signoz.io/guides/cloudwatch-pricing
# (2026-02-15); what a T3 costs above its baseline, the announcement of T3 (2018-08). t3.medium and the log are as in
# the architecture's own table (2026-01-16). An alarm's price was not looked up; it is lost in the sum.
PRICES = {
    "fargate_vcpu_hour": 0.04048,
    "fargate_gb_hour": 0.004445,
    "t3_medium_hour": 0.0416,
    "spot_part": 0.3,  # of the on-demand price: the architecture's assumption; a market's price, look it up
    "t3_credit_vcpu_hour": 0.05,  # above the baseline, and never at a Spot discount
    "write_request": 0.625e-6,
    "log_gb": 0.50,
    "nat_hour": 0.045 + 0.005,  # with its public address
    "nat_gb": 0.045,
    "metric_month": 0.30,
    "alarm_metric_month": 0.10,
}
HOURS_A_MONTH = 730
VCPUS, MEMORY_GB = 2, 4
T3_BASELINE = 0.2  # of each vCPU
BUSY_VCPUS = 1.5  # of two, assumed: a run parses in one thread and sends in another
CHECKPOINT_ROWS = 10_000
LINES_A_BATCH = (Step.READ, Step.SENT, Step.COMMITTED, Step.SAVED)
FILTERS, ALARM_METRICS = 7, 7


@dataclass(frozen=True, slots=True)
class Case:
    """So many rows in so many hours."""

    name: str
    hours: float
    rows: float

    @property
    def saves(self) -> float:
        """Checkpoint writes, one a transaction."""
        return self.rows / CHECKPOINT_ROWS


# Measured on 2 cores that broker, S3 and DynamoDB shared: README.md, "Figures".
RATES = {"confluent, lz4": 336_000, "kafka-python, gzip": 34_600}
BILLION = 1_000_000_000


def cases() -> Iterator[Case]:
    """Yield the architecture's own case and a billion rows of 100 bytes at each measured rate."""
    yield Case("3 hours at 10,000 rows/s", 3, 3 * 3600 * 10_000)
    for name, rate in RATES.items():
        yield Case(f"1 billion rows, {name}", BILLION / rate / 3600, BILLION)


def log_bytes(case: Case) -> float:
    """Return what the run logs: the lines of one batch, written by the processor's own code, times the batches."""
    written = io.StringIO()
    lines = StepLines("rows.csv-0a1b2c3d", written)
    at: Mapping[str, object] = {"epoch": 1, "attempt": 1, "row": 123_456_789, "byte_offset": 12_345_678_900}
    took: Mapping[str, object] = {"rows": CHECKPOINT_ROWS, "bytes": 1_160_000, "send_ms": 21.3, "commit_ms": 15.1}
    for step in LINES_A_BATCH:
        lines.step(step, **at, **(took if step is Step.COMMITTED else {}))
    return len(written.getvalue()) * case.saves


def items(option: str, case: Case) -> dict[str, float]:
    """Return what each service costs in USD."""
    hours, gigabytes = case.hours, log_bytes(case) / 1e9
    fargate = VCPUS * PRICES["fargate_vcpu_hour"] + MEMORY_GB * PRICES["fargate_gb_hour"]
    credits_vcpus = BUSY_VCPUS - VCPUS * T3_BASELINE
    spot = PRICES["t3_medium_hour"] * PRICES["spot_part"] + credits_vcpus * PRICES["t3_credit_vcpu_hour"]
    months = hours / HOURS_A_MONTH
    return {
        "machine": hours * (fargate if option == "ecs-fargate" else spot),
        "DynamoDB": case.saves * PRICES["write_request"],
        "log": gigabytes * PRICES["log_gb"],
        "metrics, alarms": months * (FILTERS * PRICES["metric_month"] + ALARM_METRICS * PRICES["alarm_metric_month"]),
        "NAT": hours * PRICES["nat_hour"] + gigabytes * PRICES["nat_gb"],
    }


def tables() -> str:
    """Return a table for each case, one row an option."""
    lines: list[str] = []
    for case in cases():
        columns = list(items("ecs-fargate", case))
        lines += [
            f"**{case.name}**: {case.hours:.1f} h, {case.saves:,.0f} saves, {log_bytes(case) / 1e6:,.0f} MB of log",
            "",
            f"| USD | {' | '.join(columns)} | in all |",
            "|---" * (len(columns) + 2) + "|",
        ]
        for option in ("ecs-fargate", "batch-spot", "ec2-spot"):
            costs = items(option, case)
            amounts = [*costs.values(), sum(costs.values())]
            lines.append(f"| {option} | {' | '.join(f'{amount:.2f}' for amount in amounts)} |")
        lines.append("")
    nat = PRICES["nat_hour"] * HOURS_A_MONTH
    lines.append(f"A NAT gateway that stays between runs costs {nat:.2f} USD a month.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
