"""The bar at a terminal: what it says, what it leaves on the screen, and that it is there for a terminal alone."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from harness.world import World
from processor.ports import Step
from processor.progress import Progress, bar

ROWS, INTERVAL_ROWS = 600, 20
SIZE = 20 + sum(len(b"%d,some text\n" % number) for number in range(ROWS))


class Notes:
    """An inner observer that writes to the same terminal."""

    def __init__(self, terminal: io.StringIO) -> None:
        self.terminal = terminal

    def step(self, step: Step, **fields: object) -> None:
        if step not in {Step.RESUMED, Step.COMMITTED}:
            self.terminal.write(f"<{step}>\n")


class Drawn:
    """A bar on a terminal of text, at a time of its own."""

    def __init__(self) -> None:
        self.terminal, self.now = io.StringIO(), 0.0
        self.progress = Progress(Notes(self.terminal), self.terminal, now=lambda: self.now)

    def step(self, step: Step, row: int = 0, seconds: float = 1.0, **fields: Any) -> None:
        self.now += seconds
        self.progress.step(step, row=row, byte_offset=10 * row, **fields)

    @property
    def screen(self) -> list[str]:
        return screen(self.terminal.getvalue())


def screen(written: str) -> list[str]:
    """Return the lines that are on the screen after this was written; a bare CR goes back to the line's start."""
    lines = [""]
    column = 0
    for sign in written.replace("\r\n", "\n"):
        if sign == "\n":
            lines.append("")
        elif sign != "\r":
            lines[-1] = lines[-1][:column] + sign + lines[-1][column + 1 :]
        column = 0 if sign in "\r\n" else column + 1
    return [line.rstrip() for line in lines]


@pytest.fixture
def drawn() -> Drawn:
    opened = Drawn()
    opened.step(Step.RESUMED, 0, size_bytes=10_000)
    return opened


def test_bar_says_share_rows_rate_and_time_to_the_end(drawn: Drawn) -> None:
    drawn.step(Step.COMMITTED, 200, seconds=2)
    assert drawn.screen == [" 20.0 % [####....................] 200 rows  100 rows/s  ETA 0:00:08"]


def test_rate_is_that_of_the_last_half_minute(drawn: Drawn) -> None:
    drawn.step(Step.COMMITTED, 400, seconds=1)
    drawn.step(Step.COMMITTED, 401, seconds=100)
    drawn.step(Step.COMMITTED, 501, seconds=20)
    drawn.step(Step.COMMITTED, 601, seconds=20)
    assert "601 rows  5 rows/s  ETA 0:01:20" in drawn.screen[0]


def test_bar_of_a_resume_counts_all_rows_and_the_rate_of_this_run(drawn: Drawn) -> None:
    drawn.step(Step.RESUMED, 500, size_bytes=10_000)
    drawn.step(Step.COMMITTED, 600, seconds=10)
    assert drawn.screen == [" 60.0 % [##############..........] 600 rows  10 rows/s  ETA 0:00:40"]


def test_end_leaves_a_full_bar_and_the_lines_behind_it(drawn: Drawn) -> None:
    drawn.step(Step.COMMITTED, 200)
    drawn.step(Step.COMMITTED, 990)
    drawn.step(Step.DONE, 990, rows=990)
    assert drawn.screen == ["100.0 % [########################] 990 rows  495 rows/s  ETA 0:00:00", "<done>", ""]


@pytest.mark.parametrize("step", [Step.RETRYING, Step.REFUSED, Step.STOPPED, Step.FAILED])
def test_line_takes_the_place_of_the_bar(drawn: Drawn, step: Step) -> None:
    drawn.step(Step.COMMITTED, 200)
    drawn.step(step, error="x")
    assert drawn.screen == [f"<{step}>", ""]


def test_bar_is_back_after_a_retry(drawn: Drawn) -> None:
    drawn.step(Step.COMMITTED, 200)
    drawn.step(Step.RETRYING, error="x")
    drawn.step(Step.RESUMED, 200, size_bytes=10_000)
    drawn.step(Step.COMMITTED, 300)
    assert drawn.screen[0] == "<retrying>"
    assert "300 rows  100 rows/s" in drawn.screen[1]


def test_shorter_bar_leaves_nothing_of_a_longer_one(drawn: Drawn) -> None:
    drawn.step(Step.COMMITTED, 900, seconds=0.5)
    drawn.step(Step.COMMITTED, 901, seconds=29)
    longer, shorter = (bar(10_000, (0, 0, 0), last) for last in ((0.5, 900, 9_000), (29.5, 901, 9_010)))
    assert len(shorter) < len(longer)
    assert drawn.screen[0].endswith("31 rows/s  ETA 0:00:03")


def test_many_commits_are_few_drawings(drawn: Drawn) -> None:
    for row in range(1, 1001):
        drawn.step(Step.COMMITTED, row, seconds=0.001)
    assert 9 <= drawn.terminal.getvalue().count("\r") <= 11


def test_of_a_compressed_object_there_is_no_share() -> None:
    assert bar(None, (0.0, 0, 0), (10.0, 12_345, 6_780_000)) == "12,345 rows  6.8 MB  1,234 rows/s"


def test_of_an_object_without_rows_there_is_a_full_bar_and_no_rate(drawn: Drawn) -> None:
    drawn.step(Step.RESUMED, 1, size_bytes=10)
    drawn.step(Step.DONE, 1, rows=0)
    assert drawn.screen[0] == "100.0 % [########################] 1 rows  - rows/s  ETA -"


def test_job_that_was_done_before_has_no_bar() -> None:
    opened = Drawn()
    opened.step(Step.DONE, 1000, rows=0)
    assert opened.screen == ["<done>", ""]


def test_terminal_that_has_gone_ends_no_run(drawn: Drawn) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    drawn.progress._terminal = Gone()
    drawn.step(Step.COMMITTED, 200)
    drawn.step(Step.COMMITTED, 400)
    drawn.step(Step.DONE, 400, rows=400)
    assert drawn.screen == ["<done>", ""]


# --------------------------------------------------------------------------------------------------- a real terminal


@dataclass(frozen=True)
class Ended:
    """A run of which stderr, or both, was a terminal."""

    code: int
    terminal: str
    stdout: str

    @property
    def bars(self) -> list[float]:
        """The shares that were shown, in order."""
        return [float(share) for share in re.findall(r"(\d+\.\d) % \[", self.terminal)]

    @property
    def steps(self) -> list[str]:
        """The steps on stdout, which may be the terminal."""
        printed = self.stdout or self.terminal
        return [json.loads(line)["step"] for line in re.findall(r'\{"ts".*\}', printed)]


def at_terminal(command: Sequence[str], environment: dict[str, str], *, stdout_too: bool, columns: int = 100) -> Ended:
    """Run a command with a pseudo-terminal as its stderr."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(ours, 4096):
                written.extend(chunk)
        except OSError:  # nobody holds the other end any more
            pass

    reader = threading.Thread(target=read)
    reader.start()
    process = subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs if stdout_too else subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    stdout = b"" if process.stdout is None else process.stdout.read()
    code = process.wait(60)
    reader.join(10)
    os.close(ours)
    return Ended(code, written.decode(), stdout.decode())


@pytest.fixture
def job(world: World, topic: str) -> Iterator[dict[str, str]]:
    csv = b"id,text of a column\n" + b"".join(b"%d,some text\n" % number for number in range(ROWS))
    assert len(csv) == SIZE
    yield {
        **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
        **world.environment(topic=topic, source=world.upload("rows.csv", csv), job_id=topic),
        "CHECKPOINT_INTERVAL": str(INTERVAL_ROWS),
        "MAX_ROWS_PER_S": "600",
        "TERM": "xterm",
    }


RUN = (sys.executable, "-m", "processor", "run")


@pytest.mark.broker
@pytest.mark.parametrize("stdout_too", [False, True], ids=["lines in a file", "lines at the terminal"])
def test_run_at_a_terminal_shows_a_bar_that_grows_to_its_end(job: dict[str, str], stdout_too: bool) -> None:
    ended = at_terminal(RUN, job, stdout_too=stdout_too)
    assert ended.code == 0, ended.terminal
    assert len(ended.bars) >= 5
    assert all(before <= after for before, after in pairwise(ended.bars))
    assert ended.bars[-1] == 100.0
    left = screen(ended.terminal)
    assert re.fullmatch(r"100\.0 % \[#{24}\] 600 rows  \d+ rows/s  ETA 0:00:00", left[0])
    if stdout_too:
        assert ended.steps == ["done"]
        assert left[1].startswith('{"ts"')
    else:
        assert left[1:] == [""]
        assert ended.steps.count("committed") == ROWS // INTERVAL_ROWS


@pytest.mark.broker
@pytest.mark.strike
def test_bar_fits_a_narrow_terminal(job: dict[str, str]) -> None:
    ended = at_terminal(RUN, job, stdout_too=False, columns=40)
    assert max(len(drawn.strip("\n")) for drawn in ended.terminal.split("\r")) == 39


@pytest.mark.broker
def test_error_at_a_terminal_stands_on_a_line_of_its_own(job: dict[str, str], world: World) -> None:
    csv = b"id,text\n" + b"".join(b"%d,some text\n" % number for number in range(300)) + b"1,2,3\n"
    ended = at_terminal(RUN, {**job, "CSV_SOURCE": world.upload("bad.csv", csv)}, stdout_too=False)
    assert ended.code == 5
    assert ended.bars
    (error,) = [line for line in screen(ended.terminal) if line]
    assert error.startswith("csv-to-kafka: row 300, bytes ")


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"LOG_LEVEL": "warning"}, {"done"}),
        ({"LOG_LEVEL": "debug"}, {"claimed", "fenced", "resumed", "read", "sent", "committed", "saved", "done"}),
        ({"TERM": "dumb"}, {"claimed", "fenced", "resumed", "read", "sent", "committed", "saved", "done"}),
    ],
    ids=["warning", "debug", "dumb"],
)
def test_other_levels_and_a_dumb_terminal_have_no_bar(
    job: dict[str, str], settings: dict[str, str], steps: set[str]
) -> None:
    ended = at_terminal(RUN, {**job, **settings, "MAX_ROWS_PER_S": ""}, stdout_too=True)
    assert ended.code == 0
    assert ended.bars == []
    assert set(ended.steps) == steps


@pytest.mark.broker
def test_without_a_terminal_stderr_stays_empty(job: dict[str, str]) -> None:
    run = subprocess.run(RUN, env={**job, "MAX_ROWS_PER_S": ""}, capture_output=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.broker
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_debug_tells_what_the_libraries_say_on_stderr_line_by_line(job: dict[str, str], client: str) -> None:
    settings = {"MAX_ROWS_PER_S": "", "LOG_LEVEL": "debug", "KAFKA_CLIENT": client}
    run = subprocess.run(RUN, env=job | settings, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0
    if client == "kafka-python":  # librdkafka has a log of its own
        assert " INFO kafka." in run.stderr
    assert all(re.match(r"\d{4}-\d\d-\d\d .* (INFO|WARNING|ERROR) [\w.]+: ", line) for line in run.stderr.splitlines())
