"""Mutants that skip bad rows wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from chaos.mutants.real import Real
from chaos.mutants.registry import mutant
from chaos.mutants.trials import Trial, spoiled
from processor.encoded_rows import Encoded
from processor.model import Fault

PARTED = "processor.csv_source._parted"
SPOILED = Trial(spoiled)


@mutant(PARTED, expected="Lost", trial=SPOILED, real=Real())
def skips_the_row_behind_a_bad_one(original: Any) -> Any:
    """Takes the good row behind a bad one for a part of it, and skips both."""

    def parted(encoded: Any, row: int) -> Iterator[Any]:
        behind = False
        for rows, first, end, fault in original(encoded, row):
            taken = int(behind and first < end)
            if taken:
                yield rows, first, first, Fault(row, rows.ends[first], rows.ends[first], "behind a bad one")
            row += end - first + (fault is not None)
            behind = fault is not None or (behind and first == end)
            yield rows, first + taken, end, fault

    return parted


@mutant(PARTED, expected="Phantom", trial=SPOILED, real=Real())
def sends_bad_rows(original: Any) -> Any:
    """Sends a record in the place of each bad row, and counts it as a good one."""

    def parted(encoded: Any, row: int) -> Iterator[Any]:
        for rows, first, end, fault in original(encoded, row):
            yield rows, first, end, None
            if fault is not None:
                yield Encoded([fault.reason.encode()], [fault.byte_end], []), 0, 1, None

    return parted


@mutant("processor.opening.Opening.committed", expected="TornTransaction", trial=SPOILED, real=Real())
def counts_skipped_rows_as_sent(original: Any) -> Any:
    """Leaves the skipped rows out of the position, as if each row before it had a record."""

    def committed(self: Any, position: Any, last_offset: int) -> Any:
        return original(self, replace(position, skipped=0), last_offset)

    return committed


@mutant(
    "processor.group_offset.decode",
    expected="TornTransaction",
    trial=Trial(spoiled, ("sink.commit:3 crashes after",)),
    real=Real("step:committed:3"),
)
def forgets_at_a_resume_what_was_skipped(original: Any) -> Any:
    """Goes on at the right row and byte, and counts the skipped rows from there on alone."""

    def decode(*found: Any) -> Any:
        said = original(*found)
        return replace(said, position=replace(said.position, skipped=0)) if hasattr(said, "position") else said

    return decode


@mutant("processor.processor.CSVToKafkaProcessor._send_and_commit", expected="SilentSuccess", trial=SPOILED,
        real=Real())  # fmt: skip
def commits_no_batch_without_records(original: Any) -> Any:
    """Leaves the position where it is while there is nothing to send."""

    def send_and_commit(self: Any, batch: Any) -> int | None:
        sent: int | None = original(self, batch) if batch.values else self._end
        return sent

    return send_and_commit
