"""The processor on fakes, struck at every call: death, failure, lost and late answers, one and two of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from chaos.on_fakes import FakeJob, every_fault
from harness.checker import Validity, judge
from harness.fakes.faults import Fault
from harness.workload import Shape, Workload, generate
from processor.model import Delivery

PAIRS = 1500
PAIRS_SEED = 20261123


@pytest.fixture(scope="module")
def workload() -> Workload:
    return generate(3, rows=5, shape=Shape(columns=2, repeat_rate=0.3))


def undisturbed_calls(workload: Workload, delivery: Delivery) -> list[tuple[str, int]]:
    job = FakeJob(workload, delivery=delivery)
    assert job.finish().exit_code == 0
    return job.faults.calls


def struck(workload: Workload, faults: list[Fault], delivery: Delivery, *, markers_lag: bool) -> FakeJob:
    job = FakeJob(workload, delivery=delivery, faults=faults, markers_lag=markers_lag)
    job.finish()
    assert faults[0] in job.faults.struck, f"{faults[0]} missed"
    return job


def pairs(workload: Workload) -> Iterator[list[Fault]]:
    """Every second fault after every first one, in an order drawn from a fixed seed."""
    rng = random.Random(PAIRS_SEED)
    firsts = list(every_fault(undisturbed_calls(workload, Delivery.EXACTLY_ONCE)))
    while True:
        first = rng.choice(firsts)
        calls = struck(workload, [first], Delivery.EXACTLY_ONCE, markers_lag=False).faults.calls
        after = calls[calls.index((first.call, first.nth)) + 1 :]
        seconds = list(every_fault(after))
        yield from ([first, second] for second in rng.sample(seconds, min(10, len(seconds))))


@pytest.mark.parametrize("markers_lag", [False, True])
def test_exactly_once_holds_whatever_happens_at_any_one_call(workload: Workload, markers_lag: bool) -> None:
    for fault in every_fault(undisturbed_calls(workload, Delivery.EXACTLY_ONCE)):
        job = struck(workload, [fault], Delivery.EXACTLY_ONCE, markers_lag=markers_lag)
        verdict = judge(job.evidence())
        assert verdict.validity is Validity.VALID, f"{fault}: {verdict.summary}"
        assert job.attempts[-1].exit_code == 0, fault


def test_exactly_once_holds_after_two_faults(workload: Workload) -> None:
    for _, faults in zip(range(PAIRS), pairs(workload), strict=False):
        job = struck(workload, faults, Delivery.EXACTLY_ONCE, markers_lag=True)
        verdict = judge(job.evidence())
        assert verdict.validity is Validity.VALID, f"{[str(fault) for fault in faults]}: {verdict.summary}"


def test_at_least_once_repeats_rows_and_does_nothing_worse(workload: Workload) -> None:
    found: Counter[frozenset[str]] = Counter()
    for fault in every_fault(undisturbed_calls(workload, Delivery.AT_LEAST_ONCE)):
        job = struck(workload, [fault], Delivery.AT_LEAST_ONCE, markers_lag=False)
        found[judge(job.evidence()).names] += 1
    assert set(found) == {frozenset(), frozenset({"Duplicate"})}
    assert found[frozenset({"Duplicate"})] >= 20


def test_a_crash_between_flush_and_save_is_what_repeats_rows_in_at_least_once(workload: Workload) -> None:
    job = struck(
        workload, [Fault.parse("checkpoints.save:1 crashes before")], Delivery.AT_LEAST_ONCE, markers_lag=False
    )
    verdict = judge(job.evidence())
    assert verdict.names == {"Duplicate"}
    assert len(job.evidence().committed) == 5 + 2


@pytest.mark.parametrize("markers_lag", [False, True])
def test_a_job_whose_partition_lost_its_tail_under_a_dead_run_never_ends_well(
    workload: Workload, markers_lag: bool
) -> None:
    ends: Counter[int | None] = Counter()
    for fault in every_fault(undisturbed_calls(workload, Delivery.EXACTLY_ONCE)):
        for lost in range(1, 7):
            job = FakeJob(workload, faults=[fault], markers_lag=markers_lag)
            if job.attempt().exit_code is not None:
                break  # nobody died
            acknowledged = [value for _, value in job.partition.committed()]
            end = job.partition.bounds().end
            job.partition.truncate(max(0, end - lost))
            kept = [value for _, value in job.partition.committed()]
            end_of_job = job.finish().exit_code
            ends[end_of_job] += 1
            if kept == acknowledged and not job.partition.is_settling:
                continue
            assert end_of_job in {6, 75}, f"{fault}, {lost} of {end} offsets lost, ended with {end_of_job}"
    assert ends[6] >= 100, ends
    assert ends[0] >= 20, ends
