"""Coverage: which step was met how often, which strike fell after which step, and what was never met. Pure.

A strike is placed by the last line that its attempt wrote before it, because a line is written just after its effect:
a kill after `sent` found the records in the partition and the transaction open.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.history import Attempt, Evidence, Strike
from processor.ports import Step as StepName

STEPS = tuple(step.value for step in StepName)
BEFORE = "before any"
NOWHERE = "not known"
COLUMNS = (BEFORE, *STEPS, NOWHERE)
MOST_ROWS = 30

# Where a strike fell, in the order of a batch's life; True where rows were on their way: sent, and not yet saved.
PHASES = {
    "before it resumed": False,
    "between two batches": False,
    "in mid-batch, records on their way": True,
    "sent, not yet committed": True,
    "committed, not yet saved": True,
    "after the last save": False,
    NOWHERE: False,
}
STARTING = frozenset({BEFORE, "claimed", "fenced", "rebuilt", "retrying"})
ENDING = frozenset({"done", "refused", "stopped", "failed"})


@dataclass(frozen=True, slots=True)
class StrikeRow:
    """The strikes of one name: planned, landed, and how many landed after each step of `COLUMNS`."""

    name: str
    planned: int
    landed: int
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """How many strikes fell in one part of a batch's life."""

    name: str
    strikes: int
    unsaved: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was met and struck; `met` counts the lines of each step of `COLUMNS`."""

    met: tuple[int, ...]
    strikes: tuple[StrikeRow, ...]
    left_out: int
    most: int
    phases: tuple[Phase, ...]
    never_met: tuple[str, ...]
    never_struck: tuple[str, ...]
    strange_steps: tuple[str, ...]

    @property
    def landed(self) -> int:
        """The strikes that landed."""
        return sum(phase.strikes for phase in self.phases)

    @property
    def unsaved(self) -> int:
        """Those of them that fell between the first record of a batch sent and its save."""
        return sum(phase.strikes for phase in self.phases if phase.unsaved)


def measure_coverage(evidence: Evidence) -> Coverage:
    """Count lines and strikes."""
    met = Counter(step.name for attempt in evidence.attempts for step in attempt.steps)
    attempts = {attempt.number: attempt for attempt in evidence.attempts}
    placed = [(strike, last_step(strike, attempts.get(strike.attempt or 0))) for strike in evidence.strikes]
    names = Counter(strike.name for strike in evidence.strikes)
    rows = tuple(_row(name, placed) for name, _ in names.most_common(MOST_ROWS))
    phases = Counter(phase_of(strike, last) for strike, last in placed if strike.landed)
    struck = {last for strike, last in placed if strike.landed}
    return Coverage(
        met=tuple(met[column] for column in COLUMNS),
        strikes=rows,
        left_out=len(names) - len(rows),
        most=max((cell for row in rows for cell in row.cells), default=0),
        phases=tuple(Phase(name, phases[name], flying) for name, flying in PHASES.items()),
        never_met=tuple(step for step in STEPS if not met[step]),
        never_struck=tuple(step for step in STEPS if met[step] and step not in struck),
        strange_steps=tuple(sorted(met.keys() - {*STEPS, "struck"})),
    )


def last_step(strike: Strike, attempt: Attempt | None) -> str:
    """The step after which a strike fell: one of `COLUMNS`.

    Known where the attempt tells of the strike by a `struck` line, or died of a signal: then its last line counts. A
    strike that the attempt survived without a word may have fallen anywhere.
    """
    if attempt is None:
        return NOWHERE
    told = [k for k, step in enumerate(attempt.steps) if step.name == "struck"]
    if not told and attempt.signal is None:
        return NOWHERE
    own = [k for k in told if attempt.steps[k].fields.get("strike") == strike.planned]
    end = next(iter([*own, *told]), len(attempt.steps))
    return next((step.name for step in reversed(attempt.steps[:end]) if step.name in STEPS), BEFORE)


def phase_of(strike: Strike, last: str) -> str:
    """The part of a batch's life in which a strike fell: one of `PHASES`."""
    if last == NOWHERE:
        return NOWHERE
    if last in {"sent", "committed"}:
        return "sent, not yet committed" if last == "sent" else "committed, not yet saved"
    if strike.rows_in_flight:
        return "in mid-batch, records on their way"
    if last in STARTING:
        return "before it resumed"
    return "after the last save" if last in ENDING else "between two batches"


def _row(name: str, placed: Iterable[tuple[Strike, str]]) -> StrikeRow:
    of_name = [(strike, last) for strike, last in placed if strike.name == name]
    cells = Counter(last for strike, last in of_name if strike.landed)
    return StrikeRow(name, len(of_name), cells.total(), tuple(cells[column] for column in COLUMNS))
