"""Tell a whole story: whether anything is wrong in it, and the shortest story near it in which something is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from chaos.searching.story import NUMBERED, RUN, Setting, Story
from chaos.searching.wrongs import wrong_at_the_end, wrong_now
from harness.checker import Validity, judge
from processor.model import Delivery

_NUMBER = re.compile(r"\d+")


def tell(line: str) -> str | None:
    """Play a story to its end; return the first thing that is wrong, None where nothing is. Raises ValueError."""
    setting, parts = Story.parse(line)
    story = Story(setting)
    for part in parts:
        story.play(part)
        if setting.delivery is Delivery.EXACTLY_ONCE and (wrong := next(wrong_now(story), None)):
            return wrong
    return wrong_in_the_end(story)


def wrong_in_the_end(story: Story) -> str | None:
    """Leave the job alone; return what is wrong then, or what the judge finds, None where nothing is."""
    return next(wrong_at_the_end(story), None) or wrong_in_the_verdict(story)


def wrong_in_the_verdict(story: Story) -> str | None:
    """Return what the judge finds in a finished story, None where it finds what is due."""
    verdict = judge(story.evidence())
    # In at-least-once a death repeats rows: that, and nothing else, the judge has to find where there are more records.
    repeats = story.setting.delivery is Delivery.AT_LEAST_ONCE and verdict.records > verdict.rows
    is_due = verdict.names == {"Duplicate"} if repeats else verdict.validity is Validity.VALID
    return None if is_due else verdict.summary


def shorten(line: str) -> str:
    """Take out of a story that fails whatever it fails without, and lower its numbers: what a search leaves over."""
    shorter = True
    while shorter:
        shorter = False
        for simpler in _simpler(*Story.parse(line)):
            if tell(simpler) is not None:
                line, shorter = simpler, True
                break
    return line


def _simpler(setting: Setting, parts: tuple[str, ...]) -> Iterator[str]:
    for i in range(len(parts)):
        yield _line(setting, (*parts[:i], *parts[i + 1 :]))
    for i, part in enumerate(parts):
        if part == "second-run":
            yield _line(setting, (*parts[:i], RUN, *parts[i + 1 :]))
        for found in _NUMBER.finditer(part):
            for lower in range(1, int(found[0])):
                lowered = f"{part[: found.start()]}{lower}{part[found.end() :]}"
                yield _line(setting, (*parts[:i], lowered, *parts[i + 1 :]))
    for rows in range(setting.rows):
        yield _line(replace(setting, rows=rows), parts)
    for plain in (
        replace(setting, csv_seed=NUMBERED),
        replace(setting, markers_lag=False),
        replace(setting, interval_rows=1),
    ):
        if plain != setting:
            yield _line(plain, parts)


def _line(setting: Setting, parts: tuple[str, ...]) -> str:
    return f"{setting}: {'; '.join(parts)}"
