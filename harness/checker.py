"""The judge: evidence in, verdict out. Pure, except that `judge_folder` loads the evidence of a saved run.

What's here: `CHECKS`, one function per anomaly · `judge` · `Verdict`, which explains itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from harness import anomaly as anomalies
from harness.anomaly import Anomaly, instances
from harness.checks import checkpoints, outcome, rows, transactions, zombies
from harness.checks.case import Case, open_case
from harness.history import Evidence

KEPT_PER_ANOMALY = 10

CHECKS = MappingProxyType[type, Callable[[Case], Iterator[Anomaly]]](
    {
        anomalies.Lost: rows.find_lost,
        anomalies.Truncated: rows.find_truncated,
        anomalies.Duplicate: rows.find_duplicates,
        anomalies.Reordered: rows.find_reordered,
        anomalies.Altered: rows.find_altered,
        anomalies.Phantom: rows.find_phantoms,
        anomalies.ZombieWrite: zombies.find_zombie_writes,
        anomalies.AbortedRead: transactions.find_aborted_reads,
        anomalies.TornTransaction: transactions.find_torn_transactions,
        anomalies.CheckpointAhead: checkpoints.find_checkpoints_ahead,
        anomalies.CheckpointRegressed: checkpoints.find_checkpoints_regressed,
        anomalies.HangingTransaction: transactions.find_hanging_transactions,
        anomalies.SilentSuccess: outcome.find_silent_successes,
        anomalies.Stuck: outcome.find_stuck,
        anomalies.Vacuous: outcome.find_vacuous,
    }
)


class Validity(StrEnum):
    """Jepsen's three answers. `unknown` is no pass: the run could not have shown what it was run for."""

    VALID = "valid"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of anomaly: how many rows, records or events it concerns, and the first few in full."""

    name: str
    count: int
    first: tuple[Anomaly, ...]

    def __str__(self) -> str:
        more = "" if self.count == 1 else f"{self.name} \u00d7{self.count:,}, first: "
        return f"{more}{self.first[0]}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says: valid means that nothing was found *and* that the run could have shown it."""

    validity: Validity
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...]
    rows: int
    records: int

    @property
    def names(self) -> frozenset[str]:
        """The names of the anomalies found."""
        return frozenset(finding.name for finding in self.findings)

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """The first few of every kind."""
        return tuple(found for finding in self.findings for found in finding.first)

    @property
    def summary(self) -> str:
        """One line per kind of anomaly and per doubt, the verdict first."""
        head = f"{self.validity}: {self.rows:,} rows expected, {self.records:,} records visible"
        return "\n".join([head, *(f"  {finding}" for finding in self.findings), *(f"  {why}" for why in self.doubts)])


def judge(evidence: Evidence) -> Verdict:
    """The verdict: invalid if anything is wrong, else unknown if the run cannot prove its worth, else valid."""
    case = open_case(evidence)
    findings = tuple(
        finding for kind, check in CHECKS.items() if (finding := _finding(kind.__name__, check(case))) is not None
    )
    doubts = tuple(outcome.doubts(case))
    if any(finding.name != anomalies.Vacuous.__name__ for finding in findings):
        validity = Validity.INVALID
    else:
        validity = Validity.UNKNOWN if findings or doubts else Validity.VALID
    return Verdict(validity, findings, doubts, len(evidence.expected), len(case.records))


def judge_folder(folder: Path) -> Verdict:
    """The verdict on a run that `Evidence.save` kept."""
    return judge(Evidence.load(folder))


def merge(verdicts: Iterator[Validity]) -> Validity:
    """The validity of several runs together: invalid before unknown before valid; no run at all is unknown."""
    order = (Validity.INVALID, Validity.UNKNOWN, Validity.VALID)
    return min(verdicts, key=order.index, default=Validity.UNKNOWN)


def _finding(name: str, found: Iterator[Anomaly]) -> Finding | None:
    first = tuple(islice(found, KEPT_PER_ANOMALY))
    if not first:
        return None
    return Finding(name, sum(map(instances, first)) + sum(map(instances, found)), first)
