"""The state changes while no run is alive: item, position, topic, partition, and what strangers do to them.

Each nemesis strikes when it is made, between two attempts of a `Course`, or while a run is held still.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from boto3.dynamodb.types import TypeSerializer
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from kafka.errors import TransactionalIdNotFoundError

from chaos.nemesis.course import WITHIN_S, Course
from harness.broker import Broker
from harness.consumers import admin_client
from harness.partition import offsets
from harness.target import Target
from harness.wait import until


class ItemChanged:
    """The checkpoint item is lost, rolled back, or edited."""

    holds = "exactly-once goes on at Kafka's position, and refuses with 6 an item that counts rows nobody can see"

    def __init__(self, course: Course, name: str) -> None:
        self._cloud, self._job_id = course.world.cloud, course.topic
        self.name = name
        self.planted: list[int] = []
        self._wanted: dict[str, Any] = {}

    @classmethod
    def lose(cls, course: Course) -> Self:
        """Delete the item."""
        nemesis = cls(course, "checkpoint lost")
        nemesis._cloud.dynamodb.delete_item(TableName=nemesis._cloud.table, Key={"job_id": {"S": course.topic}})
        nemesis._note({})
        return nemesis

    @classmethod
    def roll_back(cls, course: Course, *, version: int) -> Self:
        """Put an earlier version of the item in its place, the first being 1."""
        nemesis = cls(course, "checkpoint rolled back")
        nemesis._put(nemesis._cloud.checkpoint_versions(course.topic)[version - 1])
        return nemesis

    @classmethod
    def edit(cls, course: Course, **changes: object) -> Self:
        """Change attributes of the item."""
        nemesis = cls(course, f"checkpoint edited: {', '.join(changes)}")
        nemesis._put({**course.checkpoint(), **changes})
        return nemesis

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


class PositionExpired:
    """The group's offset is deleted, as its retention would delete it."""

    name = "group offset expired"
    holds = "the position is found again in the partition's own records, or the run refuses with 6"

    def __init__(self, course: Course) -> None:
        before = course.position()
        admin = admin_client(course.servers)
        admin.delete_consumer_groups([course.group])[course.group].result(timeout=WITHIN_S)
        self.struck = before is not None and course.position() is None


class PositionReset:
    """An operator's tool sets the group's offset; `metadata` is empty, as every such tool leaves it."""

    name = "group offset reset by an operator"
    holds = "the run refuses with 6 and writes nothing, and goes on once the offset is as it was"

    def __init__(self, course: Course, *, offset: int, metadata: str = "") -> None:
        admin = admin_client(course.servers)
        place = TopicPartition(course.topic, 0, offset, metadata)
        asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(course.group, [place])])
        asked[course.group].result(timeout=WITHIN_S)
        self.struck = course.position() == (offset, metadata)


class TopicMadeAnew:
    """The topic is deleted and created again under its name."""

    name = "topic deleted and made anew"
    holds = "a job whose item knows the old topic refuses with 6 and writes nothing to the new one"

    def __init__(self, course: Course) -> None:
        admin = admin_client(course.servers)
        before = topic_id(admin, course.topic)
        admin.delete_topics([course.topic], operation_timeout=WITHIN_S)[course.topic].result(timeout=WITHIN_S)

        def is_gone() -> bool:
            return course.topic not in admin.list_topics(timeout=WITHIN_S).topics

        until(is_gone, within_s=WITHIN_S, what=f"{course.topic} to be gone")
        course.world.create_topic(course.topic)
        self.struck = topic_id(admin, course.topic) != before and offsets(course.servers, course.topic).end == 0


class RecordsRemoved:
    """Retention takes every record before an offset."""

    name = "records removed by retention"
    holds = "a job with a position goes on; one without goes on if no record after its checkpoint is gone, else 6"

    def __init__(self, course: Course, *, before_offset: int) -> None:
        course.await_live_reader()  # it must not lose its place
        admin = admin_client(course.servers)
        place = TopicPartition(course.topic, 0, before_offset)
        next(iter(admin.delete_records([place]).values())).result(timeout=WITHIN_S)
        self.struck = offsets(course.servers, course.topic).start == before_offset


class TailTruncated:
    """The broker dies, and its log comes back without the batches from an offset on."""

    name = "tail of the partition truncated"
    holds = "the run refuses with 6 instead of going on behind the hole"

    def __init__(self, course: Course, broker: Broker, *, from_offset: int) -> None:
        assert broker.log_path is not None, f"a {broker.kind} broker does not show its storage"
        before = offsets(course.servers, course.topic).end
        broker.kill()
        for segment in (broker.log_path.parent / "storage" / f"{course.topic}-0").glob("*.log"):
            cut_segment(segment, from_offset)
        broker.start()
        self.end = offsets(course.servers, course.topic).end
        self.struck = self.end <= from_offset < before  # a request's records go together


class StrangersTransaction:
    """Somebody else has written one record in a transaction of their own and has not ended it."""

    name = "a stranger's open transaction"
    holds = "the run waits within its bound and ends with 75; once that transaction was aborted, the next one finishes"

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


class IdExpired:
    """The coordinator forgets our transactional id, because it was idle for too long; needs a broker that soon does."""

    name = "transactional id expired"
    holds = "the run gets a new producer id and goes on at the position"

    def __init__(self, course: Course, asleep: Target | None = None) -> None:
        """Wait until the id is gone; a run that is `asleep` meanwhile is held still between two transactions."""
        until(lambda: self._is_idle(course, asleep), within_s=WITHIN_S, what="no open transaction", every_s=0.01)
        until(lambda: _id_state(course) is None, within_s=WITHIN_S, what="the id to expire", every_s=0.3)
        self.struck = True
        if asleep is not None:
            asleep.signal(signal.SIGCONT)

    @staticmethod
    def _is_idle(course: Course, asleep: Target | None) -> bool:
        """Tell whether the coordinator knows the id and holds no transaction of it open, which would keep it."""
        if asleep is not None:
            asleep.signal(signal.SIGSTOP)
        if _id_state(course) in {"Empty", "CompleteCommit", "CompleteAbort"}:
            return True
        if asleep is not None:
            asleep.signal(signal.SIGCONT)
        return False


class TransactionTimedOut:
    """The run is stopped in the middle of a transaction until the coordinator has aborted it, and then goes on."""

    name = "transaction timed out while open"
    holds = "the run is fenced, finds the lease its own, repeats the batch in smaller ones, and finishes"

    def __init__(self, course: Course, run: Target) -> None:
        end = until(lambda: _held(course, run), within_s=WITHIN_S, what="an open transaction", every_s=0.01)
        before = len(course.rows())
        _await_no_transaction(course)
        # The abort marker is behind the open records, and no record of theirs has become visible.
        self.struck = offsets(course.servers, course.topic).end > end and len(course.rows()) == before
        run.signal(signal.SIGCONT)


class Usurper:
    """A bare producer takes our transactional id again and again, each time while a transaction of the run is open."""

    name = "forced aborts by a producer with our id"
    holds = "the run finds the lease its own each time, fences in its turn, and finishes"

    def __init__(self, course: Course) -> None:
        self._course = course
        self.times = 0

    @property
    def struck(self) -> bool:
        """Tell whether the run had to fence once more for each time."""
        return 0 < self.times == len(self._course.told("fenced", "epoch")) - 1

    def take(self, run: Target) -> None:
        """Take the id once, which aborts what the run has open."""
        end = until(lambda: _held(self._course, run), within_s=WITHIN_S, what="an open transaction", every_s=0.01)
        producer = Producer({"bootstrap.servers": self._course.servers, "transactional.id": self._course.group})
        producer.init_transactions(WITHIN_S)
        _await_no_transaction(self._course)
        self.times += offsets(self._course.servers, self._course.topic).end > end  # by the abort's marker
        run.signal(signal.SIGCONT)


def _id_state(course: Course) -> str | None:
    """Return what the coordinator says of our transactional id, None when it does not know it."""
    with closing(KafkaAdminClient(bootstrap_servers=course.servers)) as admin:
        try:
            described = admin.describe_transactions([course.group])[course.group]
        except TransactionalIdNotFoundError:
            return None
    return str(getattr(described.state, "value", described.state))


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


def _held(course: Course, run: Target) -> int:
    """Stop the run and return the end offset; let it go on and return 0 if no transaction is open just now."""
    run.signal(signal.SIGSTOP)
    bounds = offsets(course.servers, course.topic)
    if bounds.stable < bounds.end:
        return bounds.end
    run.signal(signal.SIGCONT)
    return 0
