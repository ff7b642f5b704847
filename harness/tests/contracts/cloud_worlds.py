"""The worlds of checkpoint and object on the harness's cloud, through the production clients' own settings."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast
from unittest import mock

from harness.cloud import Cloud
from harness.tests.contracts.checkpoint_worlds import JOB, Attributes, CheckpointWorld
from harness.tests.contracts.object_worlds import ObjectWorld
from processor.aws import aws_client
from processor.checkpoint_dynamodb import CheckpointManager
from processor.ports import Checkpoints, ObjectBytes
from processor.source_s3 import S3Object

KEY = "folder/rows ü.csv"
NOBODY = "http://127.0.0.1:1"  # a port where nothing listens


class DynamoWorld(CheckpointWorld):
    """A job of its own in the cloud's table."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._job_id = f"{JOB}-{uuid.uuid4().hex[:8]}"
        self._key = {"job_id": {"S": self._job_id}}
        self._requests_before = len(cloud.requests)

    def run(self, owner: str) -> Checkpoints:
        return self._run(owner, _client(self._cloud, "dynamodb"))

    def run_that_loses(self, owner: str, *, answer: str) -> tuple[Checkpoints, Callable[[], None]]:
        return self.run(owner), lambda: self._cloud.lose_answer(answer)

    @property
    def answers_lost(self) -> int:
        return sum(request.answer_lost for request in self._cloud.requests[self._requests_before :])

    def run_raced(self, owner: str, *, before: str, nth: int, rival: Callable[[], object]) -> Checkpoints:
        client = _client(self._cloud, "dynamodb")
        seen = 0

        def count(**_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == nth:
                rival()

        client.meta.events.register(f"before-send.dynamodb.{before}", count)
        return self._run(owner, client)

    def unreachable(self) -> Checkpoints:
        return self._run("me", _client(self._cloud, "dynamodb", endpoint=NOBODY))

    def without_table(self) -> Checkpoints:
        client = _client(self._cloud, "dynamodb")
        return CheckpointManager(client, table="no-such-table", job_id=self._job_id, owner="me")

    def stored(self) -> Attributes | None:
        found = self._cloud.dynamodb.get_item(TableName=self._cloud.table, Key=self._key, ConsistentRead=True)
        return _plain(found["Item"]) if "Item" in found else None

    def put(self, attributes: Attributes) -> None:
        typed = {name: {"N": str(v)} if isinstance(v, int) else {"S": v} for name, v in attributes.items()}
        self._cloud.dynamodb.put_item(TableName=self._cloud.table, Item={**typed, **self._key})

    def delete(self) -> None:
        self._cloud.dynamodb.delete_item(TableName=self._cloud.table, Key=self._key)

    def _run(self, owner: str, client: Any) -> Checkpoints:  # boto3 makes its classes at run time
        return CheckpointManager(client, table=self._cloud.table, job_id=self._job_id, owner=owner)


class S3World(ObjectWorld):
    """A bucket of its own, so that it can be versioned or not."""

    def __init__(self, cloud: Cloud, *, versioned: bool) -> None:
        self._cloud = cloud
        self._bucket = f"contract-{uuid.uuid4().hex}"
        self._bytes_asked = 0
        cloud.s3.create_bucket(Bucket=self._bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        if versioned:
            cloud.s3.put_bucket_versioning(Bucket=self._bucket, VersioningConfiguration={"Status": "Enabled"})

    def put(self, body: bytes) -> None:
        self._cloud.s3.put_object(Bucket=self._bucket, Key=KEY, Body=body)

    def delete(self) -> None:
        self._cloud.s3.delete_object(Bucket=self._bucket, Key=KEY)

    def delete_version(self, version_id: str) -> None:
        self._cloud.s3.delete_object(Bucket=self._bucket, Key=KEY, VersionId=version_id)

    def open(self) -> ObjectBytes:
        return self._open(_client(self._cloud, "s3"))

    def open_prefix(self) -> ObjectBytes:
        return S3Object(_client(self._cloud, "s3"), url=f"s3://{self._bucket}/folder/")

    def without_bucket(self) -> ObjectBytes:
        return S3Object(_client(self._cloud, "s3"), url=f"s3://no-such-bucket-{uuid.uuid4().hex}/rows.csv")

    def unreachable(self) -> ObjectBytes:
        return self._open(_client(self._cloud, "s3", endpoint=NOBODY))

    @property
    def bytes_asked(self) -> int:
        return self._bytes_asked

    def _open(self, client: Any) -> ObjectBytes:  # boto3 makes its classes at run time
        def count(parsed: Mapping[str, Any], **_: object) -> None:
            self._bytes_asked += parsed.get("ContentLength", 0)

        client.meta.events.register("after-call.s3.GetObject", count)
        return S3Object(client, url=f"s3://{self._bucket}/{KEY}")


def _client(cloud: Cloud, service: str, *, endpoint: str | None = None) -> Any:  # as above
    environment = cloud.environment() | ({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})
    with mock.patch.dict(os.environ, environment):
        return aws_client(cast("Any", service))


def _plain(typed: Mapping[str, Any]) -> Attributes:
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in typed.items()}
