"""The jobs of a checkpoint table as they stand, read without claiming anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from processor.checkpoint_dynamodb import decode, translated
from processor.model import InvalidValue
from processor.ops.status import Job

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class JobsTable:
    """The table. Raises PlaceMissing, AccessDenied, CheckpointUnavailable."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, job_id: str) -> Job | None:
        """Return one job, None if there is none; a consistent read."""
        try:
            answer = self._client.get_item(TableName=self._table, Key={"job_id": {"S": job_id}}, ConsistentRead=True)
        except (ClientError, BotoCoreError, HTTPClientError, ValueError) as error:
            raise translated(error, self._table, needs="dynamodb:GetItem") from error
        return _job(answer["Item"]) if "Item" in answer else None

    def all(self) -> Iterator[Job]:
        """Yield every job, in no order; a page of them at a time."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        try:
            for page in pages:
                yield from map(_job, page["Items"])
        except (ClientError, BotoCoreError, HTTPClientError, ValueError) as error:
            raise translated(error, self._table, needs="dynamodb:Scan") from error


def _job(attributes: Mapping[str, Any]) -> Job:
    job_id = str(attributes["job_id"]["S"])
    try:
        return Job(
            job_id,
            decode(attributes),
            _time(attributes, "updated_at"),
            _time(attributes, "claimed_at"),
            int(attributes["claimed_line"]["N"]) if "claimed_line" in attributes else None,
        )
    except (KeyError, ValueError, InvalidValue) as error:
        return Job(job_id, None, why=f"not a checkpoint of ours: {error!r}")


def _time(attributes: Mapping[str, Any], name: str) -> datetime | None:
    if name not in attributes:
        return None
    time = datetime.fromisoformat(attributes[name]["S"])
    if time.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return time
