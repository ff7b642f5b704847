"""The object server speaks S3 as far as a reader of one object needs it, and the processor's source reads it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from benchmarks.made_csv import Cursor, MadeCsv
from benchmarks.object_server import ObjectServer
from harness.cloud import Cloud
from processor.assembly import build_checkpoints, build_source
from processor.errors import SourceChanged
from processor.model import Pins, Position
from processor.settings import Settings, load

KEY = "quotes100-30000.csv"


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with ObjectServer() as opened:
        yield opened


@pytest.fixture(scope="module")
def s3(server: ObjectServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="eu-central-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_ranges_at_random_are_slices_of_the_whole(s3: Any) -> None:
    made = MadeCsv.of_key(KEY)
    body = s3.get_object(Bucket="any", Key=KEY)["Body"].read()
    assert body == b"".join(map(bytes, Cursor(made).spans(0, made.size_bytes)))
    random = Random(2)
    for _ in range(50):
        first = random.randrange(made.size_bytes)
        last = random.randrange(first, made.size_bytes + 1_000)  # past the end too
        answer = s3.get_object(Bucket="any", Key=KEY, Range=f"bytes={first}-{last}", IfMatch=made.etag)
        end = min(last + 1, made.size_bytes)
        assert answer["ContentRange"] == f"bytes {first}-{end - 1}/{made.size_bytes}"
        assert answer["ETag"] == made.etag
        assert answer["Body"].read() == body[first:end]


def test_open_and_last_ranges(s3: Any) -> None:
    made = MadeCsv.of_key(KEY)
    from_there = s3.get_object(Bucket="any", Key=KEY, Range=f"bytes={made.size_bytes - 100}-")["Body"].read()
    assert from_there == made.line(made.rows - 1)
    assert s3.get_object(Bucket="any", Key=KEY, Range="bytes=-100")["Body"].read() == from_there


def test_head_tells_size_and_etag(s3: Any) -> None:
    made = MadeCsv.of_key("rows10000-10GB.csv")
    head = s3.head_object(Bucket="any", Key="rows10000-10GB.csv")
    assert (head["ContentLength"], head["ETag"]) == (made.size_bytes, made.etag)


def test_range_past_the_end_is_refused(s3: Any) -> None:
    size_bytes = MadeCsv.of_key(KEY).size_bytes
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="any", Key=KEY, Range=f"bytes={size_bytes}-")
    assert code_of(refused) == "InvalidRange"


def test_another_etag_is_refused(s3: Any) -> None:
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="any", Key=KEY, Range="bytes=0-9", IfMatch='"another"')
    assert code_of(refused) == "PreconditionFailed"


def test_unknown_key_is_not_there(s3: Any) -> None:
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="any", Key="rows.csv")
    assert code_of(refused) == "NoSuchKey"
    with pytest.raises(ClientError) as refused:
        s3.head_object(Bucket="any", Key="rows.csv")
    assert code_of(refused) == "404"


@pytest.fixture
def both(server: ObjectServer, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a run whose DynamoDB is moto and whose S3 is the object server."""
    environment = {**cloud.environment(), **server.environment()}
    for name, setting in environment.items():
        monkeypatch.setenv(name, setting)
    return environment


def settings_for(environment: dict[str, str], key: str) -> Settings:
    run = {"CSV_SOURCE": f"s3://any/{key}", "KAFKA_TOPIC": "rows", "KAFKA_BOOTSTRAP_SERVERS": "unused:9092"}
    return load({}, {**environment, **run})


@pytest.mark.parametrize("key", ["rows100-30000.csv", "quotes1000-3000.csv", "multibyte100-30000.csv"])
def test_the_source_reads_the_rows_that_were_made(both: dict[str, str], key: str) -> None:
    made = MadeCsv.of_key(key)
    source = build_source(settings_for(both, key))
    described = source.describe(None)
    assert (described.pins.etag, described.size_bytes) == (made.etag, made.size_bytes)
    found = [value for batch in source.batches(Position(0, described.first_row_byte)) for value in batch.values]
    assert found == [made.value(row) for row in range(made.rows)]
    start = made.rows - 7
    rest = list(source.batches(Position(start, made.place(start)[0])))
    assert [value for batch in rest for value in batch.values] == found[start:]


def test_a_missing_object_is_named_as_missing(both: dict[str, str]) -> None:
    with pytest.raises(SourceChanged, match="not there"):
        build_source(settings_for(both, "rows.csv")).describe(Pins('"any"'))


def test_checkpoints_stay_where_the_general_endpoint_says(both: dict[str, str], cloud: Cloud) -> None:
    build_checkpoints(settings_for(both, KEY)).claim()
    assert [request.operation for request in cloud.requests if request.operation == "UpdateItem"]
