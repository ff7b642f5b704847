"""Wrong edits of each kind are caught by the layer that is meant for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.plugin import not_run
from terraform.tests import patterns
from terraform.tests.cli import Terraform, TerraformFailed, TerraformUnavailable
from terraform.tests.policies import findings

COMMITTED = b'{"ts": "2026-01-01T00:00:00.000+00:00", "level": "INFO", "step": "committed", "job_id": "a", "rows": 10}'


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    try:
        return Terraform(tmp_path_factory.mktemp("edits"), "batch-spot", {"AWS_REGION": "eu-central-1"})
    except TerraformUnavailable as why:
        not_run("terraform", what="wrong edits", why=why)


@pytest.fixture
def edit(terraform: Terraform) -> Iterator[Callable[[str, str, str], None]]:
    """Replace a text in a file of the copy, until the test is over."""
    changed: dict[Path, str] = {}

    def replace(path: str, old: str, new: str) -> None:
        file = terraform.root / path
        text = changed.setdefault(file, file.read_text(encoding="utf-8"))
        assert text.count(old) >= 1, f"{path} has no {old}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    yield replace
    for file, text in changed.items():
        file.write_text(text, encoding="utf-8")


def test_misspelt_argument_is_caught_by_validate(terraform: Terraform, edit: Callable[..., None]) -> None:
    edit("main.tf", "allocation_strategy = var", "alocation_strategy = var")
    with pytest.raises(TerraformFailed, match="Unsupported argument"):
        terraform.run("validate", "-no-color")


def test_value_outside_an_enumeration_is_caught_by_validate(terraform: Terraform, edit: Callable[..., None]) -> None:
    edit("main.tf", 'type         = "MANAGED"', 'type         = "MANAGD"')
    with pytest.raises(TerraformFailed, match="MANAGD"):
        terraform.run("validate", "-no-color")


def test_misspelt_action_is_caught_by_parliament(terraform: Terraform) -> None:
    text = (terraform.root / "../modules/shared/main.tf").read_text(encoding="utf-8")
    listed = " ".join(re.findall(r"^    actions +=(.*)$", text, re.MULTILINE))
    actions = re.findall(r'"([a-z0-9]+:\w+)"', listed)
    assert "dynamodb:UpdateItem" in actions
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    assert "UNKNOWN_ACTION" not in str(findings(json.dumps(policy)))
    assert "UNKNOWN_ACTION" in str(findings(json.dumps(policy).replace("dynamodb:UpdateItem", "dynamodb:UpdateItems")))


def test_wrong_environment_name_is_caught_by_the_mocked_tests(terraform: Terraform, edit: Callable[..., None]) -> None:
    edit("../modules/job/main.tf", "KAFKA_TOPIC             =", "KAFKA_TOPICS            =")
    with pytest.raises(TerraformFailed, match="these settings, and no others"):
        terraform.run("test", "-no-color")


def test_unknown_setting_is_refused_before_anything_is_made(terraform: Terraform) -> None:
    given = ["-var", 'settings={"CHECKPOINT_INTERVALL":"1"}', "-var", "csv_source=s3://bucket/key"]
    rest = ["-var", "kafka_topic=rows", "-var", "kafka_bootstrap_servers=b:9092", "-var", "region=eu-central-1"]
    with pytest.raises(TerraformFailed, match="knows no setting CHECKPOINT_INTERVALL"):
        terraform.run("plan", "-input=false", "-no-color", *given, *rest)


def test_filter_that_matches_nothing_is_caught_on_real_lines() -> None:
    assert patterns.values('{ $.step = "committed" }', "$.rows", [COMMITTED]) == [10.0]
    assert patterns.values('{ $.step = "commited" }', "$.rows", [COMMITTED]) == []
    assert patterns.values('{ $.step = "committed" }', "$.row", [COMMITTED]) == []
    with pytest.raises(patterns.UnknownPattern):
        patterns.values("{ $.step = committed }", "1", [COMMITTED])
