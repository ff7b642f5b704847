"""The checkpoint: one DynamoDB item for each job, written under conditions, and the lease in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, HTTPClientError

from processor.aws import access_refused, error_code, refusal
from processor.bounded import insisted
from processor.errors import CheckpointUnavailable, Contradiction, PlaceMissing, ProcessorError, Superseded
from processor.model import Checkpoint, Destination, InvalidValue, JobStart, Lease, Pins, Position, Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

# Each round is lost only to another run's claim, so this many means as many runs started at the same moment.
CLAIM_ROUNDS = 20
CUT_AGAIN_S = 2.0
STARTED = frozenset({"source", "etag", "shape", "cluster_id", "topic_id", "start_offset", "next_offset"})


class CheckpointManager:
    """`ports.Checkpoints` on DynamoDB. One object is one run: `owner` is random and never used twice."""

    def __init__(self, client: DynamoDBClient, *, table: str, job_id: str, owner: str) -> None:
        self._client = client
        self._table = table
        self._job_id = job_id
        self._owner = owner
        self._epoch = 0  # nobody's; `claim` sets it

    def read(self) -> Checkpoint | None:
        """Return the checkpoint by a consistent read; see `ports.Checkpoints`."""
        attributes = self._get()
        if attributes is None:
            return None
        try:
            return decode(attributes)
        except (KeyError, ValueError, InvalidValue) as error:
            raise Contradiction(
                f"the item {self._job_id!r} in table {self._table!r} is not a checkpoint of ours: {error!r}",
                hint="give the job another --job-id, or remove the item if it is nobody's",
            ) from error

    def claim(self) -> Lease:
        """Take the job over by compare-and-set; see `ports.Checkpoints`."""
        for _ in range(CLAIM_ROUNDS):
            seen = self.read()
            epoch = seen.lease.epoch if seen else 0
            changes: dict[str, object] = {"epoch": epoch + 1, "owner": self._owner, "status": Status.RUNNING}
            # What a rate can be worked out from, beside `last_line` and `updated_at`.
            changes |= {"claimed_at": _now(), "claimed_line": seen.position.row if seen else 0}
            if seen is None:
                changes |= {"last_line": 0, "byte_offset": 0, "skipped": 0}
            condition = "epoch = :seen" if seen else "attribute_not_exists(job_id)"
            if self._update(changes, condition, {":seen": epoch} if seen else {}, remove=("error",)):
                self._epoch = epoch + 1
                return Lease(self._epoch, self._owner)
            now = self.read()
            if now and now.lease.owner == self._owner:
                # Refused, and yet ours: the request was applied, its answer lost, and botocore sent it once more.
                self._epoch = now.lease.epoch
                return now.lease
        raise CheckpointUnavailable(
            f"{CLAIM_ROUNDS} other runs claimed the job {self._job_id!r} meanwhile", hint="start one run at a time"
        )

    def begin(self, start: JobStart, position: Position, *, next_offset: int | None = None) -> None:
        """Save what the job is pinned to; see `ports.Checkpoints`."""
        self._write(_begun(start, next_offset), position)

    def save(self, position: Position, *, next_offset: int | None) -> None:
        """Save the position of committed rows; see `ports.Checkpoints`."""
        self._write({} if next_offset is None else {"next_offset": next_offset}, position)

    def restart(self, start: JobStart, position: Position) -> Lease:
        """Move the job; see `ports.Checkpoints`. An epoch of its own, within which no checkpoint goes back."""
        lease = Lease(self._epoch + 1, self._owner)
        changes = _begun(start, None) | _placed(position) | {"epoch": lease.epoch, "status": Status.STOPPED}
        values: dict[str, object] = {":mine": self._epoch, ":me": self._owner}
        if not self._update(changes, "epoch = :mine AND #owner = :me", values, remove=("rows", "error")):
            now = self.read()
            if now is None or now.lease != lease:  # else the answer was lost, and the request sent once more
                self._explain_refusal(None)
        self._epoch = lease.epoch
        return lease

    def finish(self, status: Status, *, rows: int | None = None, error: str | None = None) -> None:
        """Write how the run ended; see `ports.Checkpoints`."""
        changes: dict[str, object] = {"status": status}
        if rows is not None:
            changes["rows"] = rows
        if error is not None:
            changes["error"] = error
        self._write(changes, None)

    def _write(self, changes: dict[str, object], position: Position | None) -> None:
        condition = "epoch = :mine AND #owner = :me"
        values: dict[str, object] = {":mine": self._epoch, ":me": self._owner}
        if changes.get("status") in (Status.STOPPED, Status.FAILED):
            # A request of ours that was held up on its way must not take the job's end back.
            condition += " AND #status <> :completed"
            values[":completed"] = Status.COMPLETED
        if position is not None:
            changes |= _placed(position)
            condition += " AND last_line <= :last_line"
        if "start_offset" not in changes and (position is not None or changes.get("status") is Status.COMPLETED):
            # A claim of ours that was sent twice can make a deleted item anew behind our back: it is not begun.
            condition += " AND attribute_exists(start_offset)"
        if not self._update(changes, condition, values):
            self._explain_refusal(position)

    def _explain_refusal(self, position: Position | None) -> None:
        """A refused write: somebody else's lease, or our own that happened although its answer was lost."""
        checkpoint = self.read()
        if checkpoint is None:
            raise CheckpointUnavailable(
                f"the item {self._job_id!r} is gone from table {self._table!r}",
                hint="start the same command again; the position in Kafka is still known",
            )
        if checkpoint.lease.epoch < self._epoch:
            raise CheckpointUnavailable(
                f"the item {self._job_id!r} went back to epoch {checkpoint.lease.epoch}, behind this run's claim",
                hint="start the same command again; the position in Kafka is still known",
            )
        if checkpoint.lease != Lease(self._epoch, self._owner):
            raise Superseded(
                f"epoch {checkpoint.lease.epoch} of job {self._job_id!r} belongs to a newer run",
                hint="nothing to do: that run goes on; this one has stopped",
            )
        if position is not None and checkpoint.position.row > position.row:
            raise Contradiction(
                f"the checkpoint counts {checkpoint.position.row} rows, this run has committed {position.row}",
                hint="did somebody edit the item? compare it with the partition before you go on",
            )
        raise CheckpointUnavailable("the checkpoint was refused for a moment", hint="start the same command again")

    def _get(self) -> Mapping[str, Any] | None:
        try:
            answer = self._ask(
                lambda: self._client.get_item(
                    TableName=self._table, Key={"job_id": {"S": self._job_id}}, ConsistentRead=True
                )
            )
        except (ClientError, BotoCoreError, HTTPClientError, ValueError) as error:
            raise translated(error, self._table, needs="dynamodb:GetItem") from error
        return answer.get("Item")

    def _update(
        self, changes: Mapping[str, object], condition: str, values: Mapping[str, object], remove: tuple[str, ...] = ()
    ) -> bool:
        """Set attributes under a condition; return whether it held. Names go by placeholders: many are reserved."""
        changes = {**changes, "updated_at": _now()}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes)
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        names = {f"#{name}": name for name in (*changes, *remove, *(("owner",) if "#owner" in condition else ()))}
        bound = {f":{name}": changes[name] for name in changes} | dict(values)
        try:
            self._ask(
                lambda: self._client.update_item(
                    TableName=self._table,
                    Key={"job_id": {"S": self._job_id}},
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={name: _attribute(value) for name, value in bound.items()},
                )
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise translated(error, self._table, needs="dynamodb:UpdateItem") from error
        except (BotoCoreError, HTTPClientError, ValueError) as error:
            raise translated(error, self._table, needs="dynamodb:UpdateItem") from error
        return True

    def _ask(self, request: Callable[[], T]) -> T:
        """Send a request again whose answer was cut; botocore itself does so for an answer that never began."""
        return insisted(request, passing=lambda error: isinstance(error, ConnectionClosedError), timeout_s=CUT_AGAIN_S)


def translated(error: Exception, table: str, *, needs: str) -> ProcessorError:
    """Say in our own words what DynamoDB or the way to it said; `needs` is the permission of the request."""
    if access_refused(error):
        return refusal(error, f"table {table!r}", needs=needs)
    if isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException":
        return PlaceMissing(
            f"there is no table {table!r}", hint="check --checkpoint-table and the region; its key is job_id"
        )
    if isinstance(error, ClientError) and error_code(error) == "ValidationException":
        return PlaceMissing(
            f"table {table!r} does not take our items: {error}", hint="its only key must be job_id (string)"
        )
    return CheckpointUnavailable(f"table {table!r}: {error}", hint="start the same command again")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _begun(start: JobStart, next_offset: int | None) -> dict[str, object]:
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
        "next_offset": max(start.start_offset, 0) if next_offset is None else next_offset,
    }


def _placed(position: Position) -> dict[str, object]:
    return {"last_line": position.row, "byte_offset": position.byte_offset, "skipped": position.skipped}


def _attribute(value: object) -> Any:
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def decode(attributes: Mapping[str, Any]) -> Checkpoint:
    """Turn the item into a value that checks itself. Raises KeyError or ValueError where it is not ours."""

    def number(name: str) -> int:
        return int(attributes[name]["N"])

    def text(name: str) -> str:
        return str(attributes[name]["S"])

    start = None
    if STARTED & attributes.keys():  # all of them or none: half of them is not ours
        start = JobStart(
            text("source"),
            Pins(text("etag"), text("version_id") or None),
            text("shape"),
            Destination(text("cluster_id"), text("topic_id"), number("partition")),
            number("start_offset"),
            number("start_row") if "start_row" in attributes else 0,  # not in items of version 0.1.0
            number("resets") if "resets" in attributes else 0,
        )
    return Checkpoint(
        Lease(number("epoch"), text("owner")),
        Status(text("status")),
        Position(number("last_line"), number("byte_offset"), number("skipped")),
        start,
        number("next_offset") if start else None,
        number("rows") if "rows" in attributes else None,
        text("error") if "error" in attributes else None,
    )
