"""The sink on confluent-kafka (librdkafka), from the extra `fast`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from processor import group_offset
from processor.bounded import bounded
from processor.confluent_reads import READ_TIMEOUT_S, ConfluentReads
from processor.dead_letters import PARTITION, headers_of, require_dead_letters
from processor.model import (
    FENCE_TIMEOUT_S,
    LINGER_MS,
    STALLED_AFTER_S,
    Batch,
    CommittedPosition,
    Delivery,
    Destination,
    SinkSettings,
)
from processor.topic_rules import RECORD_OVERHEAD_BYTES, refuse_large

PRODUCE_BATCH_BYTES = 1_000_000
# Of a batch, so many are handed over in one call, which queues nothing before it has gone through all of them: the
# first request is on its way while the rest is still being handed over.
HANDED_OVER_ROWS = 1_000
FLUSH_SLICE_S = 1.0
ROOM_SLICE_S = 0.1
CLOCK = 0  # what librdkafka takes for "now"
Delivered: TypeAlias = Callable[["KafkaError | None", Message], None]
# A batch is flushed before the next one, so these only have to be larger than any batch: a queue that fills up in
# the middle of `produce_batch` would leave a hole.
QUEUE_RECORDS = 2**31 - 1
QUEUE_KBYTES = 2**31 - 1


class ConfluentSink(ConfluentReads):
    """`ports.Sink` on confluent-kafka."""

    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings)
        self._producer: Producer | None = None
        self._in_transaction = False

    def describe(self) -> Destination:
        """Check the topic, and that of bad rows; see `ports.Sink`."""
        destination = super().describe()
        if topic := self._settings.dead_letter_topic:
            require_dead_letters(self._ask(partial(self._topic_facts, name=topic)), topic)
        return destination

    def fence(self) -> None:
        """Make a new producer and shut out the earlier ones; see `ports.Sink`."""
        self.discard()

        def start() -> Producer:
            producer = Producer(self._producer_settings())
            if self._exactly_once:
                # Bounded by itself; a timeout here is retriable in place, but a new attempt is simpler and as good.
                producer.init_transactions(FENCE_TIMEOUT_S)
            else:
                producer.list_topics(self._settings.topic, timeout=READ_TIMEOUT_S)
            return producer

        self._producer = self._translated(start)

    def check(self, batch: Batch) -> None:
        """Refuse what is too large; see `ports.Sink`."""
        refuse_large(batch, self._largest_record_bytes, self._settings.topic)

    def send(self, batch: Batch) -> int | None:
        """Write the batch and wait for all acknowledgements; see `ports.Sink`."""
        self.check(batch)
        return self._translated(lambda: self._send(batch))

    def commit(self, committed: CommittedPosition) -> None:
        """Commit rows and position together; see `ports.Sink`."""
        if not self._exactly_once:
            return
        offset, metadata = group_offset.encode(committed)
        limit_s = self._settings.commit_timeout_s
        place = TopicPartition(self._settings.topic, self._settings.partition, offset, metadata)

        def finish() -> None:
            producer = self._open_transaction()
            group = self._consumer_of_group().consumer_group_metadata()
            producer.send_offsets_to_transaction([place], group, limit_s)
            producer.commit_transaction(limit_s)

        # Each call has a bound of its own, and librdkafka has been seen to overstay it after a broker's restart.
        self._translated(lambda: bounded(finish, timeout_s=limit_s + 1, what="the commit"))
        self._in_transaction = False

    def abort_lost(self) -> None:
        """Write a record and abort it; see `ports.Sink`."""
        limit_s = self._settings.commit_timeout_s

        def abort() -> None:
            producer = self._open_transaction()
            producer.produce(self._settings.topic, b"", partition=self._settings.partition)
            if _flush_while_it_moves(producer):
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
            # Bounded as a commit is, and for its reason.
            bounded(lambda: producer.abort_transaction(limit_s), timeout_s=limit_s + 1, what="the abort")

        self._translated(abort)
        self.discard()

    def discard(self) -> None:
        """Throw the producer away; see `ports.Sink`."""
        self._forget_clients()  # what they remember of the cluster may be what is wrong
        if self._producer is None:
            return
        held = [self._producer]
        self._producer, self._in_transaction = None, False
        with contextlib.suppress(Exception):  # whatever it says on its way out, it is gone
            # The last reference goes with the thread: librdkafka waits for its own threads when it is destroyed.
            bounded(lambda: held.pop().purge(in_queue=True, in_flight=True), timeout_s=5, what="closing")

    @property
    def _exactly_once(self) -> bool:
        return self._settings.delivery is Delivery.EXACTLY_ONCE

    def _open_transaction(self) -> Producer:
        if self._producer is None:
            msg = "send or commit without a fence before it"
            raise RuntimeError(msg)
        if self._exactly_once and not self._in_transaction:
            self._producer.begin_transaction()
            self._in_transaction = True
        return self._producer

    def _send(self, batch: Batch) -> int | None:
        producer = self._open_transaction()
        failures: list[KafkaError] = []
        last: list[Message] = []

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        # A record that fails makes the transaction fail, so only at-least-once has to look at each: a callback takes
        # a third of the rate. Why a timestamp was refused, a person must hear.
        each = None if self._exactly_once and batch.timestamps_ms is None else delivered
        if self._settings.dead_letter_topic:
            self._queue_dead_letters(producer, batch, delivered)
        if batch.headers is None and batch.timestamps_ms is None:
            self._hand_over_at_once(producer, batch, each, last.append)
        else:
            self._hand_over_one_by_one(producer, batch, each, last.append)
        left = _flush_while_it_moves(producer)
        error = _most_telling([*failures, *(message.error() for message in last)])
        if left or error is not None or len(last) < bool(batch.values):
            raise KafkaException(error or KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        if not last:
            return None
        offset = last[0].offset()
        # Unknown (negative) where the broker had the batch already and said so to a resent request.
        return None if offset is None or offset < 0 else int(offset) + 1

    def _hand_over_at_once(
        self, producer: Producer, batch: Batch, each: Delivered | None, last: Callable[[Message], None]
    ) -> None:
        callback = {} if each is None else {"on_delivery": each}
        for first in range(0, len(batch.values), HANDED_OVER_ROWS):
            values = batch.values[first : first + HANDED_OVER_ROWS]
            if batch.keys is None:
                messages: list[dict[str, Any]] = [{"value": value} for value in values]
            else:
                keys = batch.keys[first : first + HANDED_OVER_ROWS]
                messages = [{"value": value, "key": key} for value, key in zip(values, keys, strict=True)]
            if first + len(values) == len(batch.values):
                messages[-1]["callback"] = lambda _error, message: last(message)
            queued = producer.produce_batch(
                self._settings.topic, messages, partition=self._settings.partition, **callback
            )
            if queued < len(messages):
                raise KafkaException(next(message["_error"] for message in messages if "_error" in message))

    def _hand_over_one_by_one(
        self, producer: Producer, batch: Batch, each: Delivered | None, last: Callable[[Message], None]
    ) -> None:
        """Hand over records with headers and timestamps, which `produce_batch` drops or refuses."""
        topic, partition, produce = self._settings.topic, self._settings.partition, producer.produce
        callbacks = [each] * (len(batch.values) - 1) + [lambda _error, message: last(message)]
        rows = zip(
            batch.values,
            batch.keys or repeat(None),
            batch.headers or repeat(()),
            batch.timestamps_ms or repeat(CLOCK),
            callbacks,
            strict=False,  # what repeats has no end; the others are as long as the values
        )
        for value, key, headers, moment_ms, callback in rows:
            beside = {"on_delivery": callback, "timestamp": moment_ms, "headers": list(headers)}
            _when_there_is_room(producer, partial(produce, topic, value, key, partition, **beside))

    def _queue_dead_letters(self, producer: Producer, batch: Batch, delivered: Delivered) -> None:
        for fault in batch.faults:  # one by one: `produce_batch` drops headers
            headers = headers_of(fault, self._settings)
            producer.produce(
                self._settings.dead_letter_topic, fault.raw, partition=PARTITION, headers=headers, on_delivery=delivered
            )

    def _producer_settings(self) -> dict[str, Any]:
        settings = self._settings
        chosen = {
            **self._connection(),
            "acks": "all",  # the user's: every in-sync replica has it
            "enable.idempotence": True,  # the user's: a resent request is written once
            "max.in.flight.requests.per.connection": 1,  # the user's: order
            "message.send.max.retries": 2**31 - 1,  # the user's: without end within the delivery timeout
            "delivery.timeout.ms": settings.delivery_timeout_ms,
            "request.timeout.ms": min(10_000, settings.delivery_timeout_ms),
            "socket.timeout.ms": min(int(READ_TIMEOUT_S * 1000), settings.transaction_timeout_ms),
            "compression.type": settings.compression,
            "batch.size": min(PRODUCE_BATCH_BYTES, self._largest_record_bytes),
            "batch.num.messages": 1_000_000,  # bytes alone end a request
            "message.max.bytes": max(self._largest_record_bytes, PRODUCE_BATCH_BYTES) + RECORD_OVERHEAD_BYTES,
            "queue.buffering.max.messages": QUEUE_RECORDS,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
            "linger.ms": LINGER_MS,  # a request leaves when it is full; the last one is flushed
            "allow.auto.create.topics": False,  # a misspelt topic is an error, not a new topic
        }
        if self._exactly_once:
            chosen["transactional.id"] = settings.transactional_id
            chosen["transaction.timeout.ms"] = settings.transaction_timeout_ms
        return chosen


def _when_there_is_room(producer: Producer, produce: Callable[[], None]) -> None:
    """Produce a record; while the queue is full and moves, wait. Raises BufferError when it has not moved for a while.

    A record is in the queue or it is not, and the next one comes after it: the order is kept, and nothing left out.
    """
    left, moved = len(producer), time.monotonic()
    while True:
        try:
            return produce()
        except BufferError:
            producer.poll(ROOM_SLICE_S)
            now_left = len(producer)
            if now_left < left:
                left, moved = now_left, time.monotonic()
            elif time.monotonic() - moved > STALLED_AFTER_S:
                raise


def _most_telling(errors: list[KafkaError | None]) -> KafkaError | None:
    """Return the first error that says more than that another record of its request was refused."""
    found = [error for error in errors if error is not None]
    other = KafkaError._INVALID_DIFFERENT_RECORD  # noqa: SLF001
    return next((error for error in found if error.code() != other), found[0] if found else None)


def _flush_while_it_moves(producer: Producer) -> int:
    """Flush until nothing is left or nothing has moved for a while; return what is left."""
    left, moved = len(producer), time.monotonic()
    while left and time.monotonic() - moved < STALLED_AFTER_S:
        now_left = producer.flush(FLUSH_SLICE_S)
        if now_left < left:
            left, moved = now_left, time.monotonic()
    return left
