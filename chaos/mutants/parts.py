"""Mutants that send the right values with another key, other headers or another timestamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from chaos.mutants.real import Real
from chaos.mutants.registry import Change, mutant
from chaos.mutants.trials import Trial, alike, numbered, timed
from harness.record_rule import RecordRule
from processor.model import Batch

SEND_AND_COMMIT = "processor.processor.CSVToKafkaProcessor._send_and_commit"
ENCODED = "processor.csv_source.encoded_rows"
BETWEEN_BATCHES = ("sink.send:3 crashes before",)


def _sending(change: Callable[[Any, Batch], Batch]) -> Change:
    """Return the processor that sends each batch changed."""

    def make(original: Any) -> Any:
        def send_and_commit(self: Any, batch: Batch) -> int | None:
            next_offset: int | None = original(self, change(self, batch))
            return next_offset

        return send_and_commit

    return make


@mutant(ENCODED, expected="Altered", trial=Trial(numbered, rule=RecordRule(key=("id",))), real=Real())
def takes_the_neighbours_key(original: Any) -> Any:
    """Gives each row but the last of a chunk the key of the row after it."""

    def encoded_rows(*settings: Any, **start: Any) -> Iterator[Any]:
        for encoded in original(*settings, **start):
            keys = encoded.keys
            yield encoded if keys is None else replace(encoded, keys=[*keys[1:], keys[-1]])

    return encoded_rows


@mutant(
    ENCODED,
    expected="Altered",
    trial=Trial(alike, BETWEEN_BATCHES, rule=RecordRule(position=True)),
    real=Real("step:saved:2"),
)
def numbers_rows_anew_after_a_resume(original: Any) -> Any:
    """Counts the rows of the headers from where it began to read, not from the object's start."""

    def encoded_rows(*settings: Any, **start: Any) -> Any:
        return original(*settings, **(start | {"row": 0}))

    return encoded_rows


@mutant(
    SEND_AND_COMMIT,
    expected="Altered",
    trial=Trial(numbered, ("sink.commit:2 fails before",), rule=RecordRule(key=("word", "id"))),
    real=Real("step:sent:2"),
)
def drops_the_key_when_it_sends_again(original: Any) -> Any:
    """Sends the batch with which it goes on after a failure or a death without its keys."""

    def change(run: Any, batch: Batch) -> Batch:
        first = getattr(run, "sent_in", 0) != run._attempt  # noqa: SLF001  # a mutant reaches into what it breaks
        run.sent_in = run._attempt  # noqa: SLF001
        return replace(batch, keys=None) if first and batch.start.row else batch

    return _sending(change)(original)


@mutant(SEND_AND_COMMIT, expected="Altered", trial=Trial(timed, rule=RecordRule(timestamp="at")), real=Real())
def sends_the_time_of_the_clock(original: Any) -> Any:
    """Leaves the timestamp to the client from the second batch on."""
    return _sending(lambda _, batch: replace(batch, timestamps_ms=None) if batch.start.row else batch)(original)
