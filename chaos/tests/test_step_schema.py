"""The lines of a run are those of docs/operations.md: fields and types, none missing, none besides."""

from __future__ import annotations

import io
import json
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chaos.job import Job
from chaos.nemesis.course import Course
from chaos.on_fakes import FakeJob
from harness.fakes import Crash, FakeKey
from harness.history import Attempt
from harness.workload import Shape, generate
from harness.world import World
from processor.errors import ProcessorError
from processor.model import BadRows
from processor.ports import Step
from processor.step_lines import LEVELS, StepLines

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
CSV = generate(7, rows=9, shape=Shape(columns=2))


def documented() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema for each step, as the page's two tables have it."""
    section = PAGE.split("## The lines of a run\n")[1].split("\n## ")[0]
    levels = dict(re.findall(r"^\| `(\w+)` \| ([A-Z]+) \|", section, re.MULTILINE))
    schemas: dict[str, dict[str, Any]] = {
        step: {"type": "object", "properties": {}, "required": [], "additionalProperties": False} for step in levels
    }
    field = re.compile(r"^\| `(\w+)` \| ([a-z ]+) \| (every step|[^|]*`\w+`[^|]*) \|", re.MULTILINE)
    for name, kinds, where in field.findall(section):
        always, _, at_times = where.partition("at times")
        steps = re.findall(r"`(\w+)`", always) if where != "every step" else list(levels)
        for step in [*steps, *re.findall(r"`(\w+)`", at_times)]:
            schemas[step]["properties"][name] = {"type": kinds.split(" or ")}
        for step in steps:
            schemas[step]["required"].append(name)
    for step, schema in schemas.items():
        schema["properties"]["level"] = {"const": levels[step]}
        schema["properties"]["step"] = {"const": step}
    return schemas


SCHEMAS = documented()


def check(lines: list[dict[str, Any]]) -> set[str]:
    """Return the steps of these lines, each of which is as documented."""
    for line in lines:
        jsonschema.validate(line, SCHEMAS[line["step"]])
    return {line["step"] for line in lines}


def lines_of(job: FakeJob, *, stopped: bool = False) -> list[dict[str, Any]]:
    """Run one process of the job on fakes; return what it prints."""
    printed = io.StringIO()
    run = job.run(StepLines("job", printed), "me")  # type: ignore[arg-type]  # any observer will do
    if stopped:
        run._stop.ask(signal.SIGTERM)
    with suppress(ProcessorError, Crash):
        run.run()
    return [json.loads(line) for line in printed.getvalue().splitlines()]


def test_page_knows_every_step_with_its_level_and_no_other() -> None:
    levels = {step: schema["properties"]["level"]["const"] for step, schema in SCHEMAS.items()}
    assert levels == {step.value: LEVELS.get(step, "INFO") for step in Step}
    assert all(len(schema["required"]) >= 6 for schema in SCHEMAS.values())


def test_every_step_there_is_comes_as_documented_on_fakes() -> None:
    job = FakeJob(CSV, faults=["sink.commit:2 fails before", "checkpoints.save:2 fails before"])
    seen = check(lines_of(job, stopped=True)) | check(lines_of(job))
    assert seen == {step.value for step in Step} - {"rebuilt", "refused", "failed", "skipped"}
    killed = FakeJob(CSV, faults=["sink.send:3 crashes before"])
    seen |= check(lines_of(killed))
    killed.partition.expire_group_offsets()
    seen |= check(lines_of(killed))
    seen |= check(lines_of(FakeJob(CSV, faults=["checkpoints.claim:1 fails before"])))
    refused = FakeJob(CSV)
    refused.key = FakeKey(b"a,b\n1,2\n1,2,3\n")
    seen |= check(lines_of(refused))
    skipping = FakeJob(CSV, bad_rows=BadRows.SKIP)
    skipping.key = FakeKey(b"a,b\n1,2\n1,2,3\n3,4\n")
    seen |= check(lines_of(skipping))
    assert seen == {step.value for step in Step}


@pytest.mark.parametrize(
    "spoil", [{"message": "x"}, {"row": "7"}, {"row": None}, {"send_ms": True}, {"level": "WARNING"}]
)
def test_line_that_is_not_as_documented_is_noticed(spoil: dict[str, Any]) -> None:
    (line, *_) = [line for line in lines_of(FakeJob(CSV)) if line["step"] == "committed"]
    check([line])
    with pytest.raises(jsonschema.ValidationError):
        check([line | spoil])
    for name in SCHEMAS["committed"]["required"]:
        with pytest.raises((jsonschema.ValidationError, KeyError)):
            check([{field: value for field, value in line.items() if field != name}])


def told(attempt: Attempt) -> list[dict[str, Any]]:
    return [dict(step.fields) for step in attempt.steps if step.name not in {"asleep", "struck"}]  # those of the victim


@pytest.mark.broker
def test_every_line_of_real_runs_is_as_documented(course: Course) -> None:
    run = course.asleep_at("committed", 2)
    run.signal(signal.SIGTERM)
    assert course.woken(run).exit_code == 143
    assert course.run() == 0
    assert course.run() == 0
    assert course.run(CSV_DELIMITER=";") == 6
    seen = set[str]().union(*(check(told(attempt)) for attempt in course.attempts))
    assert seen == {step.value for step in Step} - {"rebuilt", "retrying", "failed", "skipped"}


@pytest.mark.broker
def test_every_line_of_a_real_run_that_meets_failures_is_as_documented(world: World) -> None:
    job = Job(CSV.csv, CSV.values("json"), settings={"CHECKPOINT_INTERVAL": "2"})
    with Course(world, job) as course:
        world.cloud.fail("UpdateItem", status=500, code="InternalServerError", times=4, skip=3)
        assert course.run(CHAOS_HASTE="pauses") == 0, course.stderr
        seen = check(told(course.attempts[-1]))
        assert "retrying" in seen
