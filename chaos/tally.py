"""What a campaign has seen: how many kills, where in the protocol they fell, and what the judge said."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.checker import Validity, Verdict
from harness.history import Attempt, Evidence
from harness.partition import Client

# Where a kill fell, told by the last step before it. The first three lie between the first record sent and the save.
PLACES = {
    "read": "sending",
    "sent": "flushed, not committed",
    "committed": "committed, not saved",
    "saved": "saved, before the next batch",
    "claimed": "claimed, not fenced",
    "fenced": "fenced, not resumed",
    "rebuilt": "fenced, not resumed",
    "resumed": "resumed, nothing sent",
    "": "before the claim",
}
# Of somebody else's program, which announces nothing, only the plan is known.
OUTSIDE = {"KillAfter": "at some moment", "KillAfterRecords": "once it had sent"}
IN_FLIGHT = ("sending", "flushed, not committed", "committed, not saved")


@dataclass(slots=True)
class Tally:
    """What a campaign has seen so far; shared by its workers."""

    kills: int = 0
    stops: int = 0  # by SIGTERM
    places: Counter[str] = field(default_factory=Counter)
    clients: Counter[str] = field(default_factory=Counter)
    verdicts: list[Validity] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, client: Client, places: Counter[str], verdict: Verdict, *, stops: int) -> None:
        """Add a judged round and where its kills fell."""
        with self.lock:
            self.kills += places.total()
            self.stops += stops
            self.clients[client] += places.total()
            self.places.update(places)
            self.verdicts.append(verdict.validity)

    def summary(self, *, seconds: float, outside_only: bool) -> Iterator[str]:
        """Yield the lines that end a campaign: kills, where they fell, verdicts."""
        found = Counter(self.verdicts)
        yield f"\n{self.kills:,} SIGKILLs in {seconds / 60:.1f} minutes, {self.kills / seconds * 60:.0f} a minute"
        if self.stops:
            yield f"and {self.stops:,} SIGTERMs"
        if self.kills and not outside_only:
            yield "by client: " + ", ".join(f"{client} {kills:,}" for client, kills in sorted(self.clients.items()))
        for place, kills in self.places.most_common():
            yield f"  {kills:6,} {kills / self.kills:4.0%} {'#' * round(40 * kills / self.kills)} {place}"
        if self.kills and not outside_only:
            in_flight = sum(self.places[place] for place in IN_FLIGHT)
            yield f"  {in_flight / self.kills:.0%} between the first record sent and the save"
        yield "verdicts: " + ", ".join(f"{count} {validity}" for validity, count in sorted(found.items()))


def place_of(attempt: Attempt) -> str:
    """Say where in the protocol a killed attempt ended."""
    steps = [step for step in attempt.steps if step.name not in ("struck", "saved")]
    last = steps[-1] if steps else None
    if last is None or last.name != "committed":
        return PLACES.get(last.name if last else "", "elsewhere")
    # A save is made beside the next batch: its step may come after that batch was read, and says nothing of it.
    saved = any(step.name == "saved" and step.next_row == last.next_row for step in attempt.steps)
    return PLACES["saved" if saved else "committed"]


def places_of(evidence: Evidence, *, outside_only: bool) -> Counter[str]:
    """Count where the kills of a round fell."""
    if outside_only:
        return Counter(OUTSIDE[strike.name] for strike in evidence.strikes if strike.landed)
    return Counter(place_of(attempt) for attempt in evidence.attempts if attempt.signal == signal.SIGKILL)
