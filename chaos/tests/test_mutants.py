"""Every mutant is planted where something stands, convicted by its name on fakes, and taken out again."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

from chaos.mutants import REGISTERED, Mutant, NoSuchMutant, find
from chaos.mutants.__main__ import main
from chaos.mutants.trials import StrikeMissed, Trial, numbered
from harness.checker import CHECKS, Validity, judge

EVERY_MUTANT = pytest.mark.parametrize("mutant", REGISTERED.values(), ids=REGISTERED)
# No processor can cause these two: one is the broker's or the reader's, the other the campaign's.
NO_MUTANT_CAN_CAUSE = {"AbortedRead", "Vacuous"}


@EVERY_MUTANT
def test_mutant_is_convicted_by_its_expected_anomaly(mutant: Mutant) -> None:
    with mutant.planted():
        evidence = mutant.trial.perform()
    verdict = judge(evidence)
    assert verdict.validity is Validity.INVALID
    assert mutant.expected in verdict.names, verdict.summary


@EVERY_MUTANT
def test_unbroken_processor_is_valid_under_the_same_workload_and_strike(mutant: Mutant) -> None:
    verdict = judge(mutant.trial.perform())
    assert verdict.validity is Validity.VALID, verdict.summary


@EVERY_MUTANT
def test_mutant_changes_what_stands_at_each_target_and_puts_it_back(mutant: Mutant) -> None:
    before = standing(mutant)
    with mutant.planted():
        assert all(now is not before[target] for target, now in standing(mutant).items())
    assert all(now is before[target] for target, now in standing(mutant).items())


def test_mutant_without_a_target_in_the_processor_is_refused() -> None:
    gone = Mutant(
        "gone", "", "Lost", Trial(numbered), "", {"processor.processor.CSVToKafkaProcessor.gone": lambda _: None}
    )
    with pytest.raises(AttributeError), gone.planted():
        pass


def test_patches_are_undone_when_the_run_raises() -> None:
    mutant = find("saves-before-the-commit")
    before = standing(mutant)
    with pytest.raises(RuntimeError), mutant.planted():
        raise RuntimeError
    assert standing(mutant) == before


def test_strike_that_finds_no_call_is_an_error_and_no_proof() -> None:
    with pytest.raises(StrikeMissed):
        Trial(numbered, ("sink.send:99 crashes before",)).perform()


def test_every_anomaly_that_a_processor_can_cause_convicts_a_mutant() -> None:
    expected = {mutant.expected for mutant in REGISTERED.values()}
    assert expected == {anomaly.__name__ for anomaly in CHECKS} - NO_MUTANT_CAN_CAUSE


def test_there_are_enough_mutants_and_each_says_what_is_broken() -> None:
    assert len(REGISTERED) >= 28
    for mutant in REGISTERED.values():
        assert mutant.broken.endswith(".")
        assert mutant.real


def test_mutant_applied_for_good_stays_in_its_process() -> None:
    program = (
        "import gc, processor.processor as p; from chaos.mutants import apply; "
        "before = p.CSVToKafkaProcessor._save; apply('counts-lines-in-the-checkpoint'); gc.collect(); "
        "print(p.CSVToKafkaProcessor._save is before)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "False\n"


def test_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(NoSuchMutant, match="saves-before-the-commit"):
        find("no-such")


def test_table_has_a_line_for_each_mutant_and_ends_with_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:-2]] == list(REGISTERED)


def standing(mutant: Mutant) -> dict[str, object]:
    return {target: pkgutil.resolve_name(target) for target in mutant.changes}
