"""What must hold in every world, at every step from one world to the next, and when a run ends.

Each rule returns what is wrong in one sentence, or nothing. They look at the fakes' state directly, never at what a
run believes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.interleave.runs import Stop
from chaos.interleave.stage import World
from chaos.interleave.turns import COMMIT, Answer, Fenced
from processor.errors import EXIT_DONE, Superseded, Temporary

COMPLETED = "COMPLETED"


def wrong_in_world(world: World, settled: World, expected: Sequence[bytes]) -> Iterator[str]:
    """I1, I2, I3. `settled` is the same world once every decided commit has reached its readers."""
    for seen in (world, settled):
        values = [value for _, value in seen.visible]
        if values != list(expected[: len(values)]):
            yield f"I3: readers see {values}, no prefix of the object's rows"
    if settled.position != len(settled.visible):
        yield f"I1: the position is {settled.position}, readers see {len(settled.visible)} rows"
    attributes = world.attributes
    done = int(attributes.get("last_line", 0))
    if done > settled.position:
        yield f"I2: the checkpoint counts {done} rows, the position {settled.position}"
    if "next_offset" not in attributes:
        return
    offsets = [offset for offset, _ in settled.visible]
    if offsets and int(attributes["start_offset"]) > offsets[0]:
        yield f"I1: start_offset is {attributes['start_offset']}, the first row lies at {offsets[0]}"
    next_offset = int(attributes["next_offset"])
    if any(offset >= next_offset for offset in offsets[:done]) or any(o < next_offset for o in offsets[done:]):
        yield f"I1: next_offset {next_offset} does not part the {done} saved rows from the rest of {offsets}"


def wrong_in_step(before: World, after: World, stop: Stop) -> Iterator[str]:
    """I2 and I4: what this run's request may change. It may be held up and arrive when the run is long dead."""
    if after.checkpoint != before.checkpoint:
        yield from _wrong_in_write(before.attributes, after.attributes, stop)
    decided = stop.call == COMMIT and after.is_decided and after.transactions != before.transactions
    if decided and after.fencer.run != stop.run:
        yield f"I4: run {stop.run} commits although run {after.fencer.run} has fenced since"
    if decided and not after.fencer.held_lease:
        yield f"I4: run {stop.run} commits although it had lost the lease when it fenced"


def _wrong_in_write(before: dict[str, int | str], after: dict[str, int | str], stop: Stop) -> Iterator[str]:
    epoch, epoch_before = int(after["epoch"]), int(before.get("epoch", 0))
    if after["owner"] != stop.owner:
        yield f"I4: run {stop.run} writes to the checkpoint of {after['owner']}"
    if epoch < epoch_before:
        yield f"I4: the epoch goes back from {epoch_before} to {epoch}"
    if epoch == epoch_before and before["owner"] != after["owner"]:
        yield f"I4: {before['owner']} and {after['owner']} both hold epoch {epoch}"
    if epoch == epoch_before and int(after["last_line"]) < int(before["last_line"]):
        yield f"I2: the checkpoint goes back from {before['last_line']} to {after['last_line']} rows in one epoch"
    if epoch == epoch_before and before["status"] == COMPLETED != after["status"]:
        yield f"the job was {COMPLETED} and is {after['status']} without a new claim"


def wrong_at_end(world: World, stop: Stop, *, rows: int, faults: int) -> Iterator[str]:
    """I5, and which exit codes there may be: 75 needs a fault, 4 another owner, all others have no reason here."""
    code = stop.exit_code
    if code == EXIT_DONE:
        yield from wrong_in_completion(world, rows=rows)
    elif code == Superseded.exit_code:
        if world.attributes.get("owner") == stop.owner:
            yield f"run {stop.run} ends with {code}, but the job is its own: {stop.why}"
    elif code != Temporary.exit_code or not faults:
        yield f"run {stop.run} ends with {code} after {faults} faults: {stop.why}"


def wrong_in_completion(world: World, *, rows: int) -> Iterator[str]:
    """I5: every row is visible and counted, and no transaction is open."""
    # The group offset's own marker may still be on its way; that it comes is decided.
    position = rows if world.is_decided else world.position
    if (len(world.visible), position) != (rows, rows):
        yield f"I5: done with {len(world.visible)} of {rows} rows visible and the position at {world.position}"
    if world.is_open:
        yield "I5: done with a transaction open"


def wrong_when_all_have_ended(world: World) -> Iterator[str]:
    """Without a fault some run has finished the job; only one that is about to end with 0 writes this status."""
    if world.attributes.get("status") != COMPLETED:
        yield f"all runs have ended without a fault, the status is {world.attributes.get('status')}"


def wrong_when_alone(world: World, stop: Stop, *, rows: int) -> Iterator[str]:
    """A new run that goes on alone, undisturbed, ends with 0; then the job is done and says so."""
    if stop.exit_code != EXIT_DONE:
        yield f"a run that goes on alone ends with {stop.exit_code}: {stop.why}"
        return
    yield from (f"a run that goes on alone: {wrong}" for wrong in wrong_in_completion(world, rows=rows))
    if world.attributes.get("status") != COMPLETED:
        yield f"a run that goes on alone leaves the status {world.attributes.get('status')}"


def was_taken(answer: Answer) -> bool:
    """Whether a request had its way; one that a condition or the coordinator refuses will be refused for ever."""
    return answer is not False and not isinstance(answer, Fenced)
