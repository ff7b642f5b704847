"""What can go wrong, one class per reaction, each with a hint and a documented exit code.

::

    ProcessorError
    ├── Different              1   `verify` found a difference between the object and the partition
    ├── NeedsPerson            2   a setting, a right or a resource must change; a restart alone mends nothing
    │   ├── BadSetting             a flag or variable is missing or makes no sense
    │   ├── AccessDenied           credentials, certificates or permissions are refused
    │   ├── PlaceMissing           bucket, table, topic or partition does not exist
    │   └── RecordTooLarge         the broker or the client refuses a record of this size
    ├── SourceChanged          3   the object is not the one the job started on, or is gone
    ├── Superseded             4   a newer run owns the job
    ├── BadRow                 5   the CSV breaks a rule; rows before the place are committed
    ├── Contradiction          6   checkpoint, position and partition cannot all be true
    ├── Temporary             75   start me again
    │   ├── SourceUnavailable      S3 does not answer, reconnecting did not help
    │   ├── CheckpointUnavailable  DynamoDB does not answer
    │   ├── SinkFailed             any Kafka failure: the producer is thrown away, then fence and resume
    │   │   └── SinkFenced         the coordinator shut this producer out: a rival, or a timed-out transaction
    │   └── AttemptsUsedUp         five attempts in a row without a committed row
    └── Stopped          130/143   a signal asked the run to end

Adapters translate their vendor's errors into these at their own edge and nowhere else.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_UNEXPECTED = 70


class ProcessorError(Exception):
    """Ends the run with one line for the person at the terminal: what happened, and what to do."""

    exit_code = EXIT_UNEXPECTED

    def __init__(self, what: str, *, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})"


class Different(ProcessorError):
    """The partition does not hold the object's rows as promised; only `verify` says so."""

    exit_code = 1


class NeedsPerson(ProcessorError):
    """Nothing changes until a person changes something."""

    exit_code = 2


class BadSetting(NeedsPerson):
    """A setting is missing, unreadable or contradicts another."""


class AccessDenied(NeedsPerson):
    """Credentials, certificates or permissions are refused, by the other side or by us."""


class PlaceMissing(NeedsPerson):
    """A bucket, table, topic or partition does not exist."""


class RecordTooLarge(NeedsPerson):
    """A record is larger than the broker or the client takes."""


class SourceChanged(ProcessorError):
    """The object is gone, or is not the one the job started on."""

    exit_code = 3


class Superseded(ProcessorError):
    """A newer run owns the job; this one has written nothing since it noticed."""

    exit_code = 4


class BadRow(ProcessorError):
    """A row or the header breaks the CSV rules. `row` is 0-based, None for the header; bytes are [start, end)."""

    exit_code = 5

    def __init__(self, reason: str, *, row: int | None, byte_start: int, byte_end: int) -> None:
        place = "header" if row is None else f"row {row}"
        super().__init__(
            f"{place}, bytes {byte_start} to {byte_end} of the object: {reason}",
            hint="the rows before it are committed; go on behind it with --on-bad-row=skip or dead-letter, or mend the"
            " object under a new key and start a new job"
            if row is not None
            else "mend the object's first row; nothing was sent",
        )
        self.reason = reason
        self.row = row
        self.byte_start = byte_start
        self.byte_end = byte_end


class Contradiction(ProcessorError):
    """Two places of state cannot both be true; going on would lose or repeat rows."""

    exit_code = 6


class Temporary(ProcessorError):
    """Nothing is wrong that time does not mend; start the same command again."""

    exit_code = 75


class SourceUnavailable(Temporary):
    """S3 does not answer, and reconnecting did not help."""


class CheckpointUnavailable(Temporary):
    """DynamoDB does not answer or refuses to for now; whether the last write happened may be unknown."""


class SinkFailed(Temporary):
    """A call to Kafka failed or ran out of time. Whether a commit happened may be unknown."""


class SinkFenced(SinkFailed):
    """The coordinator shut this producer out. Only the lease tells a rival from a timed-out transaction."""


class AttemptsUsedUp(Temporary):
    """Every attempt failed without one committed row between them."""


class Stopped(ProcessorError):
    """A signal asked for the end. `exit_code` is 128 + the signal's number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}", hint="start the same command again to go on")
        self.exit_code = 128 + signal_number
