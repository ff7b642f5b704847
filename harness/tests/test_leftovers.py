"""A sweep ends what the dead left, and touches nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.broker import leftovers


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that went wrong must find nothing of anybody else."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_process_is_told_apart_from_a_later_one_with_its_id() -> None:
    me = leftovers.ProcessName.of_this_process()
    assert me.pid == os.getpid()
    assert leftovers.ProcessName.from_json(me.to_json()) == me
    assert not me.is_dead()
    assert replace(me, started="long ago").is_dead()


def test_process_of_another_machine_is_never_taken_for_dead() -> None:
    elsewhere = replace(leftovers.ProcessName.of_this_process(), host="elsewhere", started="long ago")
    assert not elsewhere.is_dead()


def test_sweep_spares_the_folder_of_a_living_owner() -> None:
    folder = leftovers.make_folder()
    leftovers.sweep()
    assert folder.is_dir()
    shutil.rmtree(folder)


def test_sweep_removes_the_folder_of_a_dead_owner() -> None:
    program = "from harness.broker import leftovers; print(leftovers.make_folder())"
    repository = Path(__file__).parents[2]
    made = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True)
    leftovers.sweep()
    assert not Path(made.stdout.strip()).exists()
