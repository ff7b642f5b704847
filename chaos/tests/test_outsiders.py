"""Other people's programs under the kills of a campaign: the judge says of each what it deserves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chaos.__main__ import main
from chaos.outsiders import connect
from harness.broker import BrokerUnavailable, jars
from harness.plugin import not_run
from harness.workload import generate
from harness.world import World


@pytest.fixture
def at_work(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run campaigns in, on the session's broker."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", world.broker.bootstrap_servers)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def with_connect() -> None:
    try:
        jars.fetch(jars.TOOLS)
    except BrokerUnavailable as why:
        not_run("connect", what="Kafka Connect under kills", why=why)


def convict(outsider: str, *flags: str) -> int:
    command = (sys.executable, "-m", f"chaos.outsiders.{outsider}")
    return main(["run", "--first", "1", "--rounds", "1", "--workers", "1", *flags, "--", *command])


@pytest.mark.broker
def test_a_naive_program_is_convicted_and_its_run_kept(at_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = convict("naive", "--seed", "3", "--kills", "4")
    said = capsys.readouterr().out
    assert code == 1, said
    assert "Duplicate" in said
    assert "replay: nox -s chaos -- --seed 3 --first 1" in said
    assert f"-- {sys.executable} -m chaos.outsiders.naive" in said
    assert (at_work / "runs" / "3-1" / "evidence.json").exists()


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.usefixtures("at_work", "with_connect")
def test_connect_moves_plain_rows_exactly_once(capsys: pytest.CaptureFixture[str]) -> None:
    code = convict("connect", "--plain", "--seed", "2", "--kills", "4")
    said = capsys.readouterr().out
    assert code == 0, said
    assert "once it had sent" in said


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.usefixtures("at_work", "with_connect")
def test_connect_repeats_rows_behind_a_character_that_is_not_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    code = convict("connect", "--seed", "12", "--kills", "4")
    said = capsys.readouterr().out
    assert code == 1, said
    assert "Duplicate" in said


@pytest.mark.parametrize("seed", range(20))
def test_connect_is_given_the_rows_that_the_judge_expects(seed: int) -> None:
    workload = generate(seed, rows=50)
    assert connect.lines(workload.csv, "json").splitlines() == list(workload.values("json"))


def test_connect_is_given_raw_lines_without_the_header() -> None:
    assert connect.lines(b'\xef\xbb\xbf"a\nb",c\r\n1,2\r\n3,"4"', "raw") == b'1,2\r\n3,"4"\n'


def test_connect_counts_utf_16_units_from_a_place_in_bytes() -> None:
    content = "é😀x\n".encode()
    assert connect.end_from(0, content) == 5
    assert connect.end_from(2, content) == 2 + 4
    assert connect.end_from(1, b"\xc3\xa9\n") == 1 + 2  # a character cut in two is one that is not known
