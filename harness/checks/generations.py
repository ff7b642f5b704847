"""Which of two runs came later: by the life of the checkpoint item, and in one life by the epoch. Pure.

Epochs count up as long as the item lives. One that was deleted or rolled back from outside counts again from where it
was left, and a small epoch is then later than a large one. Which life a run claimed in, its owner tells: the step
`claimed` names it, and so does the version that the claim wrote.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from harness.history import Attempt, CheckpointVersion

Generation: TypeAlias = tuple[int, int]  # the item's life, and the epoch in it
BEFORE_ALL: Generation = (0, 0)


def lives_of(versions: Sequence[CheckpointVersion]) -> list[int]:
    """The life of the item that each version belongs to, counted from 0; a deletion begins the next one."""
    return list(accumulate(_begins_a_life(versions), initial=0))[1:]


def _begins_a_life(versions: Sequence[CheckpointVersion]) -> Iterator[bool]:
    epoch = 0
    for version in versions:
        now = version.count("epoch") or 0
        yield version.attributes is None or (version.planted and now < epoch)
        epoch = now


def generations_of(attempts: Sequence[Attempt], versions: Sequence[CheckpointVersion]) -> Mapping[int, Generation]:
    """The generation of each attempt, by its number; one whose life nobody can tell is left out."""
    lives = lives_of(versions)
    owned: dict[object, Generation] = {}
    claimed_in: dict[int, set[int]] = {}
    for life, version in zip(lives, versions, strict=True):
        epoch = version.count("epoch")
        if epoch is not None:
            owned.setdefault((version.attributes or {}).get("owner"), (life, epoch))
            claimed_in.setdefault(epoch, set()).add(life)
    found: dict[int, Generation] = {}
    for attempt in attempts:
        epoch, owner = attempt.epoch, _owner(attempt)
        if epoch is None:
            continue
        possible = claimed_in.get(epoch, {0}) if lives and lives[-1] else {0}
        if owner is not None and owner in owned:
            found[attempt.number] = owned[owner]
        elif len(possible) == 1:
            found[attempt.number] = (next(iter(possible)), epoch)
    return found


def _owner(attempt: Attempt) -> str | None:
    """The random id under which the run claimed, as far as its step lines tell."""
    return next((str(step.fields["owner"]) for step in attempt.steps if "owner" in step.fields), None)
