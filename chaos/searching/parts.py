"""What a story can be made of, simple things first: a search shrinks towards the front."""

from __future__ import annotations

from random import Random

from chaos.searching.story import ALIKE, EVENTS, NUMBERED, RUN, Setting
from processor.model import Delivery

CALLS = (
    *("sink.send", "sink.commit", "sink.fence", "checkpoints.save", "checkpoints.claim", "checkpoints.begin"),
    *("checkpoints.finish", "checkpoints.read", "table.update_item", "table.get_item"),
    *("sink.position", "sink.bounds", "sink.records", "sink.describe", "object.describe", "object.read"),
)
OFTEN = CALLS[:10]
HALVED = ("sink.send", "sink.commit", "object.read")  # can be done in part
# One request each: what a dead run had sent may arrive late, but it does not read and decide any more.
HELD_UP = ("sink.commit", "table.update_item", "checkpoints.save", "checkpoints.begin", "checkpoints.finish")
ENDINGS = ("crashes", "fails")
MOST_NTH = 6
MOST_LATE_CALLS = 25
CSV_SEEDS = 300


def draw_setting(rng: Random) -> Setting:
    """Draw a job: few rows as a rule, of every kind, in transactions of one row up to all of them."""
    return Setting(
        rows=rng.choice((0, 1, 2, 3, 4, 5, 5, 6, 6, 8, 12, 30)),
        interval_rows=rng.choice((1, 1, 2, 3, 5, 10_000)),
        csv_seed=rng.choice((NUMBERED, ALIKE, *(rng.randrange(2, CSV_SEEDS) for _ in range(6)))),
        markers_lag=rng.random() < 0.5,  # noqa: PLR2004  # as often as not
        delivery=rng.choice((*[Delivery.EXACTLY_ONCE] * 5, Delivery.AT_LEAST_ONCE)),
    )


def draw_parts(rng: Random, delivery: Delivery) -> list[str]:
    """Draw what happens to the job. In at-least-once nothing of it may be lost, because nothing could tell."""
    events = list(EVENTS) if delivery is Delivery.EXACTLY_ONCE else ["second-run"]
    parts: list[str] = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
        parts += [_draw_part(rng, events) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))]
        parts.append(RUN)
    return parts


def _draw_part(rng: Random, events: list[str]) -> str:
    nth = rng.choice((1, 1, 1, 1, 2, 2, 3, MOST_NTH))
    kind = rng.choice(("fault", "fault", "fault", "half", "late", "event"))
    if kind == "event":
        event = rng.choice(events)
        return rng.choice((event, f"{event} before {rng.choice(CALLS)}:{nth}"))
    call, when = rng.choice((*CALLS, *OFTEN)), rng.choice(("before", "after"))
    if kind == "half":
        call, when = rng.choice(HALVED), f"at {rng.randint(1, 2)}"
    elif kind == "late":
        call, when = rng.choice(HELD_UP), f"late {rng.randint(1, MOST_LATE_CALLS)}"
    return f"{call}:{nth} {rng.choice(ENDINGS)} {when}"
