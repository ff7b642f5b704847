"""`python -m chaos.mutants`: try every mutant on fakes and print the table; exit 1 if one is not convicted."""

from __future__ import annotations

import sys

from chaos.mutants.registry import REGISTERED, Mutant
from harness.checker import judge

COLUMNS = ("name", "what is broken", "workload", "strike", "expected anomaly", "found", "on a real broker")


def main() -> int:
    """Print one row for each mutant; return the exit code."""
    print(_line(COLUMNS))
    print(_line(["---"] * len(COLUMNS)))
    escaped = 0
    for mutant in REGISTERED.values():
        found = found_names(mutant)
        escaped += mutant.expected not in found
        words = (mutant.broken, mutant.trial.workload.__name__, mutant.trial.strike, mutant.expected)
        print(_line([mutant.name, *words, ", ".join(sorted(found)) or "nothing", str(mutant.real)]))
    print(f"\n{len(REGISTERED)} mutants, {escaped} not convicted by the expected anomaly")
    return 1 if escaped else 0


def found_names(mutant: Mutant) -> frozenset[str]:
    """Run the mutant's trial with the mutant planted, and return the names of the anomalies that the judge finds."""
    with mutant.planted():
        evidence = mutant.trial.perform()
    return frozenset(judge(evidence).names)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
