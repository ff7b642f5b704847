"""How the processor once behaved, where no mutant of `chaos.mutants` is that very bug.

Each makes out of what stands at its target what stood there before the bug was mended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from processor.errors import Contradiction, Superseded, Temporary
from processor.model import Batch, Checkpoint, Lease, PartitionBounds, Position
from processor.opening import Opened


def lease_before_the_position(original: Any) -> Any:
    """Read the lease first, then bounds and position."""

    def resume(self: Any) -> Opened:
        early = self.require_lease()
        with mock.patch.object(self, "require_lease", return_value=early):
            opened: Opened = original(self)
        return opened

    return resume


def waits_whoever_has_the_transaction_open(original: Any) -> Any:
    """Call every transaction that stays open a passing trouble."""

    def settle(self: Any) -> PartitionBounds:
        try:
            bounds: PartitionBounds = original(self)
        except (Contradiction, Superseded) as why:
            raise Temporary(str(why), hint="start the same command again") from why
        return bounds

    return settle


def returns_whatever_lease_it_reads(original: Any) -> Any:
    """Read the item after the claim, and return the lease in it, whoever has claimed meanwhile."""

    def claim(self: Any) -> Lease:
        original(self)
        now: Checkpoint = self._read()
        return now.lease

    return claim


def takes_any_offset(_original: Any) -> Any:
    """Never look where the partition put the records."""

    def require_growth(_self: Any, _batch: Batch, _next_offset: int | None) -> None:
        return

    return require_growth


def counts_no_records_in_at_least_once(original: Any) -> Any:
    """Believe the checkpoint where there are no transactions."""

    def require_rows(*states: Any, markers: int) -> None:
        if markers:
            original(*states, markers=markers)

    return require_rows


def counts_records_from_the_start_alone(original: Any) -> Any:
    """Take every offset since the job's start for a record."""

    def require_rows(
        checkpoint: Checkpoint | None, position: Position, bounds: PartitionBounds, **_markers: int
    ) -> None:
        if checkpoint is not None and checkpoint.start is not None and checkpoint.position.row <= position.row:
            start_offset = max(checkpoint.start.start_offset, 0)
            checkpoint = replace(checkpoint, position=Position(0, 0), next_offset=start_offset)
        original(checkpoint, position, bounds, markers=0)

    return require_rows


def takes_a_marker_for_a_record(original: Any) -> Any:
    """Count the commit marker behind the saved batch as if it could be a row."""

    def require_rows(*states: Any, **_markers: int) -> None:
        original(*states, markers=0)

    return require_rows


def takes_records_for_those_of_any_object(_original: Any) -> Any:
    """Compare records with the rows of the object that is there, whichever it is."""

    def of_the_same_object(records: Any, *_states: Any) -> Any:
        return records

    return of_the_same_object


def saves_into_an_item_that_is_not_begun(original: Any) -> Any:
    """Ask for no more than the lease."""

    def admits(stored: Any, **facts: Any) -> Any:
        return original({"start_offset": 0, **stored}, **facts)

    return admits
