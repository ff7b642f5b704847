"""The README says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from processor import errors
from processor.errors import EXIT_UNEXPECTED, ProcessorError
from processor.settings import readme_table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_one_that_the_settings_make() -> None:
    assert readme_table() in README


def test_every_exit_code_of_an_error_is_in_the_table() -> None:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProcessorError))
    codes = {kind.exit_code for kind in kinds}
    listed = {int(code) for line in re.findall(r"^\| ([0-9, ]+) \|", README, re.MULTILINE) for code in line.split(",")}
    assert codes | {0, EXIT_UNEXPECTED, 130, 143} == listed


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"`((?:processor|harness|chaos)/[a-z_/]+(?:\.py)?)`", README):
        assert (ROOT / name).exists(), name
