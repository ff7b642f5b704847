"""The state machine: Hypothesis chooses the parts of a story, and makes a story that fails as short as it can.

The real processor on fakes; nothing else is in the place of anything. After every part I1 to I4 hold; at the end the
job is left alone, and I5 and the judge have the last word.
"""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chaos.searching.parts import CALLS, ENDINGS, HALVED, HELD_UP, MOST_LATE_CALLS, MOST_NTH
from chaos.searching.story import ALIKE, EVENTS, NUMBERED, RUN, Setting, Story
from chaos.searching.telling import shorten, wrong_in_the_end
from chaos.searching.wrongs import wrong_now

CALL, NTH = st.sampled_from(CALLS), st.integers(1, MOST_NTH)
ENDING, EVENT = st.sampled_from(ENDINGS), st.sampled_from(tuple(EVENTS))


class Found(AssertionError):
    """A story in which something is wrong, as a line."""


class Machine(RuleBasedStateMachine):
    """One job. Over all examples it counts the stories, the parts, and how many stories there were until one failed."""

    stories = 0
    parts = 0
    until_found: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self._story = Story(Setting())
        self._is_found = False

    @initialize(
        rows=st.integers(0, 5),
        interval_rows=st.integers(1, 3),
        csv_seed=st.sampled_from((NUMBERED, ALIKE, 2, 3)),
        markers_lag=st.booleans(),
    )
    def make(self, rows: int, interval_rows: int, csv_seed: int, *, markers_lag: bool) -> None:
        """Choose the object and the size of a transaction."""
        self._story = Story(Setting(rows, interval_rows, csv_seed, markers_lag))
        Machine.stories += 1

    @rule()
    def run(self) -> None:
        """Start a run, and let it go to its end."""
        self._play(RUN)

    @rule(call=CALL, nth=NTH, when=st.sampled_from(("before", "after")))
    def dies(self, call: str, nth: int, when: str) -> None:
        """Let a process die at a call."""
        self._play(f"{call}:{nth} crashes {when}")

    @rule(call=CALL, nth=NTH)
    def fails(self, call: str, nth: int) -> None:
        """Let a call fail without effect."""
        self._play(f"{call}:{nth} fails before")

    @rule(call=CALL, nth=NTH)
    def loses_the_answer(self, call: str, nth: int) -> None:
        """Let a call take effect, and fail."""
        self._play(f"{call}:{nth} fails after")

    @rule(call=st.sampled_from(HALVED), nth=NTH, ending=ENDING, done=st.integers(1, 2))
    def does_half(self, call: str, nth: int, ending: str, done: int) -> None:
        """Let a call take effect in part."""
        self._play(f"{call}:{nth} {ending} at {done}")

    @rule(call=st.sampled_from(HELD_UP), nth=NTH, ending=ENDING, calls=st.integers(1, MOST_LATE_CALLS))
    def is_held_up(self, call: str, nth: int, ending: str, calls: int) -> None:
        """Let a call end badly, and take effect some calls later."""
        self._play(f"{call}:{nth} {ending} late {calls}")

    @rule(event=EVENT)
    def happens(self, event: str) -> None:
        """Let the world act between two runs."""
        self._play(event)

    @rule(event=EVENT, call=CALL, nth=NTH)
    def happens_before(self, event: str, call: str, nth: int) -> None:
        """Let the world act in the middle of a run."""
        self._play(f"{event} before {call}:{nth}")

    @invariant()
    def holds(self) -> None:
        """I1 to I4."""
        self._require(next(wrong_now(self._story), None))

    def teardown(self) -> None:
        """I5, and the judge; but not of a story in which something is wrong already."""
        if not self._is_found:
            self._require(wrong_in_the_end(self._story))

    def _play(self, part: str) -> None:
        Machine.parts += 1
        self._story.play(part)

    def _require(self, wrong: str | None) -> None:
        if wrong is not None:
            self._is_found = True
            if Machine.until_found is None:
                Machine.until_found = Machine.stories
            raise Found(str(self._story))


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to: how much was played, after how many stories one failed, and the shortest that does."""

    seed: int
    stories: int
    parts: int
    until_found: int | None
    shortest: str | None

    def __str__(self) -> str:
        told = f"seed {self.seed}: {self.stories:,} stories, {self.parts:,} parts"
        return told if self.shortest is None else f"{told}, story {self.until_found:,} failed; shrunk:\n{self.shortest}"


def search(*, stories: int, parts: int, seed: int) -> Searched:
    """Tell so many stories of at most so many parts each, until something is wrong in one; shorten that one."""
    settings = hypothesis.settings(
        max_examples=stories,
        stateful_step_count=parts,
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    Machine.stories = Machine.parts = 0
    Machine.until_found = None
    shortest = None
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(Machine), settings=settings)
    except Found as wrong:
        shortest = shorten(str(wrong))
    return Searched(seed, Machine.stories, Machine.parts, Machine.until_found, shortest)
