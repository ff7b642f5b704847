"""The values that cross the ports: frozen, and they check themselves when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from processor.record_parts import Headers, RecordParts, imprint
from processor.security import Security


class Delivery(StrEnum):
    """What the partition's readers are promised."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


class ValueFormat(StrEnum):
    """What a Kafka value holds: a JSON object of header to string, or the row's bytes without its line end."""

    JSON = "json"
    RAW = "raw"


class BadRows(StrEnum):
    """What becomes of a bad row: it ends the run; it is skipped and counted; or that, and sent to another topic."""

    FAIL = "fail"
    SKIP = "skip"
    DEAD_LETTER = "dead-letter"


class Status(StrEnum):
    """What the checkpoint says of the job; for people and alarms, never for a decision but COMPLETED."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class InvalidValue(ValueError):
    """A value contradicts itself: a bug of ours, or state that somebody else wrote."""


def _require(holds: bool, what: str) -> None:  # reads as `require(x >= 0, ...)`
    if not holds:
        raise InvalidValue(what)


@dataclass(frozen=True, slots=True)
class Position:
    """The *next* row: how many rows lie before it, at which byte it starts, how many of those were skipped.

    `row` counts from 0 without the header, bad rows too, so it is also the number of rows done. `byte_offset` is the
    byte in the (decompressed) object at which the next row, or blank lines before it, start; at the end it may be the
    object's size. `skipped` counts bad rows since the job's start, or its last reset. Rows visible in the partition are
    `row - skipped`; after a reset to row N, `row - skipped - N`.
    """

    row: int
    byte_offset: int
    skipped: int = 0

    def __post_init__(self) -> None:
        _require(0 <= self.skipped <= self.row, f"skipped must be between 0 and row: {self}")
        _require(self.byte_offset >= 0, f"byte_offset must not be negative: {self}")


@dataclass(frozen=True, slots=True)
class Pins:
    """Which bytes the job reads: the object's ETag and, in a versioned bucket, its VersionId."""

    etag: str
    version_id: str | None = None

    def __post_init__(self) -> None:
        _require(bool(self.etag), "an object without an ETag cannot be pinned")


@dataclass(frozen=True, slots=True)
class SourceObject:
    """The object as described: its URL, its pins, its size in bytes, and where the first row starts.

    Where it is compressed, nobody knows the size of what it holds, and `size_bytes` is None.
    `first_row_byte` is the byte after the header's line end, the BOM included. It equals `size_bytes` for an empty
    object or a lone header.
    """

    url: str
    pins: Pins
    size_bytes: int | None
    first_row_byte: int

    def __post_init__(self) -> None:
        within = self.size_bytes is None or self.first_row_byte <= self.size_bytes
        _require(self.first_row_byte >= 0 and within, f"header beyond the object: {self}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A bad row, and why it is one. Its bytes are [byte_start, byte_end), where the next row or blank lines begin.

    `raw` are the first of them, as many as are kept.
    """

    row: int
    byte_start: int
    byte_end: int
    reason: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one transaction: rows [start.row, end.row), in file order, encoded as Kafka values.

    `values[i]` is the value of the i-th good row; `byte_ends[i]` is the byte just after it in the object. `keys`,
    `headers` and `timestamps_ms` are as long, or None where the job's records have a null key, no headers, or the
    client's clock. `faults` are the rows between them that are skipped; there may be nothing else in a batch.
    """

    start: Position
    end: Position
    values: Sequence[bytes]
    byte_ends: Sequence[int]
    keys: Sequence[bytes] | None = None
    headers: Sequence[Headers] | None = None
    timestamps_ms: Sequence[int] | None = None
    faults: Sequence[Fault] = ()
    size_bytes: int = field(init=False, compare=False)  # of all values together, as handed to the client

    def __post_init__(self) -> None:
        object.__setattr__(self, "size_bytes", sum(map(len, self.values)))  # once: it is asked for several times
        rows = self.end.row - self.start.row
        skipped = self.end.skipped - self.start.skipped
        _require(len(self.values) == rows - skipped, f"{len(self.values)} values for rows {self.start} to {self.end}")
        _require(len(self.byte_ends) == len(self.values), "one byte_end for each value")
        for parts in (self.keys, self.headers, self.timestamps_ms):
            _require(parts is None or len(parts) == len(self.values), "a key, headers, a timestamp for each value")
        _require(len(self.faults) == skipped, f"{len(self.faults)} faults for rows {self.start} to {self.end}")
        _require(self.start.byte_offset <= self.end.byte_offset, f"bytes run backwards: {self.start} to {self.end}")

    def imprints(self) -> Sequence[bytes]:
        """Return what `Sink.records` yields for these records when they are read back."""
        columns = {"key": self.keys, "headers": self.headers, "timestamp_ms": self.timestamps_ms}
        given = {name: column for name, column in columns.items() if column is not None}
        if not given:
            return self.values
        rows = zip(self.values, *given.values(), strict=True)
        return [imprint(value, dict(zip(given, parts, strict=True))) for value, *parts in rows]

    def columns(self, first: int, end: int | None) -> dict[str, Any]:
        """Return what of each column belongs to the good rows [first, end): what a batch of them is made of."""
        names = ("values", "byte_ends", "keys", "headers", "timestamps_ms")
        found = {name: getattr(self, name) for name in names}
        return {name: column and column[first:end] for name, column in found.items()}

    @property
    def good_rows(self) -> Sequence[int]:
        """The number of each value's row."""
        rows = range(self.start.row, self.end.row)
        bad = {fault.row for fault in self.faults}
        return [row for row in rows if row not in bad] if bad else rows

    def position_after(self, row: int) -> Position:
        """Return the position behind one of the batch's rows, a good or a bad one."""
        passed = [fault for fault in self.faults if fault.row <= row]
        good = row + 1 - self.start.row - len(passed)
        ends = [*self.byte_ends[:good][-1:], *(fault.byte_end for fault in passed[-1:])]
        return Position(row + 1, max(ends), self.start.skipped + len(passed))


@dataclass(frozen=True, slots=True)
class CommittedPosition:
    """What the group offset in Kafka says: the position, and what it was written for.

    Written by `Sink.commit` in the same transaction as the rows before it. `last_offset` is the last one's, or
    UNKNOWN_OFFSET where a rebuild or a reset wrote the position anew and there was none. `resets` is the job's, as
    in JobStart.
    """

    position: Position
    pins: Pins
    shape: str
    last_offset: int
    resets: int = 0


@dataclass(frozen=True, slots=True)
class ForeignPosition:
    """A group offset that this program did not write, or whose metadata contradicts it; `why` is for the error."""

    offset: int
    why: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the rows go, by identity rather than by name: a topic made anew has another `topic_id`."""

    cluster_id: str
    topic_id: str
    partition: int


@dataclass(frozen=True, slots=True)
class PartitionBounds:
    """Offsets of the partition at one moment.

    `start` is the first offset still kept, `end` the next one to be written (high watermark), `stable` the last
    stable offset: a committed reader sees nothing at or after it. `stable < end` means that a transaction is open.
    """

    start: int
    stable: int
    end: int

    def __post_init__(self) -> None:
        _require(0 <= self.start <= self.end, f"start beyond the end: {self}")
        _require(self.stable <= self.end, f"stable beyond the end: {self}")


@dataclass(frozen=True, slots=True)
class Lease:
    """Who owns the job: the generation, counted up by each claim, and the random id of the claiming run."""

    epoch: int
    owner: str

    def __post_init__(self) -> None:
        _require(self.epoch >= 1, f"epochs count from 1: {self}")
        _require(bool(self.owner), "a lease has an owner")


UNKNOWN_OFFSET = -1


@dataclass(frozen=True, slots=True)
class JobStart:
    """What is saved at the job's first fence, before any record is sent, and pinned from then on.

    `start_offset` is the partition's end at that fence, UNKNOWN_OFFSET where a lost checkpoint was made anew. The
    record there is that of row `start_row`: 0, unless one of the job's `resets` moved it to another row.
    """

    source_url: str
    pins: Pins
    shape: str
    destination: Destination
    start_offset: int
    start_row: int = 0
    resets: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The DynamoDB item of one job. `start` is None until the job's first fence.

    `next_offset` is an offset after the last record of the saved batch and not after the first of the next; it
    equals `start.start_offset` before anything was saved, and is None only while `start` is None. `rows` is the
    number of rows of the object, known once COMPLETED.
    """

    lease: Lease
    status: Status
    position: Position
    start: JobStart | None = None
    next_offset: int | None = None
    rows: int | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        _require((self.start is None) == (self.next_offset is None), "start and next_offset come together")


LINGER_MS = 50  # a request leaves when it is full; the last one is flushed
FENCE_TIMEOUT_S = 30.0  # a fence waits for an earlier commit's end; longer than a broker's restart
# A send of which nothing is acknowledged for so long is given up: each client has been seen to wait in an open
# transaction for a coordinator that had moved, and a new producer goes on within seconds.
STALLED_AFTER_S = 8.0
SHORTEST_TRANSACTION_MS = 1_000


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """What a sink needs to know. `transactional_id` is also the group under which the position is kept.

    `parts` say what of a record beside its value is the job's.

    `delivery_timeout_ms` bounds one record's way to the broker; it is shorter than `transaction_timeout_ms`, after
    which the coordinator aborts a transaction that nobody ended.
    """

    bootstrap_servers: str
    topic: str
    partition: int
    transactional_id: str
    delivery: Delivery = Delivery.EXACTLY_ONCE
    compression: str = "gzip"
    transaction_timeout_ms: int = 60_000
    security: Security = Security()  # noqa: RUF009  # frozen
    parts: RecordParts = RecordParts()  # noqa: RUF009  # frozen
    dead_letter_topic: str = ""  # where skipped rows go, if anywhere

    def __post_init__(self) -> None:
        _require(
            self.transaction_timeout_ms >= SHORTEST_TRANSACTION_MS,
            f"a transaction timeout under {SHORTEST_TRANSACTION_MS} ms leaves no time for a delivery",
        )

    @property
    def delivery_timeout_ms(self) -> int:
        """Three quarters of the transaction timeout: a batch fails while its transaction can still be aborted."""
        return self.transaction_timeout_ms * 3 // 4

    @property
    def commit_timeout_s(self) -> float:
        """Bounds a commit: one takes milliseconds, and after this long a new fence decides it sooner."""
        return min(15.0, self.delivery_timeout_ms / 1000)
