"""How the processor once behaved, where no mutant of `chaos.mutants` is that very bug.

Each makes out of what stands at its target what stood there before the bug was mended.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from processor.errors import Contradiction, Superseded, Temporary
from processor.model import Batch, Checkpoint, CommittedPosition, Lease, PartitionBounds
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

    def await_stable(self: Any) -> PartitionBounds:
        try:
            bounds: PartitionBounds = original(self)
        except (Contradiction, Superseded) as why:
            raise Temporary(str(why), hint="start the same command again") from why
        return bounds

    return await_stable


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


def counts_no_records(_original: Any) -> Any:
    """Believe the checkpoint where there are no transactions."""

    def require_room(_checkpoint: Checkpoint, _bounds: PartitionBounds) -> None:
        return

    return require_room


def knows_the_end_by_the_checkpoint_alone(original: Any) -> Any:
    """Know of rows that were committed and not saved how many they are, not where they lie."""

    def require_tail(checkpoint: Checkpoint | None, _position: Any, bounds: PartitionBounds) -> None:
        original(checkpoint, None, bounds)

    return require_tail


def looks_for_no_record(_original: Any) -> Any:
    """Believe that what was committed is there as long as the partition is long enough."""

    def require_record(_committed: CommittedPosition, _found: Any) -> None:
        return

    return require_record


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


def looks_behind_what_was_counted(_original: Any) -> Any:
    """Take rows that were sent and aborted later for those that the checkpoint counts."""
    return lambda _is_before, records: records
