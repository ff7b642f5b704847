"""What the pages in docs/ say is what code and configuration say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.tests.test_metrics import check
from processor import __main__, errors, metrics, spot
from processor.errors import EXIT_UNEXPECTED, ProcessorError
from processor.opening import SETTLE_S
from processor.processor import RETRY_WAITS_S
from processor.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
TERRAFORM = {path: path.read_text(encoding="utf-8") for path in (ROOT / "terraform").rglob("*.tf")}


def section(title: str, page: str = OPERATIONS) -> str:
    return re.split(r"^## ", page.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def words(text: str) -> str:
    return " ".join(text.split())


def test_readme_links_both_pages() -> None:
    assert "](docs/operations.md)" in README
    assert "](docs/security.md)" in README


def test_every_exit_code_has_its_line_and_no_other_number_has() -> None:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProcessorError))
    codes = {kind.exit_code for kind in kinds} | {0, EXIT_UNEXPECTED, 130, 143}
    rows = re.findall(r"^\| ([0-9, ]+) \|", section("Exit codes, and what to do"), re.MULTILINE)
    assert sorted(int(code) for row in rows for code in row.split(",")) == sorted(codes)


def test_every_alarm_that_terraform_makes_has_a_runbook_of_its_own() -> None:
    made = [
        name
        for text in TERRAFORM.values()
        for block in re.findall(r'^resource "aws_cloudwatch_metric_alarm" .*?^\}', text, re.MULTILINE | re.DOTALL)
        for name in re.findall(r'alarm_name += "\$\{var\.name\}-([a-z-]+)"', block)
    ]
    declared = sum(text.count('resource "aws_cloudwatch_metric_alarm"') for text in TERRAFORM.values())
    runbooks = dict(re.findall(r"^### ([a-z-]+)\n\n(.*?)(?=^#|\Z)", section("Alarms"), re.MULTILINE | re.DOTALL))
    assert len(made) == declared >= 4
    assert sorted(runbooks) == sorted(made)
    assert all(len(text) > 200 for text in runbooks.values())


def test_rights_are_those_that_terraform_grants() -> None:
    policy = TERRAFORM[ROOT / "terraform" / "modules" / "shared" / "main.tf"]
    granted = set(re.findall(r'"((?:s3|dynamodb|secretsmanager|kafka-cluster):[A-Z][A-Za-z]+)"', policy))
    table = [line.split("|")[1] for line in section("Least privilege", SECURITY).splitlines() if line.startswith("| `")]
    assert {action for cell in table for action in re.findall(r"`([\w-]+:\w+)`", cell)} == granted
    assert len(granted) > 12


def test_metrics_are_those_of_the_table_and_of_the_example_which_is_valid() -> None:
    told = section("Metrics")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\w+) \|", told, re.MULTILINE)
    assert {name: unit for names, unit in rows for name in re.findall(r"\w+", names)} == metrics.UNITS
    example = json.loads(told.split("```json\n")[1].split("\n```")[0])
    check(example)
    assert {metric["Name"] for metric in example["_aws"]["CloudWatchMetrics"][0]["Metrics"]} == metrics.UNITS.keys()
    assert example["_aws"]["CloudWatchMetrics"][0]["Namespace"] == metrics.NAMESPACE
    assert metrics.EVERY_S == 60


def test_bounds_that_are_promised_are_those_of_the_code() -> None:
    assert "five seconds at most beyond the commit at hand" in words(section("Stops"))
    assert "and 20 s in all" in words(section("Stops"))
    assert (__main__.WRAP_UP_WITHIN_S, __main__.DRAIN_WITHIN_S, spot.POLL_EVERY_S) == (5.0, 20.0, 5.0)
    assert "the next attempt, 75 s at most" in words(OPERATIONS)
    assert "it gives up after 10 s" in words(OPERATIONS)
    assert (1.25 * RETRY_WAITS_S[-1], SETTLE_S) == (75, 10)


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/security.md"])
def test_settings_and_files_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {setting.variable for setting in SETTINGS} | {setting.flag for setting in SETTINGS}
    own = {"--all", "--yes", "--json", "--to-row", "--dry-run", "--help"}
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    variables = set(re.findall(r"`([A-Z]{2,}(?:_[A-Z]+)+)`", text))
    assert flags <= known | own
    assert {name for name in variables if not name.startswith("AWS_")} <= known | {"SASL_SSL", "SASL_PLAINTEXT"}
    for name in re.findall(r"`((?:docs|processor|terraform)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for default, variable in re.findall(r"`([\w-]+)` \(([\d,]+)", text):
        setting = next(one for one in SETTINGS if one.variable == default)
        number = float(variable.replace(",", ""))
        assert setting.default in (number, number * 1000, number * 2**20), default


@pytest.mark.parametrize("page", [OPERATIONS, SECURITY], ids=["operations", "security"])
def test_every_block_without_a_language_is_a_command_that_is_run(page: str) -> None:
    """By test_readme_commands, in its order."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert blocks
    for language, block in blocks:
        assert language or block.startswith("$ csv-to-kafka "), block
