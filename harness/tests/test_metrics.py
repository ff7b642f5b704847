"""EMF lines: what CloudWatch would take from them is what happened, and they are valid by the format's own schema."""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema
import pytest

from harness.wait import until
from harness.world import World
from processor.metrics import MOST_VALUES, NAMESPACE, Metrics, spread
from processor.ports import Step
from processor.step_lines import StepLines

# After the schema in "Specification: Embedded metric format", Amazon CloudWatch User Guide,
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
NAME = {"type": "string", "pattern": "^(.*)$", "minLength": 1, "maxLength": 255}
RATES = "Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Count"
UNIT = f"^(Seconds|Microseconds|Milliseconds|Percent|None|({RATES})(/Second)?)$"
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,  # "objects defined by this specification MUST NOT contain any additional members"
    "properties": {
        "Namespace": NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "minItems": 0, "maxItems": 9, "items": NAME},
        },
        "Metrics": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["Name"],
                "additionalProperties": False,
                "properties": {"Name": NAME, "Unit": {"type": "string", "pattern": UNIT}},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": DIRECTIVE},
            },
        }
    },
}
# From the same page's text, "Target members".
NUMBERS = {
    "anyOf": [{"type": "number"}, {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "number"}}]
}
DIMENSION = {"type": "string", "minLength": 1, "maxLength": 1024}


def check(line: dict[str, Any]) -> None:
    """Raise ValidationError unless CloudWatch would take the line, and every member that it refers to is there."""
    jsonschema.validate(line, SCHEMA)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        targets = {metric["Name"]: NUMBERS for metric in directive["Metrics"]}
        targets |= {name: DIMENSION for names in directive["Dimensions"] for name in names}
        jsonschema.validate(line, {"type": "object", "required": [*targets], "properties": targets})


class Told:
    """Metrics over lines that are kept, at a time of its own."""

    def __init__(self, **settings: Any) -> None:
        self.printed = io.StringIO()
        self.metrics = Metrics(StepLines("job-1", self.printed), now_ms=lambda: 1_700_000_000_000, **settings)

    def commit(self, row: int, *, rows: int = 10, send_ms: float = 5.0, **fields: object) -> None:
        at = {"row": row, "byte_offset": 100 * row, "rows": rows, "bytes": 7 * rows}
        self.metrics.step(Step.COMMITTED, **at, send_ms=send_ms, commit_ms=2 * send_ms, **fields)

    @property
    def lines(self) -> list[dict[str, Any]]:
        found = [line for line in map(json.loads, self.printed.getvalue().splitlines()) if "_aws" in line]
        for line in found:
            check(line)
        return found

    @property
    def values(self) -> list[dict[str, Any]]:
        return [{name: line[name] for name in line if name not in {"_aws", "job_id"}} for line in self.lines]


@pytest.fixture
def told() -> Iterator[Told]:
    opened = Told()
    opened.metrics.step(Step.RESUMED, row=0, byte_offset=0, size_bytes=10_000)
    yield opened
    opened.metrics.step(Step.DONE, row=0, byte_offset=0, rows=0)


def test_line_counts_what_happened_since_the_line_before(told: Told) -> None:
    told.commit(10)
    told.commit(22, rows=12, send_ms=7.5)
    told.metrics.step(Step.RETRYING, error="x", wait_s=1.0)
    told.metrics.write()
    told.commit(30, rows=8)
    told.metrics.write()
    first, second = told.values
    assert first == {
        "RowsCommitted": 22,
        "BytesCommitted": 154,
        "Commits": 2,
        "Retries": 1,
        "RowsSkipped": 0,
        "SendMs": [5.0, 7.5],
        "CommitMs": [10.0, 15.0],
        "LagBytes": 7_800,
    }
    assert (second["RowsCommitted"], second["Retries"], second["SendMs"]) == (8, 0, [5.0])
    directive = told.lines[0]["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"]) == (NAMESPACE, [["job_id"]])
    assert told.lines[0]["job_id"] == "job-1"


def test_minute_without_a_commit_has_counts_of_zero_and_no_latency(told: Told) -> None:
    told.metrics.write()
    (idle,) = told.values
    assert idle == {
        "RowsCommitted": 0, "BytesCommitted": 0, "Commits": 0, "Retries": 0, "RowsSkipped": 0, "LagBytes": 10_000,
    }  # fmt: skip


def test_bad_rows_are_those_of_this_run_alone() -> None:
    told = Told()
    told.metrics.step(Step.RESUMED, row=50, byte_offset=500, size_bytes=10_000, skipped=5)
    told.commit(60, skipped=7)
    told.commit(70, skipped=8)
    told.metrics.write()
    told.commit(80, skipped=9)
    told.metrics.step(Step.DONE, row=80, byte_offset=10_000, rows=71)
    assert [line["RowsSkipped"] for line in told.values] == [3, 1]


def test_resume_after_a_retry_counts_no_bad_row_twice() -> None:
    told = Told()
    told.metrics.step(Step.RESUMED, row=0, byte_offset=0, size_bytes=10_000)
    told.commit(60, skipped=7)
    told.metrics.step(Step.RESUMED, row=60, byte_offset=600, size_bytes=10_000, skipped=7)
    told.metrics.step(Step.DONE, row=60, byte_offset=10_000, rows=53)
    assert sum(line["RowsSkipped"] for line in told.values) == 7


def test_of_a_compressed_object_there_is_no_lag_until_its_end() -> None:
    told = Told()
    told.metrics.step(Step.RESUMED, row=0, byte_offset=0, size_bytes=None)
    told.commit(10)
    told.metrics.write()
    told.metrics.step(Step.DONE, row=10, byte_offset=1_000, rows=10)
    assert [line.get("LagBytes") for line in told.values] == [None, 0]


@pytest.mark.parametrize("last", [Step.DONE, Step.REFUSED, Step.STOPPED, Step.FAILED])
def test_every_end_writes_a_last_line_and_no_line_comes_after_it(last: Step) -> None:
    told = Told(every_s=0.02)
    told.commit(10)
    fields = {"row": 10, "byte_offset": 1_000, "rows": 10} if last is Step.DONE else {"error": "x"}
    told.metrics.step(last, **fields)
    count = len(told.lines)
    assert sum(line["RowsCommitted"] for line in told.values) == 10
    time.sleep(0.1)
    assert len(told.lines) == count


def test_line_comes_each_minute_though_no_step_does() -> None:
    told = Told(every_s=0.02)
    told.commit(10)
    until(lambda: len(told.lines) >= 3, within_s=10, what="three lines", every_s=0.01)
    told.metrics.step(Step.FAILED, error="x")
    assert len(told.lines) >= 3
    assert sum(line["RowsCommitted"] for line in told.values) == 10


def test_no_count_is_lost_when_a_line_is_due_in_the_middle_of_a_step() -> None:
    told = Told()
    writer = threading.Thread(target=told.metrics.write)

    class Interrupted(dict[str, int]):
        def __getitem__(self, name: str) -> int:
            value = super().__getitem__(name)
            if not writer.ident:
                writer.start()
                writer.join(0.2)  # it gets so long to come between reading and writing a count
            return value

    told.metrics._counts = Interrupted(told.metrics._counts)
    told.commit(10)
    writer.join()
    told.metrics.step(Step.FAILED, error="x")
    assert sum(line["RowsCommitted"] for line in told.values) == 10
    assert sum(line["Commits"] for line in told.values) == 1


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250, 6_000])
def test_more_values_than_the_format_takes_keep_their_percentiles_and_ends(count: int) -> None:
    values = [((7919 * number) % count) ** 1.5 for number in range(count)]
    kept = spread(values)
    assert len(kept) == min(count, MOST_VALUES)
    assert set(kept) <= set(values)
    assert (min(kept), max(kept)) == (min(values), max(values))
    if count > 1:
        step = max(values) / 50  # two of a hundred ranks
        before, after = (statistics.quantiles(sample, n=100, method="inclusive") for sample in (values, kept))
        assert abs(before[49] - after[49]) <= step
        assert abs(before[98] - after[98]) <= step


@pytest.mark.parametrize(
    "spoil",
    [
        {"SendMs": []},
        {"SendMs": [1.0] * 101},
        {"SendMs": "5"},
        {"job_id": 1},
        {"_aws": {}},
        {"_aws": {"Timestamp": 1.5, "CloudWatchMetrics": []}},
    ],
    ids=str,
)
def test_line_that_cloudwatch_would_not_take_is_noticed(told: Told, spoil: dict[str, object]) -> None:
    told.commit(10)
    told.metrics.write()
    with pytest.raises(jsonschema.ValidationError):
        check(told.lines[0] | spoil)


def run(world: World, topic: str, *flags: str, rows: int = 500) -> Sequence[dict[str, Any]]:
    csv = b"id,text\n" + b"".join(b"%d,some text\n" % number for number in range(rows))
    environment = world.environment(topic=topic, source=world.upload("rows.csv", csv), job_id=topic)
    done = subprocess.run(
        [sys.executable, "-m", "processor", "run", "--checkpoint-interval", "20", *flags],
        env={**environment, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.broker
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_metrics_of_a_real_run_are_those_of_its_steps(world: World, topic: str, client: str) -> None:
    lines = run(world, topic, "--metrics", "emf", "--client", client)
    (line,) = [line for line in lines if "_aws" in line]
    check(line)
    assert lines[-1] is line
    committed = [one for one in lines if one.get("step") == "committed"]
    assert len(committed) == line["Commits"] == 25
    assert line["RowsCommitted"] == 500
    assert line["BytesCommitted"] == sum(one["bytes"] for one in committed)
    assert sorted(line["SendMs"]) == sorted(one["send_ms"] for one in committed)
    assert sorted(line["CommitMs"]) == sorted(one["commit_ms"] for one in committed)
    assert (line["LagBytes"], line["RowsSkipped"], line["Retries"]) == (0, 0, 0)
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60


@pytest.mark.broker
def test_filters_over_step_lines_find_nothing_in_a_line_of_metrics(world: World, topic: str) -> None:
    lines = run(world, topic, "--metrics", "emf")
    (line,) = [line for line in lines if "_aws" in line]
    assert line.keys().isdisjoint({"step", "level", "rows", "send_ms", "commit_ms"})


@pytest.mark.broker
def test_without_the_setting_there_is_no_line_of_metrics_and_a_warning_level_leaves_the_end_alone(
    world: World, topic: str
) -> None:
    assert all("_aws" not in line for line in run(world, topic))
    other = world.create_topic()
    assert [line["step"] for line in run(world, other, "--log-level", "warning")] == ["done"]
