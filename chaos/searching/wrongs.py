"""What must hold after each part of a story. Seen in the fakes and in the steps, not through the judge.

Each rule yields what is wrong in one sentence, or nothing. They speak of exactly-once.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

from chaos.on_fakes import GROUP, FakeJob
from chaos.searching.story import Story
from harness.fakes import FakePartition
from processor.errors import EXIT_DONE, EXIT_UNEXPECTED, NeedsPerson
from processor.model import Delivery

NEVER = {EXIT_UNEXPECTED, NeedsPerson.exit_code}  # no bug, and no setting or right is missing in a story


def wrong_now(story: Story) -> Iterator[str]:
    """I1 to I4, and no run ended as if the program were broken."""
    partition = _settled(story.job.partition)
    yield from _wrong_rows(story, partition)
    yield from _wrong_versions(story.job)
    yield from _wrong_commits(story.job)
    for run in story.job.attempts:
        if run.exit_code in NEVER:
            yield f"run {run.number} ended with {run.exit_code}: {run.steps[-1].fields.get('error')}"


def wrong_at_the_end(story: Story) -> Iterator[str]:
    """I5: left alone, the job ends with 0; with what a person must look at first, by the refusal that is due."""
    if due_exit := story.due_exit:
        # A dead run's commit that is still on its way may move a position that was put back to where it belongs.
        heals = story.is_put_back and story.job.faults.held_up
        yield from _wrong_end(story, due_exit, *([EXIT_DONE] if heals else []))
        story.mend()
    yield from _wrong_end(story, EXIT_DONE)
    if story.setting.delivery is Delivery.EXACTLY_ONCE:
        yield from wrong_now(story)


def _wrong_end(story: Story, *due_exits: int) -> Iterator[str]:
    story.finish()
    last = story.job.attempts[-1]
    if last.exit_code not in due_exits:
        why = last.steps[-1].fields.get("error") if last.steps else None
        yield f"left alone, the job ended with {last.exit_code}, not with {due_exits[0]}: {why}"


def _settled(partition: FakePartition) -> FakePartition:
    """Return the partition as it is once every decided commit has reached its readers."""
    if not partition.is_settling:
        return partition
    later = copy.deepcopy(partition)
    later.finish_commits()
    return later


def _wrong_rows(story: Story, partition: FakePartition) -> Iterator[str]:
    """I1, I2 and I3."""
    values = [value for _, value in partition.committed()]
    if tuple(values) != story.expected[: len(values)]:
        yield f"I3: readers see {values}, no prefix of the object's rows"
    offset = partition.group_offsets.get(GROUP)
    row = 0 if offset is None else json.loads(offset.metadata.rstrip("\0"))["row"]
    if offset is not None:
        story.position_expired = False
    if row != len(values) and not story.position_expired and not story.is_put_back:
        yield f"I1: the position is {row}, readers see {len(values)} rows"
    if int(story.job.item.get("last_line", 0)) > len(values):
        yield f"I2: the checkpoint counts {story.job.item['last_line']} rows, readers see {len(values)}"


def _wrong_versions(job: FakeJob) -> Iterator[str]:
    """I2 and I4: within the item's life epochs rise by claims, one owner holds each, and no row is taken back."""
    before: dict[str, int | str] = {}
    for _, version in job.table.versions:
        after = version or {}  # where the item was deleted from outside, all begins anew
        if before and after:
            epoch, was = int(after["epoch"]), int(before["epoch"])
            if epoch < was or (epoch == was and after["owner"] != before["owner"]):
                yield f"I4: {after['owner']} wrote in epoch {epoch}, when {before['owner']} held epoch {was}"
            if int(after["last_line"]) < int(before["last_line"]):
                yield f"I2: the checkpoint went back from {before['last_line']} to {after['last_line']} rows"
        before = after


def _wrong_commits(job: FakeJob) -> Iterator[str]:
    """I4: who makes rows visible has fenced last, and held the job when it did."""
    told = sorted((step.at_s, run.number, step.name) for run in job.attempts for step in run.steps)
    holder = fencer = 0
    held_it = False
    for _, run, step in told:
        if step == "claimed":
            holder = run
        elif step == "fenced":
            fencer, held_it = run, holder == run
        elif step == "committed" and fencer != run:
            yield f"I4: run {run} commits although run {fencer} has fenced since"
        elif step == "committed" and not held_it:
            yield f"I4: run {run} commits although run {holder} had claimed the job when it fenced"
