"""Stories in bulk: drawn from a seed, each one survivable, each judged. What the judge says against one is false.

Whether a story went well is known without the judge: from the fakes, from the steps, and from how the runs ended.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from chaos.searching.parts import draw_parts, draw_setting
from chaos.searching.story import Story
from chaos.searching.telling import wrong_in_the_verdict
from chaos.searching.wrongs import wrong_at_the_end


@dataclass(slots=True)
class Bulk:
    """What came of the stories so far. `wrong` are those in which the processor did wrong, each with its line."""

    seed: int
    stories: int = 0
    runs: int = 0
    seconds: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    false_alarms: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        met = ", ".join(f"{count:,} {what}" for what, count in sorted(self.met.items()))
        return (
            f"seed {self.seed}: {self.stories:,} stories, {self.runs:,} runs, {self.seconds:.0f} s of one core, "
            f"{self.stories / max(self.seconds, 1e-9):,.0f} stories and "
            f"{self.runs / max(self.seconds, 1e-9):,.0f} runs a second; {len(self.wrong):,} went wrong, "
            f"{len(self.false_alarms):,} false alarms\n  of them {met}"
        )


def tell_in_bulk(stories: int, *, seed: int) -> Bulk:
    """Draw so many stories and judge each. The same seed draws the same ones."""
    bulk = Bulk(seed)
    began = time.process_time()
    for number in range(stories):
        rng = Random(f"{seed}:{number}")
        setting = draw_setting(rng)
        story = Story(setting)
        for part in draw_parts(rng, setting.delivery):
            story.play(part)
        wrong = next(wrong_at_the_end(story), None)
        alarm = wrong_in_the_verdict(story)
        bulk.stories += 1
        bulk.runs += len(story.job.attempts)
        _note(bulk.met, story)
        if wrong is not None:
            bulk.wrong.append(f"{wrong}\n  replay: python -m chaos.searching --replay '{story}'")
        elif alarm is not None:
            bulk.false_alarms.append(f"{alarm}\n  replay: python -m chaos.searching --replay '{story}'")
    bulk.seconds = time.process_time() - began
    return bulk


def _note(met: Counter[str], story: Story) -> None:
    """Count what the story was like, so that the numbers tell whether they mean anything."""
    met[str(story.setting.delivery)] += 1
    met["with a fault"] += bool(story.job.faults.struck)
    met["with a death"] += any(run.signal is not None for run in story.job.attempts)
    met.update(f"with {event}" for event in set(story.happened))
