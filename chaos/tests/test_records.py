"""Records with key, headers and timestamp through deaths: byte by byte, and found again where a position expired."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.job import Job, run_job
from chaos.mutants.trials import Trial, alike, position_expires, timed
from chaos.nemesis.course import Course
from chaos.nemesis.state import PositionExpired
from chaos.on_fakes import FakeJob, every_fault
from chaos.schedule import KillAtStep, kills_at_rows
from chaos.tests.courses import CLIENTS
from harness.checker import Validity, judge
from harness.fakes import Content
from harness.partition import Client
from harness.record_rule import RecordRule
from harness.tests.encoder_package import install_the_readmes
from harness.workload import RowRange, Shape, Workload
from harness.world import World

ROWS, INTERVAL_ROWS = 600, 100
RULE = RecordRule(("at", "id"), position=True, timestamp="at")
DEATHS = ("sink.send:3 crashes before",)


def stamped() -> Workload:
    """Rows whose column `at` holds a moment in one of several forms, in no order."""
    chance = random.Random(5)
    csv, rows, ranges = b"id,at,text\r\n", [], []
    for row in range(ROWS):
        moment_ms = chance.randrange(1_600_000_000_000, 1_700_000_000_000)
        at = str(moment_ms) if row % 2 else f"20{chance.randint(10, 24)}-0{chance.randint(1, 9)}-11 10:09:08.765+02:00"
        cells = (str(row), at, f"text {row % 7}")
        line = ",".join(cells).encode()
        ranges.append(RowRange(len(csv), len(csv) + len(line), len(csv) + len(line) + 2))
        csv += line + (b"\r\n\r\n" if row % 10 == 0 else b"\r\n")
        rows.append(cells)
    return Workload("stamped", 5, Shape(columns=3), csv, ("id", "at", "text"), tuple(rows), tuple(ranges))


class TestOnFakes:
    def test_exactly_once_holds_for_all_parts_whatever_happens_at_any_one_call(self) -> None:
        workload = timed()
        whole = FakeJob(workload, rule=RULE, interval_rows=4)
        assert whole.finish().exit_code == 0
        for fault in every_fault(whole.faults.calls):
            job = FakeJob(workload, rule=RULE, interval_rows=4, faults=[fault])
            job.finish()
            assert fault in job.faults.struck, f"{fault} missed"
            verdict = judge(job.evidence())
            assert verdict.validity is Validity.VALID, f"{fault}: {verdict.summary}"

    def test_an_expired_position_is_found_again_by_all_parts(self) -> None:
        for fault in ("checkpoints.save:2 crashes before", "sink.commit:3 crashes after", *DEATHS):
            evidence = Trial(timed, (fault,), play=position_expires, rule=RULE).perform()
            verdict = judge(evidence)
            assert verdict.validity is Validity.VALID, verdict.summary
            assert any(step.name == "rebuilt" for attempt in evidence.attempts for step in attempt.steps)

    @pytest.mark.parametrize(
        "content",
        [
            Content(b'{"word":"same"}', None, (("row", b"4"), ("byte_offset", b"25"))),
            Content(b'{"word":"same"}', b"same"),
            Content(b'{"word":"same"}', b"same", (("row", b"3"), ("byte_offset", b"20"))),
            Content(b'{"word":"same"}', b"Same", (("row", b"4"), ("byte_offset", b"25"))),
        ],
    )
    def test_a_record_with_the_next_rows_value_and_other_parts_is_refused(self, content: Content) -> None:
        job = FakeJob(alike(), rule=RecordRule(("word",), position=True), faults=DEATHS)
        job.attempt()
        assert [c.headers[0] for _, c in job.partition.contents()][-1] == ("row", b"3")
        job.partition.init_producer("csv-to-kafka.job")  # what the dead run left open is aborted
        job.partition.append(job.partition.init_producer(None), [content])
        job.partition.expire_group_offsets()
        assert job.attempt().exit_code == 6

    def test_the_next_rows_whole_record_is_taken_for_that_row(self) -> None:
        """The innocent look-alike: all that is compared is the same, so nobody could tell."""
        job = FakeJob(alike(), rule=RecordRule(("word",), position=True), faults=DEATHS)
        job.attempt()
        job.partition.init_producer("csv-to-kafka.job")
        fourth = Content(b'{"word":"same"}', b"same", (("row", b"4"), ("byte_offset", b"25")))
        job.partition.append(job.partition.init_producer(None), [fourth])
        job.partition.expire_group_offsets()
        assert job.finish().exit_code == 0
        verdict = judge(job.evidence())
        assert verdict.validity is Validity.VALID, verdict.summary


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("client", CLIENTS)
def test_all_parts_are_exact_after_kills_and_where_the_position_expired(world: World, client: Client) -> None:
    workload = stamped()
    settings = {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS)}
    job = Job(workload.csv, RULE.expected(workload, "json"), client, settings=settings, rule=RULE)
    with Course(world, job) as course:
        course.kill(kills_at_rows(random.Random(3), rows=300, kills=1, interval_rows=INTERVAL_ROWS)[0])
        course.kill(KillAtStep("committed", 2))  # two more batches, of which the checkpoint counts one
        expired = PositionExpired(course)
        course.kill(KillAtStep("sent", 1))
        assert len(course.told("rebuilt", "rows")) == 1
        course.assert_finishes(expired)
        verified = subprocess.run(
            [sys.executable, "-m", "processor", "verify"],
            env={**os.environ, **course.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"valid: {ROWS} rows" in verified.stdout


@pytest.mark.broker
@pytest.mark.strike
def test_at_least_once_repeats_whole_records_and_nothing_worse(world: World) -> None:
    workload = stamped()
    settings = {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS), "VALUE_FORMAT": "raw"}
    job = Job(workload.csv, RULE.expected(workload, "raw"), "confluent", "at-least-once", settings, RULE)
    evidence = run_job(world, job, [KillAtStep("sent", 2), KillAtStep("sent", 1)]).evidence
    verdict = judge(evidence)
    assert verdict.names == {"Duplicate"}, verdict.summary
    assert len(evidence.committed) == ROWS + 2 * INTERVAL_ROWS


@pytest.mark.broker
@pytest.mark.strike
def test_the_readmes_encoder_makes_every_value_exactly_once(world: World, tmp_path: Path) -> None:
    workload = stamped()
    settings = {
        "CHECKPOINT_INTERVAL": str(INTERVAL_ROWS),
        "VALUE_FORMAT": "tabs",
        "PYTHONPATH": str(install_the_readmes(tmp_path)),
    }
    expected = tuple("\t".join(cells).encode() for cells in workload.rows)
    plans = kills_at_rows(random.Random(4), rows=ROWS, kills=2, interval_rows=INTERVAL_ROWS)
    evidence = run_job(world, Job(workload.csv, expected, settings=settings), plans).evidence
    assert all(strike.landed for strike in evidence.strikes)
    verdict = judge(evidence)
    assert verdict.validity is Validity.VALID, verdict.summary
