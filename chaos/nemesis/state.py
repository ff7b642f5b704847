"""The state changes while no run is at work: item, position, topic, partition, and what strangers do to them.

Each nemesis strikes when it is made, between two attempts of a `Course` or while a run is asleep.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from kafka.errors import TransactionalIdNotFoundError

from chaos.nemesis.base import Nemesis
from chaos.nemesis.course import WITHIN_S, Course
from harness.broker import Broker
from harness.consumers import admin_client
from harness.partition import offsets
from harness.wait import until


class ItemChanged(Nemesis):
    """The checkpoint item is changed by another hand; `planted` are the numbers of the versions that it wrote."""

    def __init__(self, course: Course) -> None:
        self._cloud, self._job_id = course.world.cloud, course.topic
        self.planted: list[int] = []
        self._wanted: dict[str, Any] = {}

    @property
    def struck(self) -> bool:
        """Tell whether the cloud remembers the version that it wrote."""
        versions = self._cloud.checkpoint_versions(self._job_id)
        return bool(self.planted) and versions[self.planted[-1] - 1] == self._wanted

    def _put(self, attributes: Mapping[str, object]) -> None:
        typed = {name: TypeSerializer().serialize(value) for name, value in attributes.items()}
        self._cloud.dynamodb.put_item(TableName=self._cloud.table, Item=typed)
        self._note(dict(attributes))

    def _note(self, wanted: dict[str, Any]) -> None:
        self._wanted = wanted
        self.planted.append(len(self._cloud.checkpoint_versions(self._job_id)))


class CheckpointLost(ItemChanged):
    """The item is deleted."""

    title = "checkpoint lost"
    holds = "exactly-once makes it anew from the position in Kafka; a done job sends nothing again"

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._cloud.dynamodb.delete_item(TableName=self._cloud.table, Key={"job_id": {"S": course.topic}})
        self._note({})


class CheckpointRolledBack(ItemChanged):
    """An earlier version of the item, the first being 1, is put in its place."""

    title = "checkpoint rolled back"
    holds = "exactly-once goes on at the position in Kafka; at-least-once repeats what was forgotten, and loses nothing"

    def __init__(self, course: Course, *, version: int) -> None:
        super().__init__(course)
        self._put(self._cloud.checkpoint_versions(course.topic)[version - 1])


class CheckpointEdited(ItemChanged):
    """Attributes of the item are changed."""

    title = "checkpoint ahead"
    holds = "an item that counts rows nobody can see is refused with 6 until it is mended"

    def __init__(self, course: Course, **changes: object) -> None:
        super().__init__(course)
        self._changes = ", ".join(changes)
        self._put({**course.checkpoint(), **changes})

    @property
    def name(self) -> str:
        """Return the attributes too; see `Nemesis`."""
        return f"{self.title}: {self._changes}"


class PositionExpired(Nemesis):
    """The group's offset is deleted, as its retention would delete it."""

    title = "group offset expired"
    holds = "the position is found again in the partition's own records, or the run refuses with 6"
    struck = False

    def __init__(self, course: Course) -> None:
        before = course.position()
        admin = admin_client(course.servers)
        admin.delete_consumer_groups([course.group])[course.group].result(timeout=WITHIN_S)
        self.struck = before is not None and course.position() is None


class PositionReset(Nemesis):
    """An operator's tool sets the group's offset; `metadata` is empty, as every such tool leaves it."""

    title = "group offset reset by an operator"
    holds = "the run refuses with 6 and writes nothing, and goes on once the offset is as it was"
    struck = False

    def __init__(self, course: Course, *, offset: int, metadata: str = "") -> None:
        admin = admin_client(course.servers)
        place = TopicPartition(course.topic, 0, offset, metadata)
        asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(course.group, [place])])
        asked[course.group].result(timeout=WITHIN_S)
        self.struck = course.position() == (offset, metadata)


class TopicMadeAnew(Nemesis):
    """The topic is deleted and created again under its name."""

    title = "topic deleted and made anew"
    holds = "a job whose item knows the old topic refuses with 6 and writes nothing to the new one"
    struck = False

    def __init__(self, course: Course) -> None:
        admin = admin_client(course.servers)
        before = topic_id(admin, course.topic)
        admin.delete_topics([course.topic], operation_timeout=WITHIN_S)[course.topic].result(timeout=WITHIN_S)

        def is_gone() -> bool:
            return course.topic not in admin.list_topics(timeout=WITHIN_S).topics

        until(is_gone, within_s=WITHIN_S, what=f"{course.topic} to be gone")
        course.world.create_topic(course.topic)
        self.struck = topic_id(admin, course.topic) != before and offsets(course.servers, course.topic).end == 0


class RecordsRemoved(Nemesis):
    """Retention takes every record before an offset."""

    title = "records removed by retention"
    holds = "a job with a position goes on; one without goes on if no record after its checkpoint is gone, else 6"
    struck = False

    def __init__(self, course: Course, *, before_offset: int) -> None:
        course.await_live_reader()  # it must not lose its place
        admin = admin_client(course.servers)
        place = TopicPartition(course.topic, 0, before_offset)
        next(iter(admin.delete_records([place]).values())).result(timeout=WITHIN_S)
        self.struck = offsets(course.servers, course.topic).start == before_offset


class TailTruncated(Nemesis):
    """The broker dies, and its log comes back without the batches from an offset on."""

    title = "tail of the partition truncated"
    holds = "the run refuses with 6 instead of going on behind the hole"
    struck = False

    def __init__(self, course: Course, broker: Broker, *, from_offset: int) -> None:
        assert broker.log_path is not None, f"a {broker.kind} broker does not show its storage"
        before = offsets(course.servers, course.topic).end
        broker.kill()
        for segment in (broker.log_path.parent / "storage" / f"{course.topic}-0").glob("*.log"):
            cut_segment(segment, from_offset)
        broker.start()
        self.end = offsets(course.servers, course.topic).end
        self.struck = self.end <= from_offset < before  # a request's records go together


class StrangersTransaction(Nemesis):
    """Somebody else has written one record in a transaction of their own and has not ended it."""

    title = "a stranger's open transaction"
    holds = "the run waits within its bound and ends with 75; once that transaction was aborted, the next one finishes"
    struck = False

    def __init__(self, course: Course, *, value: bytes = b"a stranger's") -> None:
        self._course = course
        self._producer = Producer({"bootstrap.servers": course.servers, "transactional.id": f"stranger-{course.topic}"})
        self._producer.init_transactions(WITHIN_S)
        self._producer.begin_transaction()
        self._producer.produce(course.topic, value, partition=0)
        assert not self._producer.flush(WITHIN_S), "the stranger's record was not written"
        bounds = offsets(course.servers, course.topic)
        self.struck = bounds.stable < bounds.end

    def commit(self) -> None:
        """Make the record visible."""
        self._producer.commit_transaction(WITHIN_S)
        _await_no_transaction(self._course)

    def abort(self) -> None:
        """Take the record back."""
        self._producer.abort_transaction(WITHIN_S)
        _await_no_transaction(self._course)


class IdExpired(Nemesis):
    """The coordinator forgets our transactional id, because it was idle for too long; needs a broker that soon does."""

    title = "transactional id expired"
    holds = "the run gets a new producer id and goes on at the position"
    struck = False

    def __init__(self, course: Course) -> None:
        until(lambda: not _is_known(course), within_s=WITHIN_S, what="the id to expire", every_s=0.3)
        self.struck = True


def _is_known(course: Course) -> bool:
    """Tell whether the coordinator knows our transactional id."""
    with closing(KafkaAdminClient(bootstrap_servers=course.servers)) as admin:
        try:
            admin.describe_transactions([course.group])
        except TransactionalIdNotFoundError:
            return False
    return True


def topic_id(admin: AdminClient, topic: str) -> str:
    """Return the id that tells a topic from an earlier one of its name."""
    return str(admin.describe_topics(TopicCollection([topic]))[topic].result(timeout=WITHIN_S).topic_id)


def cut_segment(segment: Path, from_offset: int) -> None:
    """Cut a segment of a dead broker's log before the first batch at or after an offset, its indexes too."""
    content, at = segment.read_bytes(), 0
    while at < len(content):
        base_offset, length = struct.unpack_from(">qi", content, at)
        if base_offset >= from_offset:
            break
        at += 12 + length  # both fields are not counted by the length
    segment.write_bytes(content[:at])
    for beside in segment.parent.iterdir():
        if beside.suffix in {".index", ".timeindex", ".txnindex", ".snapshot"}:
            beside.unlink()  # the broker makes them anew


def _await_no_transaction(course: Course) -> None:
    def is_settled() -> bool:
        bounds = offsets(course.servers, course.topic)
        return bounds.stable == bounds.end

    until(is_settled, within_s=WITHIN_S, what="every transaction to end")
