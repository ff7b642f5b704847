"""Who runs end to end against whom: the processor by setting, parts of it alone, and peers.

The product of client, delivery, compression, interval, row size and profile has 720 members. Measured is one base for
each client (the processor's defaults, rows of 100 bytes), and from it one step along each axis; delivery and the two
compressions that matter are crossed. kafka-python cannot do snappy and zstd without further packages, so it does not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from benchmarks.made_csv import MadeCsv
from benchmarks.peer_runs import PEERS
from benchmarks.runs import Run, measure, run_processor
from benchmarks.scale import Scale
from benchmarks.stage import Stage

MB = 10**6
# Enough for some seconds at either client's rate of today; a run of less shows its start more than its way.
OBJECT_BYTES = {"kafka-python": 30 * MB, "confluent": 200 * MB}
DEFAULT_INTERVAL_ROWS = 10_000
RECOMMENDED_INTERVAL_ROWS = 50_000
WIDE_ROWS = {100: 1, 1_000: 2, 10_000: 4}  # so many times the bytes, for rows that go faster by the byte


class Contestant(Protocol):
    """Something that brings the rows of a made object into a partition, or does a part of that."""

    @property
    def name(self) -> str:
        """How results call it; another name is another contestant."""

    @property
    def role(self) -> str:
        """`processor`, `part` or `peer`."""

    @property
    def quick(self) -> bool:
        """Whether it runs in the quick choice too."""

    def made(self, scale: Scale) -> MadeCsv:
        """Return the object to move at this scale."""

    def settings(self) -> dict[str, object]:
        """Return what it was told, for the results."""

    def run(self, stage: Stage, made: MadeCsv) -> Run:
        """Move the object once, on a topic of its own. Raises where not every row arrived."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The processor with some settings, on rows of some kind."""

    client: str
    delivery: str = "exactly-once"
    compression: str = "gzip"
    interval_rows: int = DEFAULT_INTERVAL_ROWS
    profile: str = "rows"
    width: int = 100
    quick: bool = False
    role: str = "processor"

    @property
    def name(self) -> str:
        """Every setting that differs among the variants."""
        return (
            f"{self.client} {self.delivery} {self.compression} each {self.interval_rows} {self.profile} {self.width} B"
        )

    def made(self, scale: Scale) -> MadeCsv:
        """Return the object to move at this scale."""
        share = OBJECT_BYTES[self.client] * WIDE_ROWS[self.width] * scale.end_to_end_share
        return MadeCsv(self.profile, self.width, max(int(share) // self.width, 10))

    def settings(self) -> dict[str, object]:
        """Return the settings by name."""
        chosen = asdict(self)
        return {
            name: chosen[name] for name in ("client", "delivery", "compression", "interval_rows", "profile", "width")
        }

    def environment(self) -> dict[str, str]:
        """Return the processor's variables."""
        return {
            "KAFKA_CLIENT": self.client,
            "DELIVERY": self.delivery,
            "KAFKA_COMPRESSION": self.compression,
            "CHECKPOINT_INTERVAL": str(self.interval_rows),
            # The default would end a batch of 100,000 rows before its rows do.
            "BATCH_BYTES": str((64 if self.interval_rows > DEFAULT_INTERVAL_ROWS else 16) * 2**20),
        }

    def run(self, stage: Stage, made: MadeCsv) -> Run:
        """Run the processor on a topic of its own."""
        return run_processor(stage, made, self.environment())


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the way alone, see `parts`, with the settings of a variant."""

    part: str
    variant: Variant
    quick: bool = False
    role: str = "part"

    @property
    def name(self) -> str:
        """What is measured, and the settings that matter to it."""
        variant = self.variant
        who = {"read": "reading", "send": f"{variant.client}'s sink", "bare": "librdkafka"}[self.part]
        return f"{who} alone {'' if self.part == 'read' else f'{variant.compression} '}{variant.width} B"

    def made(self, scale: Scale) -> MadeCsv:
        """Return the variant's object; half of it where encoded batches are held in memory."""
        whole = self.variant.made(scale)
        return replace(whole, rows=whole.rows // 2) if self.part == "send" else whole

    def settings(self) -> dict[str, object]:
        """Return the part and the settings by name."""
        return {"part": self.part, **self.variant.settings()}

    def run(self, stage: Stage, made: MadeCsv) -> Run:
        """Run the part in a process of its own."""
        command = (sys.executable, "-m", "benchmarks.parts", self.part)
        with stage.topic() as topic:
            return measure(command, stage.environment(made, topic, self.variant.environment()), made)


CLIENTS = ("kafka-python", "confluent")
YARDSTICK = Part("bare", Variant("confluent", compression="lz4"), quick=True)


def variants() -> Iterator[Variant]:
    """Yield the base of each client, and what is one step away from it."""
    for client in CLIENTS:
        base = Variant(client)
        for delivery in ("exactly-once", "at-least-once"):
            for compression in ("gzip", "lz4"):
                quick = delivery == "exactly-once" or compression == "gzip"
                yield replace(base, delivery=delivery, compression=compression, quick=quick)
        for compression in ("none",) if client == "kafka-python" else ("none", "snappy", "zstd"):
            yield replace(base, compression=compression)
        for interval_rows in (1_000, 100_000):
            yield replace(base, interval_rows=interval_rows)
        if client == "confluent":  # what is recommended where rate matters, and what it costs against no transactions
            fast = replace(base, compression="lz4", interval_rows=RECOMMENDED_INTERVAL_ROWS, quick=True)
            yield from (fast, replace(fast, delivery="at-least-once"))
        for width in (1_000, 10_000):
            yield replace(base, width=width)
        for profile in ("plain", "quotes", "multibyte"):
            yield replace(base, profile=profile)


def parts() -> Iterator[Part]:
    """Yield the yardstick, and the ways of the base in halves."""
    yield YARDSTICK
    yield replace(YARDSTICK, variant=replace(YARDSTICK.variant, compression="gzip"), quick=False)
    yield Part("read", Variant("confluent"), quick=True)
    for client in CLIENTS:
        yield Part("send", Variant(client))


CONTESTANTS: tuple[Contestant, ...] = (*parts(), *variants(), *PEERS)


def contestants(scale: Scale) -> list[Contestant]:
    """Return who runs at this scale."""
    return [one for one in CONTESTANTS if scale.whole_choice or one.quick]
