"""The checkpoint table in memory, and one run's `ports.Checkpoints` on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from harness.fakes.faults import Faults
from processor.errors import CheckpointUnavailable, Contradiction, PlaceMissing, Superseded
from processor.model import (
    Checkpoint,
    Destination,
    JobStart,
    Lease,
    Pins,
    Position,
    Status,
)

Attributes = dict[str, int | str]
T = TypeVar("T")
REQUEST_ATTEMPTS = 2  # botocore sends a request again when its answer is lost; twice shows all that can come of it
STARTED = {"source", "etag", "version_id", "cluster_id", "topic_id", "partition", "shape", "start_offset"}
NO_CLOCK = "1970-01-01T00:00:00Z"  # a fake has none
CLAIM_ROUNDS = 20  # each is lost only to another run's claim


class FakeCheckpointTable:
    """What DynamoDB holds; it outlives every run and remembers every version of every job.

    Attributes are named as in the real table; a number is an int, a string a str. `versions` has one entry for each
    write, (job_id, attributes), with None for a deletion.
    """

    def __init__(self) -> None:
        self.exists = True
        self.reachable = True
        self.versions: list[tuple[str, Attributes | None]] = []
        self._stored: dict[str, Attributes] = {}

    def get(self, job_id: str) -> Attributes | None:
        """Read consistently."""
        self._check()
        stored = self._stored.get(job_id)
        return None if stored is None else dict(stored)

    def update(
        self, job_id: str, changes: Mapping[str, int | str | None], *, condition: Callable[[Attributes], bool]
    ) -> bool:
        """Set attributes, remove those that are None, if the condition holds; an absent job has no attributes."""
        self._check()
        stored = self._stored.get(job_id, {})
        if not condition(stored):
            return False
        merged = {"job_id": job_id, **stored, **changes}
        self.put(job_id, {name: value for name, value in merged.items() if value is not None})
        return True

    def put(self, job_id: str, attributes: Mapping[str, int | str]) -> None:
        """Write without any condition: a stranger, an operator, a restored backup."""
        self._stored[job_id] = dict(attributes)
        self.versions.append((job_id, dict(attributes)))

    def delete(self, job_id: str) -> None:
        """Remove the job."""
        self._stored.pop(job_id, None)
        self.versions.append((job_id, None))

    def roll_back(self, job_id: str, writes: int = 1) -> None:
        """Put the job back as it was that many writes ago, as a restore of the table does."""
        history = [attributes for changed, attributes in self.versions if changed == job_id]
        before = history[-1 - writes] if writes < len(history) else None
        if before is None:
            self.delete(job_id)
        else:
            self.put(job_id, before)

    def _check(self) -> None:
        if not self.reachable:
            raise _unavailable("the table does not answer")
        if not self.exists:
            raise PlaceMissing("no such table", hint="make the table")


class FakeCheckpoints:
    """One run's view of its job: `ports.Checkpoints`, with the same conditions on each write as the real one."""

    def __init__(self, table: FakeCheckpointTable, *, job_id: str, owner: str, faults: Faults | None = None) -> None:
        self._table = table
        self._job_id = job_id
        self._owner = owner
        self._faults = faults or Faults()
        self._epoch: int | None = None

    def read(self) -> Checkpoint | None:
        """Return the job's checkpoint, None if there is none."""
        return self._call("checkpoints.read", self._read)

    def claim(self) -> Lease:
        """Take the job over with the next epoch."""
        return self._call("checkpoints.claim", self._claim)

    def begin(self, start: JobStart, position: Position, *, next_offset: int | None = None) -> None:
        """Save what the job is pinned to from now on."""
        changes = _begun(start) | ({} if next_offset is None else {"next_offset": next_offset})
        self._call("checkpoints.begin", lambda: self._write(changes | _placed(position)))

    def save(self, position: Position, *, next_offset: int | None) -> None:
        """Save the position of committed rows."""
        changes = _placed(position) | ({} if next_offset is None else {"next_offset": next_offset})
        self._call("checkpoints.save", lambda: self._write(changes))

    def restart(self, start: JobStart, position: Position) -> Lease:
        """Move the job, forwards or back."""
        return self._call("checkpoints.restart", lambda: self._restart(_begun(start) | _placed(position)))

    def finish(self, status: Status, *, rows: int | None = None, error: str | None = None) -> None:
        """Write how the run ended."""
        changes: dict[str, int | str | None] = {"status": status.value}
        if rows is not None:
            changes["rows"] = rows
        if error is not None:
            changes["error"] = error
        self._call("checkpoints.finish", lambda: self._write(changes))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _call(self, name: str, effect: Callable[[], T]) -> T:
        return self._faults.around(name, lambda _: effect(), failure=_unavailable)

    def _request(self, name: str, effect: Callable[[], T]) -> T:
        for _ in range(REQUEST_ATTEMPTS - 1):
            try:
                return self._faults.around(name, lambda _: effect(), failure=_unavailable)
            except CheckpointUnavailable:
                continue
        return self._faults.around(name, lambda _: effect(), failure=_unavailable)

    def _get(self) -> Attributes | None:
        return self._request("table.get_item", lambda: self._table.get(self._job_id))

    def _update(self, changes: Mapping[str, int | str | None], condition: Callable[[Attributes], bool]) -> bool:
        stamped = {**changes, "updated_at": NO_CLOCK}
        return self._request(
            "table.update_item", lambda: self._table.update(self._job_id, stamped, condition=condition)
        )

    def _read(self) -> Checkpoint | None:
        attributes = self._get()
        return None if attributes is None else checkpoint_of(attributes)

    def _claim(self) -> Lease:
        for _ in range(CLAIM_ROUNDS):
            seen = self._read()
            epoch = seen.lease.epoch if seen else None
            changes: dict[str, int | str | None] = {"epoch": (epoch or 0) + 1, "owner": self._owner}
            changes |= {"status": Status.RUNNING.value, "error": None}
            changes |= {"claimed_at": NO_CLOCK, "claimed_line": seen.position.row if seen else 0}
            if seen is None:
                changes |= _placed(Position(0, 0))
            if self._update(changes, partial(_has_epoch, epoch=epoch)):
                self._epoch = (epoch or 0) + 1
                return Lease(self._epoch, self._owner)
            now = self._read()
            if now is not None and now.lease.owner == self._owner:  # applied, but the answer was lost
                self._epoch = now.lease.epoch
                return now.lease
        raise _unavailable("other runs kept claiming the job")

    def _restart(self, changes: Mapping[str, int | str | None]) -> Lease:
        if self._epoch is None:
            raise AssertionError("a write before the claim")
        held = (self._epoch, self._owner)
        lease = Lease(self._epoch + 1, self._owner)
        anew = {**changes, "epoch": lease.epoch, "status": Status.STOPPED.value, "rows": None, "error": None}
        if not self._update(anew, lambda stored: (stored.get("epoch"), stored.get("owner")) == held):
            now = self._read()
            if now is None or now.lease != lease:
                self._explain_refusal(Lease(*held), None)
        self._epoch = lease.epoch
        return lease

    def _write(self, changes: Mapping[str, int | str | None]) -> None:
        if self._epoch is None:
            raise AssertionError("a write before the claim")
        lease = Lease(self._epoch, self._owner)
        if not self._update(changes, partial(_admits, lease=lease, changes=changes)):
            row = changes.get("last_line")
            self._explain_refusal(lease, row if isinstance(row, int) else None)

    def _explain_refusal(self, lease: Lease, row: int | None) -> None:
        now = self._read()
        if now is None:
            raise _unavailable("the item is gone")
        if now.lease.epoch < lease.epoch:
            raise _unavailable(f"the item went back to {now.lease}")
        if now.lease != lease:
            raise Superseded(f"{now.lease} holds the job", hint="leave it to the newer run")
        if row is not None and now.position.row > row:
            raise Contradiction(f"{now.position} is ahead of row {row}", hint="look who else writes the item")
        raise _unavailable("refused for a moment")


def _has_epoch(stored: Attributes, *, epoch: int | None) -> bool:
    """Hold when nobody has claimed since we read: None is for an absent item, not for one without an epoch."""
    return not stored if epoch is None else stored.get("epoch") == epoch


def _admits(stored: Attributes, *, lease: Lease, changes: Mapping[str, int | str | None]) -> bool:
    """Hold when the lease is still ours and the write takes back neither rows nor the job's end."""
    if (stored.get("epoch"), stored.get("owner")) != (lease.epoch, lease.owner):
        return False
    if changes.get("status") in ("STOPPED", "FAILED") and stored.get("status") == "COMPLETED":
        return False
    saved, row = stored.get("last_line"), changes.get("last_line")
    is_begun = "start_offset" in stored or "start_offset" in changes
    if not is_begun and (row is not None or changes.get("status") == "COMPLETED"):
        return False
    return row is None or (isinstance(saved, int) and isinstance(row, int) and saved <= row)


def checkpoint_of(attributes: Attributes) -> Checkpoint:
    """Read the item's attributes. Raises Contradiction when this program cannot have written them."""
    try:
        return Checkpoint(
            lease=Lease(_number(attributes, "epoch"), _text(attributes, "owner")),
            status=Status(_text(attributes, "status")),
            position=Position(*(_number(attributes, name) for name in ("last_line", "byte_offset", "skipped"))),
            start=_start_of(attributes) if STARTED & attributes.keys() else None,
            next_offset=_number(attributes, "next_offset") if "next_offset" in attributes else None,
            rows=_number(attributes, "rows") if "rows" in attributes else None,
            error=_text(attributes, "error") if "error" in attributes else None,
        )
    except (KeyError, TypeError, ValueError) as why:
        raise Contradiction(f"the item is not ours: {why!r}", hint="reset the job or mend the item") from why


def _start_of(attributes: Attributes) -> JobStart:
    place = Destination(
        _text(attributes, "cluster_id"), _text(attributes, "topic_id"), _number(attributes, "partition")
    )
    return JobStart(
        source_url=_text(attributes, "source"),
        pins=Pins(_text(attributes, "etag"), _text(attributes, "version_id") or None),
        shape=_text(attributes, "shape"),
        destination=place,
        start_offset=_number(attributes, "start_offset"),
        start_row=_number(attributes, "start_row") if "start_row" in attributes else 0,
        resets=_number(attributes, "resets") if "resets" in attributes else 0,
    )


def _begun(start: JobStart) -> dict[str, int | str | None]:
    return {
        "source": start.source_url,
        "etag": start.pins.etag,
        "version_id": start.pins.version_id or "",
        "cluster_id": start.destination.cluster_id,
        "topic_id": start.destination.topic_id,
        "partition": start.destination.partition,
        "shape": start.shape,
        "start_offset": start.start_offset,
        "start_row": start.start_row,
        "resets": start.resets,
        "next_offset": max(start.start_offset, 0),
    }


def _placed(position: Position) -> dict[str, int | str | None]:
    return {"last_line": position.row, "byte_offset": position.byte_offset, "skipped": position.skipped}


def _number(attributes: Attributes, name: str) -> int:
    value = attributes[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}")
    return value


def _text(attributes: Attributes, name: str) -> str:
    value = attributes[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}")
    return value


def _unavailable(why: str) -> CheckpointUnavailable:
    return CheckpointUnavailable(why, hint="start again")
