"""Bad input, wrong places and missing rights: one line with a hint, the documented exit code, and nothing sent."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from chaos.tests.conftest import PROCESSOR, Start
from harness.broker import Broker
from harness.broker.jvm import JvmBroker
from harness.cloud import Cloud
from harness.partition import group_offset, offsets
from harness.target import Target
from harness.world import World

pytestmark = pytest.mark.broker
CSV = b"a,b\n1,2\n3,4\n"
CLIENTS = ["kafka-python", "confluent"]


def nothing(world: World) -> None:
    """Leave the world as it is."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, how the run must end, and a word of the line that says so. `csv` None uploads nothing."""

    code: int
    says: str
    csv: bytes | None = CSV
    settings: Mapping[str, str] = field(default_factory=dict)
    spoil: Callable[[World], None] = nothing


def denied(operation: str, code: str) -> Callable[[World], None]:
    return lambda world: world.cloud.fail(operation, status=403, code=code, times=math.inf)


MISTAKES = {
    "no such bucket": Mistake(2, "no bucket 'nowhere'", settings={"CSV_SOURCE": "s3://nowhere/rows.csv"}),
    "no such key": Mistake(3, "is not there", csv=None),
    "a prefix with a slash": Mistake(2, "is a prefix", settings={"CSV_SOURCE": "s3://bucket/folder/"}),
    "no URL": Mistake(2, "is not s3://bucket/key", settings={"CSV_SOURCE": "/tmp/rows.csv"}),
    "no such table": Mistake(2, "no table 'nowhere'", settings={"CHECKPOINT_TABLE": "nowhere"}),
    "no such topic": Mistake(2, "no topic 'nowhere'", settings={"KAFKA_TOPIC": "nowhere"}),
    "no such partition": Mistake(2, "there is no 7", settings={"KAFKA_PARTITION": "7"}),
    "nobody at the broker's address": Mistake(75, "127.0.0.1:1", settings={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}),
    "no address": Mistake(2, "is not host:port", settings={"KAFKA_BOOTSTRAP_SERVERS": "localhost"}),
    "nobody at the endpoint": Mistake(75, "start the same", settings={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
    "no credentials": Mistake(
        2, "credentials", settings={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent"}
    ),
    "no region": Mistake(
        2, "AWS_REGION", settings={"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "HOME": "/nonexistent"}
    ),
    "S3 refuses": Mistake(2, "s3:GetObject", spoil=denied("HeadObject", "403")),
    "DynamoDB refuses to read": Mistake(2, "dynamodb:GetItem", spoil=denied("GetItem", "AccessDeniedException")),
    "DynamoDB refuses to write": Mistake(2, "dynamodb:UpdateItem", spoil=denied("UpdateItem", "AccessDeniedException")),
    "an interval of 0": Mistake(2, "1 or more", settings={"CHECKPOINT_INTERVAL": "0"}),
    "no topic for bad rows is named": Mistake(2, "DEAD_LETTER_TOPIC", settings={"ON_BAD_ROW": "dead-letter"}),
    "no such topic for bad rows": Mistake(
        2, "'nowhere' for bad rows", settings={"ON_BAD_ROW": "dead-letter", "DEAD_LETTER_TOPIC": "nowhere"}
    ),
    "an unknown format": Mistake(2, "VALUE_FORMAT", settings={"VALUE_FORMAT": "avro"}),
    "a gzip file that was cut": Mistake(2, "ends within its gzip stream", csv=gzip.compress(CSV)[:12]),
    "a gzip file with a wrong checksum": Mistake(2, "gzip stream is broken", csv=gzip.compress(CSV)[:-8] + bytes(8)),
    "a zstd file of nothing": Mistake(2, "zstd stream", csv=b"\x28\xb5\x2f\xfd\0\0\0"),
    "UTF-16": Mistake(2, "UTF-16", csv=CSV.decode().encode("utf-16")),
    "one sign for two things": Mistake(2, "are the same", settings={"CSV_DELIMITER": ";", "CSV_COMMENT": ";"}),
    "a delimiter of two characters": Mistake(2, "one ASCII character", settings={"CSV_DELIMITER": "||"}),
    "an unknown encoding": Mistake(2, "utf-8, latin-1, cp1252", settings={"CSV_ENCODING": "ebcdic"}),
    "a column named twice": Mistake(2, "CSV_COLUMNS", settings={"CSV_COLUMNS": "a,a"}),
    "fewer columns than there are": Mistake(5, "cells where the header has 1", settings={"CSV_COLUMNS": "a"}),
    "another delimiter": Mistake(5, "cells where the header has", settings={"CSV_DELIMITER": "2"}),
    "a byte that cp1252 has not": Mistake(5, "not CP1252", csv=b"a,b\n1,\x81\n", settings={"CSV_ENCODING": "cp1252"}),
    "Latin-1 taken for UTF-8": Mistake(5, "not UTF-8", csv="a,b\n1,é\n".encode("latin-1")),
    "two headers of one name": Mistake(5, "'a' stands twice", csv=b"a,b,a\n1,2,3\n"),
    "a header without a name": Mistake(5, "column 2 has no name", csv=b"a,,c\n1,2,3\n"),
    "a quote that never closes": Mistake(5, "row 0, bytes 4 to 9", csv=b'a,b\n"1,2\n3'),
    "a ragged first row": Mistake(5, "3 cells where the header has 2", csv=b"a,b\n1,2,3\n"),
    "text after a quote": Mistake(5, "row 0", csv=b'a,b\n"1"x,2\n'),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_one_line_and_its_exit_code_and_nothing_is_sent(
    world: World, topic: str, start: Start, mistake: Mistake, client: str
) -> None:
    mistake.spoil(world)
    run = start(mistake.csv, KAFKA_CLIENT=client, **mistake.settings)
    end = run.wait(within_s=90)
    assert end.exit_code == mistake.code, run.stderr
    assert run.stderr.startswith("csv-to-kafka: "), run.stderr
    assert run.stderr.count("\n") == 1, run.stderr
    assert mistake.says in run.stderr
    assert run.stderr.endswith(")\n"), "there is no hint"
    assert offsets(world.broker.bootstrap_servers, topic).end == 0


@pytest.mark.parametrize("client", CLIENTS)
def test_a_prefix_without_a_slash_is_named_as_one(world: World, start: Start, client: str) -> None:
    world.upload("folder/rows.csv", CSV)
    run = start(None, key="folder", KAFKA_CLIENT=client)
    assert run.wait(within_s=60).exit_code == 2
    assert "is a prefix" in run.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_a_compacted_topic_is_refused(world: World, start: Start, client: str) -> None:
    compacted = world.create_topic(configs={"cleanup.policy": "compact"})
    run = start(CSV, KAFKA_TOPIC=compacted, KAFKA_CLIENT=client)
    assert run.wait(within_s=60).exit_code == 2
    assert "cleanup.policy=compact" in run.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_a_record_that_the_topic_does_not_take_is_named_by_its_row(world: World, start: Start, client: str) -> None:
    narrow = world.create_topic(configs={"max.message.bytes": "2000"})
    run = start(b"a\nshort\n" + b"x" * 5000 + b"\n", KAFKA_TOPIC=narrow, KAFKA_CLIENT=client)
    assert run.wait(within_s=60).exit_code == 2
    assert "row 1 makes a record of 5008 bytes" in run.stderr
    assert offsets(world.broker.bootstrap_servers, narrow).end == 0


@pytest.mark.parametrize("csv", [b"", b"\xef\xbb\xbf", b"\n\n", b"a,b", b"a,b\n\n"], ids=repr)
def test_an_object_without_rows_ends_with_0_and_a_warning_and_nothing_is_sent(
    world: World, topic: str, start: Start, csv: bytes
) -> None:
    run = start(csv)
    assert run.wait(within_s=60).exit_code == 0, run.stderr
    assert "has no rows; nothing was sent" in run.stderr
    assert offsets(world.broker.bootstrap_servers, topic).end == 0
    last = world.cloud.checkpoint_versions(topic)[-1]
    assert (last["status"], last["rows"]) == ("COMPLETED", 0)


AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    """A broker that asks for rights wherever an ACL stands."""
    with JvmBroker(properties=AUTHORIZER) as broker:
        yield broker


def deny(
    broker: Broker,
    kind: ResourceType,
    name: str,
    operation: ACLOperation,
    principal: str = "User:ANONYMOUS",
    allowing: Collection[ACLOperation] = (ACLOperation.DESCRIBE,),
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    pattern = ResourcePattern(kind, name)
    everyone = {"principal": principal, "host": "*", "resource_pattern": pattern}
    allowed = [ACL(operation=right, permission_type=ACLPermissionType.ALLOW, **everyone) for right in allowing]
    denied = ACL(operation=operation, permission_type=ACLPermissionType.DENY, **everyone)
    made = admin.create_acls([*allowed, denied])
    assert not made["failed"], made
    admin.close()


RIGHTS = {
    "describing the topic": (ResourceType.TOPIC, "{topic}", ACLOperation.DESCRIBE),
    "describing the topic's settings": (ResourceType.TOPIC, "{topic}", ACLOperation.DESCRIBE_CONFIGS),
    "using the transactional.id": (ResourceType.TRANSACTIONAL_ID, "csv-to-kafka.{topic}", ACLOperation.WRITE),
    "using the group": (ResourceType.GROUP, "csv-to-kafka.{topic}", ACLOperation.READ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("right", RIGHTS.values(), ids=RIGHTS.keys())
def test_a_missing_right_on_kafka_is_one_clear_error(
    guarded: Broker, cloud: Cloud, right: tuple[ResourceType, str, ACLOperation], client: str
) -> None:
    kind, pattern, operation = right
    with World(broker=guarded, cloud=cloud) as world:
        topic = world.create_topic()
        deny(guarded, kind, pattern.format(topic=topic), operation)
        environment = world.environment(topic=topic, source=world.upload("rows.csv", CSV), job_id=topic)
        run = Target(PROCESSOR, {**environment, "KAFKA_CLIENT": client})
        end = run.wait(within_s=90)
        assert end.exit_code == 2, run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        assert "Kafka refuses" in run.stderr
        assert topic in run.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_a_missing_right_to_read_the_topic_is_one_clear_error_and_nothing_is_committed(
    guarded: Broker, cloud: Cloud, client: str
) -> None:
    """A group offset for the topic needs it; so the first commit asks, and later each resume."""
    with World(broker=guarded, cloud=cloud) as world:
        topic = world.create_topic()
        others = (ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS, ACLOperation.WRITE)
        deny(guarded, ResourceType.TOPIC, topic, ACLOperation.READ, allowing=others)
        environment = world.environment(topic=topic, source=world.upload("rows.csv", CSV), job_id=topic)
        run = Target(PROCESSOR, {**environment, "KAFKA_CLIENT": client})
        assert run.wait(within_s=90).exit_code == 2, run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        assert "Kafka refuses" in run.stderr
        assert group_offset(world.broker.bootstrap_servers, f"csv-to-kafka.{topic}", topic) is None


@pytest.mark.parametrize("client", CLIENTS)
def test_a_missing_right_to_write_the_topic_of_bad_rows_is_one_clear_error_before_the_claim(
    guarded: Broker, cloud: Cloud, client: str
) -> None:
    with World(broker=guarded, cloud=cloud) as world:
        topic, bad = world.create_topic(), world.create_topic()
        deny(
            guarded,
            ResourceType.TOPIC,
            bad,
            ACLOperation.WRITE,
            allowing=(ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS),
        )
        environment = world.environment(topic=topic, source=world.upload("rows.csv", CSV), job_id=topic)
        policy = {"ON_BAD_ROW": "dead-letter", "DEAD_LETTER_TOPIC": bad}
        run = Target(PROCESSOR, {**environment, **policy, "KAFKA_CLIENT": client})
        assert run.wait(within_s=90).exit_code == 2, run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        assert f"{bad!r} for bad rows may not be written" in run.stderr
        assert world.cloud.checkpoint_versions(topic) == []
