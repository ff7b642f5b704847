"""The README's example of a test for other people's programs, run as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.broker


def outcome_for(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the example in a pytest of its own, with COMMAND in the place of `our.mover`."""
    found = re.search(r'```python\n("""Kills our mover.*?)```', (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert '"our.mover")' in found[1]
    (folder / "conftest.py").write_text('pytest_plugins = ["harness.plugin"]\n')
    (folder / "test_mover.py").write_text(found[1].replace('"our.mover")', command))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_example_passes_for_this_processor(tmp_path: Path) -> None:
    run = outcome_for('"processor", "run")', tmp_path)
    assert run.returncode == 0, run.stdout


def test_the_example_convicts_a_naive_mover(tmp_path: Path) -> None:
    run = outcome_for('"chaos.outsiders.naive")', tmp_path)
    assert run.returncode == 1, run.stdout
    assert "Duplicate" in run.stdout
