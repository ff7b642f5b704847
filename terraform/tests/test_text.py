"""The configuration as text: settings that the processor knows, roots that say the same in the same words."""

from __future__ import annotations

import json
import re

import pytest

from harness.plugin import not_run
from processor.settings import SETTINGS
from terraform import cost, generate
from terraform.tests.cli import HERE, ROOTS, Terraform, TerraformUnavailable

OPTIONS = ("ecs-fargate", "batch-spot", "ec2-spot")


def variables_of(path: str) -> dict[str, str]:
    """Return each variable's block by its name."""
    text = (HERE / path / "variables.tf").read_text(encoding="utf-8")
    return {match[1]: match[0] for match in re.finditer(r'^variable "(\w+)" \{.*?^\}', text, re.MULTILINE | re.DOTALL)}


def test_every_setting_of_the_processor_is_a_variable_or_in_the_list() -> None:
    text = (HERE / "modules/job/main.tf").read_text(encoding="utf-8")
    own = set(re.findall(r"^    ([A-Z_]+) += (?:var|tostring)", text, re.MULTILINE))
    listed = json.loads((HERE / "modules/job/settings.json").read_text(encoding="utf-8"))
    assert own | set(listed) == {setting.variable for setting in SETTINGS}
    assert not own & set(listed)


@pytest.mark.parametrize("root", OPTIONS)
def test_variables_that_options_share_are_the_same_in_each(root: str) -> None:
    first, other = variables_of(OPTIONS[0]), variables_of(root)
    special = {"memory_mib", "max_restarts", "restart_wait_s"}  # of the machine, which differs
    shared = first.keys() & other.keys() - special
    assert len(shared) >= 18
    assert {name: first[name] for name in shared} == {name: other[name] for name in shared}


@pytest.mark.parametrize("root", ROOTS)
def test_every_variable_of_a_root_is_described_typed_and_checked(root: str) -> None:
    for name, block in variables_of(root).items():
        assert "description = " in block, name
        assert "type " in block, name
        assert "validation {" in block or re.search(r"type += bool", block), name


def test_what_is_generated_is_up_to_date() -> None:
    assert generate.stale() == []


def test_costs_are_those_of_the_measured_rates() -> None:
    figures = (HERE.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"{rate:,}" in figures for rate in cost.RATES.values())
    assert cost.tables() in (HERE / "README.md").read_text(encoding="utf-8")
    for root in OPTIONS:
        readme = (HERE / root / "README.md").read_text(encoding="utf-8")
        three_hours, billion, _ = (sum(cost.items(root, case).values()) for case in cost.cases())
        assert f"{three_hours:.2f} USD for three hours" in readme
        assert f"{billion:.2f} USD for a billion rows" in readme


def test_an_hour_of_the_architectures_task_is_two_vcpus_and_four_gigabytes() -> None:
    (case, *_) = cost.cases()
    assert cost.items("ecs-fargate", case)["machine"] == pytest.approx(3 * (2 * 0.04048 + 4 * 0.004445))


@pytest.mark.parametrize("root", ROOTS)
def test_root_is_formatted_valid_and_passes_its_own_tests(root: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        terraform = Terraform(tmp_path_factory.mktemp(root), root, {"AWS_REGION": "eu-central-1"})
    except TerraformUnavailable as why:
        not_run("terraform", what=f"the tests of {root}", why=why)
    terraform.run("fmt", "-check", "-recursive", "..")
    terraform.run("validate", "-no-color")
    ended = terraform.run("test", "-no-color").stdout
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", ended)
