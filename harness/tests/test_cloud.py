"""The cloud remembers everything, serves one request at a time, and misbehaves exactly as planned."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError, IncompleteReadError

from harness.cloud import Cloud

Attributes = dict[str, dict[str, str]]


def put(cloud: Cloud, job_id: str, **numbers: int) -> None:
    attributes: Attributes = {"job_id": {"S": job_id}, **{name: {"N": str(n)} for name, n in numbers.items()}}
    cloud.dynamodb.put_item(TableName=cloud.table, Item=attributes)


def add_one(client: Any, table: str, job_id: str) -> None:
    client.update_item(
        TableName=table,
        Key={"job_id": {"S": job_id}},
        UpdateExpression="ADD epoch :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


def retrying_dynamodb(cloud: Cloud) -> Any:
    """As the processor's: botocore tries again by itself."""
    return boto3.client(
        "dynamodb",
        endpoint_url=cloud.environment()["AWS_ENDPOINT_URL"],
        region_name=cloud.environment()["AWS_REGION"],
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )


def epochs(cloud: Cloud, job_id: str) -> list[int]:
    return [version["epoch"] for version in cloud.checkpoint_versions(job_id)]


def test_every_version_of_an_item_is_remembered_in_order(cloud: Cloud) -> None:
    put(cloud, "job", epoch=1)
    add_one(cloud.dynamodb, cloud.table, "job")
    put(cloud, "other", epoch=7)
    cloud.dynamodb.delete_item(TableName=cloud.table, Key={"job_id": {"S": "job"}})
    assert cloud.checkpoint_versions("job") == [{"job_id": "job", "epoch": 1}, {"job_id": "job", "epoch": 2}, {}]
    assert epochs(cloud, "other") == [7]
    assert cloud.checkpoint_versions("never written") == []


def test_refused_condition_makes_no_version(cloud: Cloud) -> None:
    put(cloud, "job", epoch=1)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        cloud.dynamodb.put_item(
            TableName=cloud.table,
            Item={"job_id": {"S": "job"}, "epoch": {"N": "9"}},
            ConditionExpression="attribute_not_exists(job_id)",
        )
    assert epochs(cloud, "job") == [1]


def test_requests_are_served_one_at_a_time(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    application, inside, most = cloud._application, [], []

    def slow(environ: Any, start_response: Any) -> Any:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.02)
        inside.pop()
        return application(environ, start_response)

    monkeypatch.setattr(cloud, "_application", slow)
    threads = [threading.Thread(target=put, args=(cloud, f"job-{n}"), kwargs={"epoch": 1}) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_of_racing_conditional_writes_one_wins(cloud: Cloud) -> None:
    put(cloud, "job", epoch=0)
    won = []

    def claim(owner: int) -> None:
        try:
            cloud.dynamodb.put_item(
                TableName=cloud.table,
                Item={"job_id": {"S": "job"}, "epoch": {"N": "1"}, "owner": {"N": str(owner)}},
                ConditionExpression="epoch = :seen",
                ExpressionAttributeValues={":seen": {"N": "0"}},
            )
        except ClientError:
            return
        won.append(owner)

    threads = [threading.Thread(target=claim, args=(owner,)) for owner in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert [version.get("owner") for version in cloud.checkpoint_versions("job")] == [None, won[0]]


def test_requests_tell_what_was_asked_and_what_was_answered(cloud: Cloud) -> None:
    cloud.upload("folder/rows.csv", b"0123456789")
    etag = cloud.s3.head_object(Bucket=cloud.bucket, Key="folder/rows.csv")["ETag"]
    cloud.s3.get_object(Bucket=cloud.bucket, Key="folder/rows.csv", Range="bytes=4-", IfMatch=etag)["Body"].read()
    put(cloud, "job", epoch=1)
    upload, head, get, write = cloud.requests[-4:]
    assert (upload.service, upload.operation, upload.path) == ("s3", "PutObject", f"/{cloud.bucket}/folder/rows.csv")
    assert head.operation == "HeadObject"
    assert (get.operation, get.range_header, get.if_match) == ("GetObject", "bytes=4-", etag)
    assert (get.status, get.answer_bytes) == (206, 6)
    assert (write.service, write.operation, write.status) == ("dynamodb", "PutItem", 200)


def test_lost_answer_leaves_the_effect(cloud: Cloud) -> None:
    put(cloud, "job", epoch=1)
    cloud.lose_answer("UpdateItem")
    with pytest.raises(HTTPClientError):
        add_one(cloud.dynamodb, cloud.table, "job")
    assert epochs(cloud, "job") == [1, 2]
    assert cloud.requests[-1].answer_lost
    add_one(cloud.dynamodb, cloud.table, "job")
    assert epochs(cloud, "job") == [1, 2, 3]


def test_client_that_retries_a_lost_answer_counts_twice(cloud: Cloud) -> None:
    """Why a claim is a compare-and-set with an owner."""
    put(cloud, "job", epoch=1)
    cloud.lose_answer("UpdateItem")
    add_one(retrying_dynamodb(cloud), cloud.table, "job")
    assert epochs(cloud, "job") == [1, 2, 3]


def test_stream_is_cut_after_the_bytes_planned(cloud: Cloud) -> None:
    cloud.upload("rows.csv", bytes(range(256)) * 1000)
    cloud.lose_answer("GetObject", after_bytes=1000)
    answer = cloud.s3.get_object(Bucket=cloud.bucket, Key="rows.csv")
    assert answer["ContentLength"] == 256_000
    got = answer["Body"].read(1000)
    assert got == (bytes(range(256)) * 4)[:1000]
    with pytest.raises((IncompleteReadError, HTTPClientError, ConnectionError)):
        answer["Body"].read()
    assert len(cloud.s3.get_object(Bucket=cloud.bucket, Key="rows.csv")["Body"].read()) == 256_000


def test_planned_error_has_no_effect_and_its_own_code(cloud: Cloud) -> None:
    put(cloud, "job", epoch=1)
    cloud.fail("UpdateItem", status=400, code="ProvisionedThroughputExceededException", times=2)
    for _ in range(2):
        with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
            add_one(cloud.dynamodb, cloud.table, "job")
    assert epochs(cloud, "job") == [1]
    add_one(cloud.dynamodb, cloud.table, "job")
    assert epochs(cloud, "job") == [1, 2]


def test_planned_error_speaks_the_xml_of_s3(cloud: Cloud) -> None:
    cloud.upload("rows.csv", b"x")
    cloud.fail("GetObject", status=503, code="SlowDown")
    with pytest.raises(ClientError) as refused:
        cloud.s3.get_object(Bucket=cloud.bucket, Key="rows.csv")
    assert refused.value.response["Error"]["Code"] == "SlowDown"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_endless_fault_ends_when_it_is_cleared(cloud: Cloud) -> None:
    cloud.fail("PutItem", status=500, code="InternalServerError", times=math.inf)
    for _ in range(5):
        with pytest.raises(ClientError):
            put(cloud, "job", epoch=1)
    cloud.clear_faults()
    put(cloud, "job", epoch=1)
    assert epochs(cloud, "job") == [1]


def test_fault_of_one_operation_spares_the_others(cloud: Cloud) -> None:
    cloud.fail("UpdateItem", status=500, code="InternalServerError")
    put(cloud, "job", epoch=1)
    assert cloud.dynamodb.get_item(TableName=cloud.table, Key={"job_id": {"S": "job"}})["Item"]["epoch"] == {"N": "1"}


def test_faults_are_used_up_in_the_order_they_were_planned(cloud: Cloud) -> None:
    cloud.fail("PutItem", status=500, code="First")
    cloud.fail("PutItem", status=500, code="Second")
    for code in ("First", "Second"):
        with pytest.raises(ClientError, match=code):
            put(cloud, "job", epoch=1)


def test_two_clouds_of_one_process_know_nothing_of_each_other(cloud: Cloud) -> None:
    put(cloud, "job", epoch=1)
    with Cloud() as second:
        assert second.checkpoint_versions("job") == []
        put(second, "job", epoch=5)
        assert second.dynamodb.scan(TableName=second.table)["Count"] == 1
    put(cloud, "job", epoch=2)
    assert epochs(cloud, "job") == [1, 2]


def test_new_cloud_finds_nothing_of_an_earlier_one_where_no_other_is_open() -> None:
    program = (  # in a process of its own: other tests may have a cloud open
        "from harness.cloud import Cloud\n"
        "with Cloud(bucket='again') as first:\n"
        "    first.upload('rows.csv', b'x')\n"
        "    assert 'Contents' in first.s3.list_objects_v2(Bucket='again')\n"
        "with Cloud(bucket='again') as second:\n"
        "    assert 'Contents' not in second.s3.list_objects_v2(Bucket='again')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_closed_cloud_answers_nobody() -> None:
    with Cloud() as closed:
        client = closed.dynamodb
    with pytest.raises(EndpointConnectionError):
        client.list_tables()


def test_another_process_finds_the_cloud_by_its_environment(cloud: Cloud) -> None:
    cloud.upload("rows.csv", b"a,b\n")
    program = (
        "import boto3, json, os\n"
        f"body = boto3.client('s3').get_object(Bucket='{cloud.bucket}', Key='rows.csv')['Body'].read()\n"
        "table = boto3.resource('dynamodb').Table(os.environ['CHECKPOINT_TABLE'])\n"
        "table.put_item(Item={'job_id': 'job', 'epoch': 3})\n"
        "print(json.dumps(body.decode()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=cloud.environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == "a,b\n"
    assert epochs(cloud, "job") == [3]
