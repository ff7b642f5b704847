"""Who else uses our transactional.id: a stranger that keeps it, and one that aborts what we have open."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from confluent_kafka import Producer
from kafka import KafkaProducer

from chaos.nemesis.base import Nemesis
from chaos.nemesis.course import WITHIN_S, Course
from chaos.nemesis.network import Moment, NetworkNemesis
from chaos.proxy import Link, Message
from harness.partition import Client, offsets, read

ONE_OF = 3


@dataclass
class Stranger(Nemesis):
    """A bare producer takes the job's transactional.id, sends a record, and never commits it."""

    title = "transactional.id taken by a bare producer"
    holds = "the run finds its lease still its own, shuts the stranger out, and finishes"

    client: Client
    struck: bool = field(default=False, init=False)
    _kept: list[object] = field(default_factory=list, init=False)  # closing would abort, and a stranger does not

    @property
    def name(self) -> str:
        """Return the client too; see `Nemesis`."""
        return f"{self.title}: {self.client}"

    def strike(self, course: Course) -> None:
        """Take the id and leave a transaction open."""
        take = self._take_by_confluent if self.client == "confluent" else self._take_by_kafka_python
        take(course)
        bounds = offsets(course.servers, course.topic)
        self.struck = bounds.stable < bounds.end

    def _take_by_confluent(self, course: Course) -> None:
        bare = Producer({"bootstrap.servers": course.servers, "transactional.id": course.group})
        self._kept.append(bare)
        bare.init_transactions(WITHIN_S)
        bare.begin_transaction()
        bare.produce(course.topic, b"a stranger's", partition=0)
        assert not bare.flush(WITHIN_S), "the stranger's record was not written"

    def _take_by_kafka_python(self, course: Course) -> None:
        bare = KafkaProducer(bootstrap_servers=course.servers, transactional_id=course.group)
        self._kept.append(bare)
        bare.init_transactions()
        bare.begin_transaction()
        bare.send(course.topic, b"a stranger's", partition=0).get(WITHIN_S)


class ForcedAborts(NetworkNemesis):
    """Aborts a seeded third of a job's transactions from outside, each when all its records are written.

    As a tool does that terminates a transaction by force: a bare producer asks for a producer id under our
    transactional.id. The run's commit waits at the proxy meanwhile. One of each three transactions is drawn, so never
    three in a row; with `all_of_them`, every one until it is lifted.
    """

    title = "forced aborts of a third of the transactions"
    holds = "no record of theirs becomes visible, and the run sends the rows again until they are committed"

    def __init__(self, course: Course, *, seed: int, all_of_them: bool = False) -> None:
        super().__init__(f"seed {seed}{', all of them' if all_of_them else ''}")
        self._course = course
        self._commit = Moment("AddOffsetsToTxn", needs=course.group.encode())
        self._rng = random.Random(seed)
        self._all = all_of_them
        self._drawn = 0
        self.transactions = 0
        self.chosen = 0
        self._aborted: list[range] = []

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._commit.is_like(message) and not self._lifted.is_set() and self._is_chosen():
            self.chosen += 1
            await asyncio.to_thread(self._abort)
        return message.content

    @property
    def struck(self) -> bool:
        """Tell whether every transaction that was chosen is confirmed to be aborted."""
        return 0 < self.chosen == self.confirmed()

    def confirmed(self) -> int:
        """Count the aborted transactions whose records are all in the partition, and none of them visible."""
        servers, topic = self._course.servers, self._course.topic
        written = {record.offset for record in read(servers, topic, isolation="read_uncommitted")}
        visible = {record.offset for record in read(servers, topic, isolation="read_committed")}
        return sum(written.issuperset(records) and visible.isdisjoint(records) for records in self._aborted)

    def _is_chosen(self) -> bool:
        place = self.transactions % ONE_OF
        if place == 0:
            self._drawn = self._rng.randrange(ONE_OF)
        self.transactions += 1
        return self._all or place == self._drawn

    def _abort(self) -> None:
        course = self._course
        before = offsets(course.servers, course.topic)
        Producer({"bootstrap.servers": course.servers, "transactional.id": course.group}).init_transactions(WITHIN_S)
        after = offsets(course.servers, course.topic)
        # What was open is no longer, and nothing but the abort's marker came behind it.
        if before.stable < before.end and after.stable == after.end == before.end + 1:
            self._aborted.append(range(before.stable, before.end))
