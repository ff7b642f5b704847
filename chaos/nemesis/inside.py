"""What a strike may need inside the victim: a sleep at a moment of its own, and haste.

CHAOS_SLEEP=`saved:2`   just after the second `saved` it says `asleep` and waits for SIGCONT: whatever is done to the
                        world meanwhile is done at that moment, however slow the machine is
CHAOS_TURNS=`saves`     saves in turn instead of beside the next batch: just after `saved` nothing else is under way
CHAOS_HASTE=`pauses`    next to no pause between two attempts, and between two tries of botocore's
CHAOS_HASTE=`calls`     as `pauses`, and each call to Kafka, S3 and DynamoDB has two or three seconds and fewer tries:
                        what takes minutes until a patient run gives up takes seconds
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from processor.ports import Observer, Step
from processor.save_beside import Save, beside, in_turn

SLEEP = "CHAOS_SLEEP"
HASTE = "CHAOS_HASTE"
SAVES_IN_TURN = {"CHAOS_TURNS": "saves"}
SHORT_PAUSES = {HASTE: "pauses"}
SHORT_CALLS = {HASTE: "calls"}
CALL_S = 3.0
READ_S = 2.0
FEW = 2


class SleepingObserver:
    """Passes steps on, counts those of one name, and waits at the planned one until SIGCONT has come.

    It does not stop itself: whoever hears that it sleeps sends SIGSTOP, and a SIGCONT after it is never too early.
    """

    def __init__(self, inner: Observer, moment: str) -> None:
        self._inner = inner
        self._step, _, nth = moment.partition(":")
        self._left = int(nth)
        self._awake = threading.Event()
        signal.signal(signal.SIGCONT, lambda *_: self._awake.set())

    def step(self, step: Step, **fields: object) -> None:
        """Pass the step on; see `ports.Observer`."""
        self._inner.step(step, **fields)
        self._left -= step.value == self._step
        if self._left == 0 and not self._awake.is_set():
            self._inner.step("asleep")  # type: ignore[arg-type]  # no step of the processor's
            self._awake.wait()


def sleeping(observer: Observer) -> Observer:
    """Return the observer, with the sleep of CHAOS_SLEEP around it if there is one."""
    moment = os.environ.get(SLEEP)
    return SleepingObserver(observer, moment) if moment else observer


def saving() -> Callable[[Save], AbstractContextManager[Save]]:
    """Return how the victim saves: in turn, if CHAOS_TURNS says so, for a strike needs a moment that stays."""
    return in_turn if os.environ.get("CHAOS_TURNS") == "saves" else beside


def hurry() -> None:
    """Shorten pauses, or calls as well, if CHAOS_HASTE says so."""
    haste = os.environ.get(HASTE)
    if haste:
        shorten_pauses()
    if haste == "calls":
        shorten_calls()


def shorten_pauses() -> None:
    """Leave next to no pause between tries. Their real length is tested on a clock of its own."""
    from botocore.retries import standard  # noqa: PLC0415  # a victim that has time imports what it needs itself

    from processor import checkpoint_dynamodb, processor, source_s3  # noqa: PLC0415

    processor.RETRY_WAITS_S = (0.1,) * len(processor.RETRY_WAITS_S)  # type: ignore[assignment]  # as many
    checkpoint_dynamodb.CUT_AGAIN_S = 0.0
    source_s3.FIRST_PAUSE_S = 0.01
    standard.ExponentialBackoff.delay_amount = lambda *_: 0.01  # type: ignore[method-assign]


def shorten_calls() -> None:
    """Leave each call to Kafka, S3 and DynamoDB two or three seconds, and few tries. How many is tested on fakes."""
    import botocore.config  # noqa: PLC0415

    from processor import (  # noqa: PLC0415
        confluent_reads,
        kafka_python_reads,
        opening,
        processor,
        sink_confluent,
        sink_kafka_python,
        source_s3,
    )

    for module in (confluent_reads, kafka_python_reads, sink_confluent, sink_kafka_python):
        module.READ_TIMEOUT_S = CALL_S  # type: ignore[attr-defined]  # taken over from one of them
    for sink in (sink_confluent, sink_kafka_python):
        sink.FENCE_TIMEOUT_S = CALL_S  # type: ignore[attr-defined]  # taken over from the model
    opening.SETTLE_S = CALL_S
    processor.RETRY_WAITS_S = processor.RETRY_WAITS_S[:FEW]  # type: ignore[assignment]
    source_s3.RECONNECTS_WITHOUT_A_BYTE = FEW
    patient = botocore.config.Config
    short = {
        "connect_timeout": READ_S,
        "read_timeout": READ_S,
        "retries": {"mode": "standard", "total_max_attempts": FEW},
    }
    botocore.config.Config = lambda **chosen: patient(**chosen | short)  # type: ignore[assignment, misc]
