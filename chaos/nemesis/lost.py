"""Kafka loses a commit that it has answered: no marker is written for it, or none for its position."""

from __future__ import annotations

import asyncio
from contextlib import closing

from kafka import KafkaAdminClient, KafkaProducer
from kafka import TopicPartition as KafkaPythonPartition
from kafka.admin import AbortTransactionSpec

from chaos.nemesis.base import Nemesis
from chaos.nemesis.course import WITHIN_S, Course
from chaos.nemesis.network import Moment, NetworkNemesis
from chaos.proxy import Link, Message
from harness.partition import offsets
from harness.wait import until

POSITIONS = "__consumer_offsets"


class CommitLost(NetworkNemesis):
    """Takes the effect from the n-th commit, just before the coordinator decides and answers it.

    Abort markers in the partition of the positions and, but for `position_only`, in the job's: the coordinator's own
    find nothing to commit there any more. So it ends where a broker does that has given the markers up, and whose
    next transaction under the same id was then aborted.
    """

    title = "commit lost by Kafka after its answer"
    holds = "rows that were taken back are sent again, rows that lost only their position are found, and nothing else"

    def __init__(self, course: Course, *, nth: int, position_only: bool = False) -> None:
        super().__init__(f"commit {nth}{', its position' if position_only else ''}")
        self._course = course
        self._commit = Moment("EndTxn", nth, needs=course.group.encode())
        self._places = [KafkaPythonPartition(POSITIONS, 0)]  # the broker's one partition of them
        if not position_only:
            self._places.append(KafkaPythonPartition(course.topic, 0))

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._commit.has_come(message):
            await asyncio.to_thread(self._abort)
            self._struck.set()
        return message.content

    def _abort(self) -> None:
        topic = KafkaPythonPartition(self._course.topic, 0)
        with closing(KafkaAdminClient(bootstrap_servers=self._course.servers)) as admin:
            found = admin.describe_producers([topic])[topic].active_producers
            (ours,) = (state for state in found if state.current_transaction_start_offset >= 0)
            for place in self._places:
                epoch = max(
                    0, ours.coordinator_epoch
                )  # -1 before the first marker; a lower one than the last is refused
                admin.abort_transaction(AbortTransactionSpec(place, ours.producer_id, ours.producer_epoch, epoch))


class TransactionForgotten(Nemesis):
    """A record lies in the partition, in a transaction of the job's producer that its coordinator knows nothing of.

    A bare producer under our transactional.id does not tell the coordinator which partition it writes to; needs a
    broker that does not ask it (`transaction.partition.verification.enable=false`).
    """

    title = "transaction open that its coordinator has forgotten"
    holds = "the run ends it before it goes on, and readers wait no longer"
    struck = False

    def __init__(self, course: Course) -> None:
        bare = KafkaProducer(bootstrap_servers=course.servers, transactional_id=course.group)
        bare.init_transactions()
        bare.begin_transaction()
        manager = bare._transaction_manager  # noqa: SLF001
        manager._partitions_in_transaction.add(KafkaPythonPartition(course.topic, 0))  # noqa: SLF001
        bare.send(course.topic, course.job.expected[0], partition=0).get(WITHIN_S)
        bare._sender.force_close()  # noqa: SLF001  # closing would abort
        bounds = offsets(course.servers, course.topic)
        with closing(KafkaAdminClient(bootstrap_servers=course.servers)) as admin:
            until(lambda: _state(admin, course) != "Ongoing", within_s=WITHIN_S, what="the coordinator to know of none")
        self.struck = bounds.stable < bounds.end


def _state(admin: KafkaAdminClient, course: Course) -> str:
    return str(admin.describe_transactions([course.group])[course.group].state.value)
