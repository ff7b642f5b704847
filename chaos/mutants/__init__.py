"""The processor broken on purpose: each mutant a small named bug that the judge must convict by the expected anomaly.

What's here
    registry     Mutant, how it is planted and taken out again, and the list of all
    trials       the workloads and the strikes on fakes that bring mutants out
    reading      mutants that read, parse or encode the object wrongly
    skipping     mutants that skip bad rows wrongly
    resuming     mutants that go on at the wrong place
    committing   mutants that send or commit wrongly
    parts        mutants that send the right values with other keys, headers or timestamps
    saving       mutants that claim or save wrongly
    ending       mutants of the lease and of the end

`python -m chaos.mutants` tries them all and prints the table; a victim is broken by `apply(name)`.
"""

from chaos.mutants import committing, ending, parts, reading, resuming, saving, skipping
from chaos.mutants.registry import REGISTERED, Mutant, NoSuchMutant, apply, find

__all__ = [
    "REGISTERED",
    "Mutant",
    "NoSuchMutant",
    "apply",
    "committing",
    "ending",
    "find",
    "parts",
    "reading",
    "resuming",
    "saving",
    "skipping",
]
