"""What happened, as frozen values: everything the judge is given, and how it is kept in a folder.

A folder holds `evidence.json` and one `.jsonl` file per sequence. A record's bytes are kept as text where they are
UTF-8, else as base64, so that a person can read the folder and nothing is changed by the way.
"""

import base64
import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import lt
from pathlib import Path
from typing import Any, Final

EXACTLY_ONCE: Final = "exactly-once"
AT_LEAST_ONCE: Final = "at-least-once"


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka message as a reader saw it."""

    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Records:
    """What one reader saw, in the order it saw it. Kept in two columns: a million records cost few objects."""

    offsets: "array[int]"  # a string: array cannot be subscripted before Python 3.12
    values: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple) or len(self.offsets) != len(self.values):
            kind = type(self.values).__name__
            raise ValueError(f"{len(self.offsets)} offsets for {len(self.values)} values in a {kind}")

    @classmethod
    def of(cls, records: Iterable[Record | tuple[int, bytes]]) -> "Records":
        """From records, or pairs of offset and value."""
        offsets, values = array("q"), list[bytes]()
        for record in records:
            offset, value = (record.offset, record.value) if isinstance(record, Record) else record
            offsets.append(offset)
            values.append(value)
        return cls(offsets, tuple(values))

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Record]:
        return map(Record, self.offsets, self.values)

    def since(self, offset: int) -> "Records":
        """The records at `offset` and later; needs ascending offsets."""
        first = bisect_left(self.offsets, offset)
        return self if first == 0 else Records(self.offsets[first:], self.values[first:])

    def ascending(self) -> bool:
        """True if every offset is greater than the one before it."""
        return all(map(lt, self.offsets, islice(self.offsets, 1, None)))


@dataclass(frozen=True, slots=True)
class Step:
    """One step line of a run, as it was parsed. Lines are written just after their effect.

    `row` is the position after the step (the next row); `rows` of `sent` and `committed` is the size of the batch.
    """

    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Which step: `claimed`, `fenced`, `sent` and so on."""
        return str(self.fields.get("step", ""))

    @property
    def at_s(self) -> float | None:
        """The line's clock in seconds, from a number or an ISO 8601 text; None if it has none."""
        ts = self.fields.get("ts")
        if isinstance(ts, int | float):
            return float(ts)
        return datetime.fromisoformat(ts).timestamp() if isinstance(ts, str) else None

    @property
    def epoch(self) -> int | None:
        """The epoch that the run had claimed."""
        return _whole(self.fields, "epoch")

    @property
    def next_row(self) -> int | None:
        """The position after the step, counted in rows that become records: skipped rows are taken off."""
        row = _whole(self.fields, "row")
        return None if row is None else row - (_whole(self.fields, "skipped") or 0)

    @property
    def rows(self) -> int | None:
        """The size of the batch."""
        return _whole(self.fields, "rows")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process of the target, from its start to its end: an exit code, or the signal that killed it."""

    number: int
    exit_code: int | None
    signal: int | None
    steps: tuple[Step, ...] = ()

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        return f"signal {self.signal}" if self.signal is not None else f"exit code {self.exit_code}"

    @property
    def epoch(self) -> int | None:
        """The epoch that the run claimed, as far as its step lines tell."""
        return max((epoch for step in self.steps if (epoch := step.epoch) is not None), default=None)


@dataclass(frozen=True, slots=True)
class Strike:
    """One planned fault, whether it landed, and how much was going on when it did.

    `rows_sent` were sent by the job before it; `rows_in_flight` of them were not yet committed. A strike that came
    before `rows_wanted` rows were sent proves nothing.
    """

    name: str
    planned: str
    landed: bool
    attempt: int | None = None
    rows_sent: int = 0
    rows_in_flight: int = 0
    rows_wanted: int = 0


@dataclass(frozen=True, slots=True)
class CheckpointVersion:
    """One version of the checkpoint item, in the order of the writes. `attributes` is None where it was deleted.

    `planted` marks what a nemesis wrote (lost, rolled back, ahead): it is judged by nobody, and what follows is
    compared with it.
    """

    number: int
    attributes: Mapping[str, str | int] | None
    planted: bool = False

    def count(self, attribute: str) -> int | None:
        """A numeric attribute, or None where the version does not have it."""
        return None if self.attributes is None else _whole(self.attributes, attribute)

    @property
    def good_rows(self) -> int | None:
        """`last_line` without the skipped rows: how many records the checkpoint counts as done."""
        last_line = self.count("last_line")
        return None if last_line is None else last_line - (self.count("skipped") or 0)

    @property
    def completed(self) -> bool:
        """True if it says that the job is done."""
        return self.attributes is not None and self.attributes.get("status") == "COMPLETED"


@dataclass(frozen=True, slots=True)
class GroupOffset:
    """The position as Kafka holds it: the group's offset on the partition (the next row) and its metadata."""

    offset: int
    metadata: str = ""

    @property
    def good_rows(self) -> int:
        """The position without the skipped rows that the metadata counts."""
        try:
            position = json.loads(self.metadata)
        except ValueError:
            return self.offset
        return self.offset - ((_whole(position, "skipped") or 0) if isinstance(position, dict) else 0)


@dataclass(frozen=True, slots=True)
class PartitionEnd:
    """The partition's offsets after the last attempt: log start, last stable offset, and log end."""

    start: int
    last_stable: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the judge looks at. What was not watched is None or empty, and the checks that need it stay silent.

    `expected` are the records of the good rows, `bad_rows` is the number of the others, which a policy skips.
    `first_offset` is where the partition ended before the first attempt, as the harness saw it: what lies before is
    somebody else's. `expected_exit` is how the job has to end: 0, or the refusal that a strike must lead to.
    `lost_commits`: the broker says in its log that it gave up the markers of a commit. Then a checkpoint that counted
    its rows was right when it was saved, and the rows may come later, at other offsets.
    """

    expected: tuple[bytes, ...]
    delivery: str
    committed: Records
    partition: PartitionEnd
    uncommitted: Records | None = None
    live: Records | None = None
    position: GroupOffset | None = None
    checkpoints: tuple[CheckpointVersion, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    strikes: tuple[Strike, ...] = ()
    first_offset: int = 0
    expected_exit: int = 0
    bad_rows: int = 0
    lost_commits: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.expected, tuple):
            raise TypeError(f"expected is a {type(self.expected).__name__}, not a tuple")
        if self.delivery not in (EXACTLY_ONCE, AT_LEAST_ONCE):
            raise ValueError(f"delivery is {self.delivery!r}, not {EXACTLY_ONCE!r} or {AT_LEAST_ONCE!r}")
        for name, read in (("committed", self.committed), ("uncommitted", self.uncommitted)):
            if read is not None and not read.ascending():
                raise ValueError(f"the final {name} read does not ascend: it was not read once from start to end")

    def save(self, folder: Path) -> None:
        """Write everything into `folder`, which is made if need be; a saved run can be loaded and judged again."""
        folder.mkdir(parents=True, exist_ok=True)
        _write_lines(folder / "expected.jsonl", ((0, value) for value in self.expected))
        for name in ("committed", "uncommitted", "live"):
            (folder / f"{name}.jsonl").unlink(missing_ok=True)
            read: Records | None = getattr(self, name)
            if read is not None:
                _write_lines(folder / f"{name}.jsonl", zip(read.offsets, read.values, strict=True))
        rest = {
            "delivery": self.delivery,
            "first_offset": self.first_offset,
            "expected_exit": self.expected_exit,
            "bad_rows": self.bad_rows,
            "lost_commits": self.lost_commits,
            "partition": _fields(self.partition),
            "position": None if self.position is None else _fields(self.position),
            "checkpoints": [_fields(version) for version in self.checkpoints],
            "attempts": [_fields(a) | {"steps": [dict(step.fields) for step in a.steps]} for a in self.attempts],
            "strikes": [_fields(strike) for strike in self.strikes],
        }
        (folder / "evidence.json").write_text(json.dumps(rest, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Evidence":
        """What `save` wrote; a folder that lacks a file of it raises FileNotFoundError."""
        rest = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
        reads = {
            name: Records.of(_read_lines(folder / f"{name}.jsonl"))
            for name in ("committed", "uncommitted", "live")
            if name == "committed" or (folder / f"{name}.jsonl").exists()
        }
        return cls(
            expected=tuple(value for _, value in _read_lines(folder / "expected.jsonl")),
            delivery=rest["delivery"],
            committed=reads["committed"],
            partition=PartitionEnd(**rest["partition"]),
            uncommitted=reads.get("uncommitted"),
            live=reads.get("live"),
            position=None if rest["position"] is None else GroupOffset(**rest["position"]),
            checkpoints=tuple(CheckpointVersion(**version) for version in rest["checkpoints"]),
            attempts=tuple(Attempt(**(a | {"steps": tuple(map(Step, a["steps"]))})) for a in rest["attempts"]),
            strikes=tuple(Strike(**strike) for strike in rest["strikes"]),
            first_offset=rest["first_offset"],
            expected_exit=rest["expected_exit"],
            bad_rows=rest.get("bad_rows", 0),  # not in evidence of earlier days, nor is the next one
            lost_commits=rest.get("lost_commits", False),
        )


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return None if value is None else int(value)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _write_lines(path: Path, records: Iterable[tuple[int, bytes]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        for offset, value in records:
            try:
                line: dict[str, Any] = {"offset": offset, "value": value.decode("utf-8")}
            except UnicodeDecodeError:
                line = {"offset": offset, "base64": base64.b64encode(value).decode("ascii")}
            lines.write(json.dumps(line) + "\n")


def _read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open(encoding="utf-8", newline="\n") as lines:
        for text in lines:
            line = json.loads(text)
            encoded = line.get("base64")
            value = line["value"].encode("utf-8") if encoded is None else base64.b64decode(encoded)
            yield line["offset"], value
