"""What stories in bulk taught the judge: one false alarm each as an innocent, and beside it the planted case."""

from dataclasses import replace

from harness.checker import Validity, judge
from harness.tests.planted_run import END, clean_run, version

RUN = clean_run()
DONE = version(1, 12, status="COMPLETED", rows=12, next_offset=END)


def test_job_that_a_newer_run_claims_after_its_end_is_no_silent_success() -> None:
    claimed = version(2, 12, epoch=2, rows=12, next_offset=END)
    verdict = judge(replace(RUN, checkpoints=(DONE, claimed)))
    assert verdict.validity is Validity.VALID, verdict.summary


def test_end_that_is_taken_back_in_its_own_epoch_is_a_silent_success() -> None:
    taken_back = version(2, 12, rows=12, status="FAILED", next_offset=END)
    assert judge(replace(RUN, checkpoints=(DONE, taken_back))).names == {"SilentSuccess"}


def test_end_short_of_the_rows_is_a_silent_success_though_a_newer_run_has_claimed() -> None:
    short = version(1, 12, status="COMPLETED", rows=11, next_offset=END)
    claimed = version(2, 12, epoch=2, rows=11, next_offset=END)
    assert judge(replace(RUN, checkpoints=(short, claimed))).names == {"SilentSuccess"}
