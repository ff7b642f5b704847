"""The anomalies that the judge can name: one frozen value each, which explains itself when it is printed.

Rows are counted from 0, the header excluded; offsets are Kafka's. A value that stands for a run of neighbouring
rows (`rows`, `records`) says so; everything else stands for one.
"""

from dataclasses import dataclass

SHOWN_BYTES = 60


def shorten(value: bytes | None) -> str:
    """The bytes as a reader wants them: short ones whole, long ones by their two ends and their length."""
    if value is None:
        return "nothing"
    if len(value) <= SHOWN_BYTES:
        return repr(value)
    half = SHOWN_BYTES // 2
    return f"{value[:half]!r}…{value[-half:]!r} ({len(value):,} bytes)"


def _rows(row: int, rows: int) -> str:
    return f"row {row}" if rows == 1 else f"rows {row} to {row + rows - 1}"


def _offsets(first: int, last: int) -> str:
    return f"offset {first}" if first == last else f"offsets {first} to {last}"


def _sent_by(attempts: tuple[int, ...]) -> str:
    return f"sent by attempt {', '.join(map(str, attempts))}" if attempts else "no attempt says that it sent it"


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows in the middle of the object are nowhere in the partition, though later rows are there."""

    row: int
    rows: int
    expected: bytes
    offset_before: int | None
    attempts: tuple[int, ...] = ()

    def __str__(self) -> str:
        place = "at the head" if self.offset_before is None else f"after offset {self.offset_before}"
        return (
            f"Lost({_rows(self.row, self.rows)}): nowhere visible, due {place}; "
            f"expected {shorten(self.expected)}; {_sent_by(self.attempts)}"
        )


@dataclass(frozen=True, slots=True)
class Truncated:
    """The last rows are missing: rows that the run reported as done, or all that follow if it ended as done."""

    row: int
    rows: int
    expected: bytes
    last_offset: int | None
    attempts: tuple[int, ...] = ()

    def __str__(self) -> str:
        place = "is empty" if self.last_offset is None else f"ends at offset {self.last_offset}"
        return (
            f"Truncated({_rows(self.row, self.rows)}): what is visible {place}; "
            f"expected next {shorten(self.expected)}; {_sent_by(self.attempts)}"
        )


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Rows are visible once more than the object holds them. Equal rows of the object are counted, not confused."""

    row: int
    rows: int
    first_offset: int
    last_offset: int
    seen: bytes
    attempts: tuple[int, ...] = ()

    def __str__(self) -> str:
        return (
            f"Duplicate({_rows(self.row, self.rows)}): once more at "
            f"{_offsets(self.first_offset, self.last_offset)}; seen {shorten(self.seen)}; {_sent_by(self.attempts)}"
        )


@dataclass(frozen=True, slots=True)
class Reordered:
    """Rows are visible as often as they should be, but not at their place."""

    row: int
    rows: int
    first_offset: int
    last_offset: int
    seen: bytes
    attempts: tuple[int, ...] = ()

    def __str__(self) -> str:
        return (
            f"Reordered({_rows(self.row, self.rows)}): out of place at "
            f"{_offsets(self.first_offset, self.last_offset)}; seen {shorten(self.seen)}; {_sent_by(self.attempts)}"
        )


@dataclass(frozen=True, slots=True)
class Altered:
    """A record stands where a row should stand, but its bytes are no row's bytes."""

    row: int
    offset: int
    expected: bytes
    seen: bytes
    attempts: tuple[int, ...] = ()

    def __str__(self) -> str:
        at = next((i for i, (a, b) in enumerate(zip(self.expected, self.seen, strict=False)) if a != b), None)
        differs = min(len(self.expected), len(self.seen)) if at is None else at
        return (
            f"Altered(row {self.row}): at offset {self.offset}, from byte {differs} on; "
            f"expected {shorten(self.expected)}, seen {shorten(self.seen)}; {_sent_by(self.attempts)}"
        )


@dataclass(frozen=True, slots=True)
class Phantom:
    """Records that are no row of the object and stand for none: a header, a fragment, a stranger's record."""

    first_offset: int
    last_offset: int
    records: int
    seen: bytes

    def __str__(self) -> str:
        return f"Phantom({_offsets(self.first_offset, self.last_offset)}): no row is {shorten(self.seen)}"


@dataclass(frozen=True, slots=True)
class ZombieWrite:
    """A run made rows visible after a run that claimed later had fenced (I4).

    Convicted by step lines, in one of two ways; the clock of a `committed` line alone proves nothing, because a run
    may be stopped between its commit and the line:
    - `by_position`: the older run reports rows as committed that the newer run, which read the position after it
      fenced, resumed below; and no clock shows that the commit came first (then the newer run resumed too low).
    - `by_clock`: the older run's `sent` line of a batch is later than the newer run's `fenced` line, and the older
      run then reports that batch as committed. The commit lies between its two lines, so it came after the fence.
    """

    row: int
    rows: int
    attempt: int
    epoch: int
    fenced_by_attempt: int
    fenced_by_epoch: int
    proof: str

    def __str__(self) -> str:
        return (
            f"ZombieWrite({_rows(self.row, self.rows)}): attempt {self.attempt} (epoch {self.epoch}) committed them "
            f"although attempt {self.fenced_by_attempt} (epoch {self.fenced_by_epoch}) had fenced; {self.proof}"
        )


@dataclass(frozen=True, slots=True)
class AbortedRead:
    """A committed reader saw, while the job ran, a record that the final committed read does not hold there."""

    offset: int
    live: bytes
    final: bytes | None

    def __str__(self) -> str:
        return (
            f"AbortedRead(offset {self.offset}): a live committed reader saw {shorten(self.live)}, "
            f"the final committed read holds {shorten(self.final)}"
        )


@dataclass(frozen=True, slots=True)
class TornTransaction:
    """A transaction took effect in part: some of its rows, or its rows without its position, or the reverse."""

    row: int
    offset: int | None
    detail: str

    def __str__(self) -> str:
        place = "" if self.offset is None else f", offset {self.offset}"
        return f"TornTransaction(row {self.row}{place}): {self.detail}"


@dataclass(frozen=True, slots=True)
class CheckpointAhead:
    """A saved checkpoint counted rows, or an offset, that were not (yet) in the partition (I2)."""

    version: int | None
    last_line: int
    detail: str
    attempt: int | None = None

    def __str__(self) -> str:
        saved = "a save" if self.version is None else f"version {self.version}"
        by = "" if self.attempt is None else f" of attempt {self.attempt}"
        return f"CheckpointAhead({saved}{by}, last_line {self.last_line}): {self.detail}"


@dataclass(frozen=True, slots=True)
class CheckpointRegressed:
    """A later version has a smaller `last_line` or `epoch` than the one before it, or a new owner in an old epoch."""

    version: int
    attribute: str
    before: int
    after: int
    epoch: int | None

    def __str__(self) -> str:
        change = f"{self.attribute} went from {self.before} back to {self.after}"
        return f"CheckpointRegressed(version {self.version}, epoch {self.epoch}): {change}"


@dataclass(frozen=True, slots=True)
class HangingTransaction:
    """The job ended as done, and a transaction is still open: committed readers wait at the last stable offset."""

    last_stable: int
    end: int

    def __str__(self) -> str:
        return f"HangingTransaction(offsets {self.last_stable} to {self.end - 1}): still undecided after the end"


@dataclass(frozen=True, slots=True)
class SilentSuccess:
    """An attempt ended with 0, or the checkpoint says COMPLETED, and that is not so (I5)."""

    attempt: int | None
    detail: str

    def __str__(self) -> str:
        who = "the checkpoint says COMPLETED" if self.attempt is None else f"attempt {self.attempt} ended with 0"
        return f"SilentSuccess: {who}, but {self.detail}"


@dataclass(frozen=True, slots=True)
class Stuck:
    """No attempt ended with 0 within the harness's bound, and none refused for a stated reason."""

    attempts: int
    last_end: str
    visible_rows: int
    expected_rows: int

    def __str__(self) -> str:
        return (
            f"Stuck: {self.attempts} attempts, the last ended with {self.last_end}; "
            f"{self.visible_rows:,} of {self.expected_rows:,} rows visible"
        )


@dataclass(frozen=True, slots=True)
class Vacuous:
    """A planned strike missed, or came before enough rows were sent: the run proves nothing. Makes it unknown."""

    strike: str
    detail: str

    def __str__(self) -> str:
        return f"Vacuous({self.strike}): {self.detail}"


Anomaly = (
    Lost
    | Truncated
    | Duplicate
    | Reordered
    | Altered
    | Phantom
    | ZombieWrite
    | AbortedRead
    | TornTransaction
    | CheckpointAhead
    | CheckpointRegressed
    | HangingTransaction
    | SilentSuccess
    | Stuck
    | Vacuous
)


def instances(anomaly: Anomaly) -> int:
    """How many rows or records the value stands for; this is what a count counts."""
    match anomaly:
        case Lost(rows=rows) | Truncated(rows=rows) | Duplicate(rows=rows) | Reordered(rows=rows):
            return rows
        case Phantom(records=records):
            return records
        case _:
            return 1
