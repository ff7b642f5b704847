"""The sink on kafka-python: pure Python, nothing to compile, the default."""

from __future__ import annotations

import contextlib
import time
from itertools import repeat
from typing import Any

from kafka import KafkaProducer
from kafka.errors import InvalidRecordError, InvalidTimestampError, KafkaError
from kafka.structs import OffsetAndMetadata

from processor import group_offset
from processor.bounded import bounded
from processor.dead_letters import PARTITION, headers_of
from processor.kafka_python_reads import READ_TIMEOUT_S, KafkaPythonReads
from processor.model import (
    FENCE_TIMEOUT_S,
    LINGER_MS,
    STALLED_AFTER_S,
    Batch,
    CommittedPosition,
    Delivery,
    SinkSettings,
)
from processor.topic_rules import RECORD_OVERHEAD_BYTES, refuse_large

# Measured: one request of up to 1 MB carries thousands of rows; smaller ones cost a round trip each at 1 in flight.
PRODUCE_BATCH_BYTES = 2**20 - 2**16


class KafkaPythonSink(KafkaPythonReads):
    """`ports.Sink` on kafka-python."""

    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings)
        self._producer: KafkaProducer | None = None
        self._in_transaction = False

    def fence(self) -> None:
        """Make a new producer and shut out the earlier ones; see `ports.Sink`."""
        self.discard()

        def start() -> KafkaProducer:
            producer = self._insist(lambda: self._client(KafkaProducer, **self._producer_settings()))
            if self._exactly_once:
                producer.init_transactions()
            return producer

        limit_s = FENCE_TIMEOUT_S + READ_TIMEOUT_S
        self._producer = self._translated(lambda: bounded(start, timeout_s=limit_s, what="fencing"))

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
        # librdkafka reads metadata up to a NUL, and past its end where there is none (librdkafka issue 4649); its own
        # transactions write one.
        metadata += "\0"

        def finish() -> None:
            producer = self._open_transaction()
            producer.send_offsets_to_transaction(
                {self._partition: OffsetAndMetadata(offset, metadata, -1)}, self._settings.transactional_id
            )
            producer.commit_transaction()

        # kafka-python waits without a bound for the coordinator.
        self._translated(lambda: bounded(finish, timeout_s=self._settings.commit_timeout_s, what="the commit"))
        self._in_transaction = False

    def abort_lost(self) -> None:
        """Write a record and abort it; see `ports.Sink`."""
        limit_s = self._settings.commit_timeout_s

        def abort() -> None:
            producer = self._open_transaction()
            producer.send(self._settings.topic, b"", partition=self._settings.partition).get(timeout=limit_s)
            producer.abort_transaction()

        self._translated(lambda: bounded(abort, timeout_s=limit_s, what="the abort"))
        self.discard()

    def discard(self) -> None:
        """Throw the producer away; see `ports.Sink`."""
        producer, self._producer, self._in_transaction = self._producer, None, False
        if producer is None:
            return
        with contextlib.suppress(Exception):  # whatever it says on its way out, it is gone
            bounded(lambda: producer.close(timeout=0), timeout_s=5, what="closing")
        # close() gives up before it stops the sender when records are left; a sender that lives on would go on
        # delivering them beside our next producer.
        producer._sender.force_close()  # noqa: SLF001

    @property
    def _exactly_once(self) -> bool:
        return self._settings.delivery is Delivery.EXACTLY_ONCE

    def _open_transaction(self) -> KafkaProducer:
        if self._producer is None:
            msg = "send or commit without a fence before it"
            raise RuntimeError(msg)
        if self._exactly_once and not self._in_transaction:
            self._producer.begin_transaction()
            self._in_transaction = True
        return self._producer

    def _send(self, batch: Batch) -> int | None:
        producer = self._open_transaction()
        settings = self._settings
        topic, partition, send = settings.topic, settings.partition, producer.send
        if batch.keys is None and batch.headers is None and batch.timestamps_ms is None:
            futures = [send(topic, value, partition=partition) for value in batch.values]
        else:
            futures = [
                send(topic, value, key, list(headers), partition, timestamp_ms)
                for value, key, headers, timestamp_ms in zip(
                    batch.values,
                    batch.keys or repeat(None),
                    batch.headers or repeat(()),
                    batch.timestamps_ms or repeat(None),
                    strict=False,  # what repeats has no end; the others are as long as the values
                )
            ]
        last = futures[-1] if futures else None
        if settings.dead_letter_topic:
            futures += [
                send(settings.dead_letter_topic, fault.raw, partition=PARTITION, headers=headers_of(fault, settings))
                for fault in batch.faults
            ]
        limit_s = settings.delivery_timeout_ms / 1000
        producer.flush(timeout=min(STALLED_AFTER_S, limit_s))  # for each request in turn
        # flush() alone proves nothing: it ignores failed records, and a batch that was split wakes it too soon.
        deadline = time.monotonic() + limit_s
        try:
            for future in futures:
                if not future.succeeded():
                    future.get(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError as error:
            raise _most_telling(futures, error) from error
        offset = -1 if last is None else int(last.value.offset)
        # Unknown (negative) where the broker had the batch already and said so to a resent request.
        return None if offset < 0 else offset + 1

    def _producer_settings(self) -> dict[str, Any]:
        settings = self._settings
        chosen = {
            "acks": "all",  # the user's: every in-sync replica has it
            "enable_idempotence": True,  # the user's: a resent request is written once
            "max_in_flight_requests_per_connection": 1,  # the user's: order
            "retries": 2**31 - 1,  # the user's: without end within the delivery timeout
            "delivery_timeout_ms": settings.delivery_timeout_ms,
            "request_timeout_ms": min(10_000, settings.delivery_timeout_ms - LINGER_MS),
            "max_block_ms": int(FENCE_TIMEOUT_S * 1000),  # bounds init_transactions
            "compression_type": None if settings.compression == "none" else settings.compression,
            "batch_size": min(PRODUCE_BATCH_BYTES, self._largest_record_bytes),
            "max_request_size": max(self._largest_record_bytes, PRODUCE_BATCH_BYTES) + RECORD_OVERHEAD_BYTES,
            "retry_backoff_ms": 20,  # a fence asks again while the coordinator ends what a dead run left open
            "linger_ms": LINGER_MS,  # a request leaves when it is full; the last one is flushed
            "allow_auto_create_topics": False,  # a misspelt topic is an error, not a new topic
            "metrics_enabled": False,  # nobody reads them, and they cost time for each record
        }
        if self._exactly_once:
            chosen["transactional_id"] = settings.transactional_id
            chosen["transaction_timeout_ms"] = settings.transaction_timeout_ms
        return chosen


def _most_telling(futures: list[Any], error: KafkaError) -> BaseException:
    """Return why a record was refused where `error` says only that another one of its request was."""
    refusals = (future.exception for future in futures if future.failed())
    telling = (InvalidTimestampError, InvalidRecordError)
    found: BaseException = next((why for why in refusals if isinstance(why, telling)), error)
    return found
