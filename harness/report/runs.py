"""The attempts laid out in time: where each began, resumed, committed and ended. Pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from signal import Signals

from harness.checks.outcome import REFUSALS
from harness.history import EXACTLY_ONCE, Attempt, Evidence, Step, Strike


@dataclass(frozen=True, slots=True)
class Moment:
    """A step line, and where it stands on the axis of time."""

    at: float
    step: Step


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt on the axis of time. `began` is the start of its process where that is known, else its first line."""

    attempt: Attempt
    strikes: tuple[Strike, ...]
    began: float
    ended: float
    moments: tuple[Moment, ...]
    commits: tuple[Moment, ...]
    seconds: float | None

    @property
    def outcome(self) -> str:
        """One of done, killed, refused, ended: a class of ends, for colour and symbol."""
        if self.attempt.signal is not None:
            return "killed"
        if self.attempt.exit_code == 0:
            return "done"
        return "refused" if self.attempt.exit_code in REFUSALS else "ended"

    @property
    def end_in_words(self) -> str:
        """How it ended, short."""
        number = self.attempt.signal
        if number is None:
            return f"exit {self.attempt.exit_code}"
        return Signals(number).name if number in list(Signals) else f"signal {number}"

    @property
    def resumed(self) -> Moment | None:
        """The first time that it knew where to go on."""
        return next((moment for moment in self.moments if moment.step.name == "resumed"), None)

    @property
    def first_row(self) -> int | None:
        """The row at which it went on."""
        return None if self.resumed is None else self.resumed.step.next_row

    @property
    def committed_row(self) -> int | None:
        """The row up to which it reports rows as visible; where it went on, if it added none."""
        rows = [moment.step.next_row for moment in self.commits if moment.step.next_row is not None]
        return max(rows, default=self.first_row)

    @property
    def rows_in_flight(self) -> int:
        """The rows that were sent and not committed when it was struck."""
        return max((strike.rows_in_flight for strike in self.strikes if strike.landed), default=0)


@dataclass(frozen=True, slots=True)
class Layout:
    """All attempts on one axis, which ends at `span`.

    It counts seconds since the first start, or, where no line has a clock, lines in their order.
    """

    runs: tuple[Run, ...]
    clocked: bool
    span: float

    def recoveries(self) -> Iterator[tuple[Run, float]]:
        """Each attempt that did not end as done, and the time from its last line until rows were moved again."""
        starts = sorted(run.resumed.at for run in self.runs if run.resumed is not None)
        for run in self.runs:
            after = bisect_right(starts, run.ended)
            if run.outcome != "done" and after < len(starts) and self.clocked:
                yield run, starts[after] - run.ended


def lay_out(evidence: Evidence, seconds: Sequence[float] = ()) -> Layout:
    """Put every step line on the axis; `seconds` are how long the processes lived, in the order of the attempts."""
    clocks = [[clock(step) for step in attempt.steps] for attempt in evidence.attempts]
    known = [at for of_attempt in clocks for at in of_attempt if at is not None]
    origin = min(known, default=0.0)
    struck: dict[int | None, list[Strike]] = {}
    for strike in evidence.strikes:
        struck.setdefault(strike.attempt, []).append(strike)
    visible_by = "committed" if evidence.delivery == EXACTLY_ONCE else "sent"
    runs: list[Run] = []
    reached = 0.0
    for number, attempt in enumerate(evidence.attempts):
        if known:
            since = [None if at is None else at - origin for at in clocks[number]]
            moments = tuple(_timed(attempt.steps, since, reached=reached))
        else:
            moments = tuple(Moment(reached + k, step) for k, step in enumerate(attempt.steps, start=1))
        lived_s = seconds[number] if known and number < len(seconds) else None
        first = moments[0].at if moments else reached
        reached = moments[-1].at if moments else reached
        began = first if lived_s is None else min(first, reached - lived_s)
        strikes = tuple(struck.get(attempt.number, ()))
        commits = tuple(moment for moment in moments if moment.step.name == visible_by)
        runs.append(Run(attempt, strikes, began, reached, moments, commits, lived_s))
    runs = list(_from_zero(runs))
    return Layout(tuple(runs), clocked=bool(known), span=max((run.ended for run in runs), default=0.0))


def clock(step: Step) -> float | None:
    """The clock of a line, None where it has none that can be drawn: any COMMAND may write the lines."""
    try:
        at_s = step.at_s
    except ValueError:
        return None
    return at_s if at_s is not None and isfinite(at_s) else None


def _timed(steps: Sequence[Step], since: Sequence[float | None], *, reached: float) -> Iterator[Moment]:
    """A line without a clock stands where the line before it stands, the first ones where the first clock stands."""
    reached = next((at for at in since if at is not None), reached)
    for step, at in zip(steps, since, strict=True):
        reached = reached if at is None else at
        yield Moment(reached, step)


def _from_zero(runs: Sequence[Run]) -> Iterator[Run]:
    """The first process may have begun before the first line: the axis begins with it."""
    shift = min((run.began for run in runs), default=0.0)
    for run in runs:
        moments, commits = (
            tuple(Moment(moment.at - shift, moment.step) for moment in kept) for kept in (run.moments, run.commits)
        )
        yield replace(run, began=run.began - shift, ended=run.ended - shift, moments=moments, commits=commits)
