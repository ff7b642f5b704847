"""Which steps become lines, and that a reader who has gone ends no run."""

from __future__ import annotations

import io
import json

from processor.ports import Step
from processor.step_lines import StepLines


def steps_told(*, quiet: bool) -> list[str]:
    printed = io.StringIO()
    lines = StepLines("job", printed, quiet=quiet)
    for step in Step:
        lines.step(step, epoch=1)
    return [json.loads(line)["step"] for line in printed.getvalue().splitlines()]


def test_all_steps_are_told_in_order() -> None:
    assert steps_told(quiet=False) == [step.value for step in Step]


def test_quiet_lines_are_those_of_what_goes_wrong_and_of_the_end() -> None:
    assert steps_told(quiet=True) == ["skipped", "done", "retrying", "refused", "stopped", "failed"]


def test_quiet_lines_let_other_lines_through() -> None:
    printed = io.StringIO()
    StepLines("job", printed, quiet=True).write({"_aws": {}})
    assert printed.getvalue() == '{"_aws": {}}\n'
