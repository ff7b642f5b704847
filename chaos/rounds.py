"""The jobs of a campaign, drawn from its seed: rows of every kind, dialect and size, and the settings to move them."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import zstandard

from chaos.job import Job
from chaos.schedule import BATCHES_OF_NODE_KILL
from harness.partition import Client
from harness.record_rule import RecordRule, draw_rule
from harness.workload import WRITINGS, Shape, Writing, generate

KILLS_OF_LIKE_SIZE = 6
BAD_SHARE = 1 / 3
MAX_ROW_BYTES = 20_000  # in jobs with bad rows, which have no huge good ones


def as_is(body: bytes) -> bytes:
    """Compress nothing."""
    return body


COMPRESSIONS: tuple[Callable[[bytes], bytes], ...] = (as_is, as_is, gzip.compress, zstandard.compress)


@dataclass(frozen=True, slots=True)
class Round:
    """One job of a campaign, as its seed draws it."""

    number: int
    seed: int
    job: Job
    interval_rows: int
    kills: int
    node_kills: int = 0


def draw_round(
    seed: int,
    number: int,
    *,
    kills: int,
    client: Client | None,
    plain: bool = False,
    foreign: bool = False,
    node_kills: int = 0,
) -> Round:
    """Draw a job: rows of every kind and dialect, tiny to middling intervals, any compression, client, format and key.

    A third of the jobs have bad rows of every kind, and skip them or send them to a topic of their own.

    With `plain`, rows are ASCII on one line each, and nothing but rows: what a program that moves lines can move. With
    `foreign`, for somebody else's program, the object is RFC 4180 in UTF-8, and not compressed, and records are values.
    """
    rng = random.Random(f"{seed}/{number}")
    interval_rows = rng.choice((1, 3, 10, 40, 100))
    # Without kills, a control group for the judge: as many rows as a job of a few kills has.
    batches = (kills or KILLS_OF_LIKE_SIZE) * 5 + node_kills * BATCHES_OF_NODE_KILL
    rows = min(6000, interval_rows * batches + rng.randint(0, 50))
    shape = Shape(columns=rng.randint(1, 6), bom=rng.choice((True, False)), huge_rows=rng.choice((0, 0, 1)))
    if plain:
        calm = replace(shape, bom=False, multibyte=False, huge_rows=0, blank_line_rate=0.0)
        shape = replace(calm, special_rate=0.0, inner_quote_rate=0.0, nul_rate=0.0)
    writing, compress = Writing(), COMPRESSIONS[0]
    if not plain and not foreign:
        writings = random.Random(f"{seed}/{number}/writing")
        writing, compress = writings.choice(WRITINGS), writings.choice(COMPRESSIONS)
        shape = replace(shape, writing=writing, bom=shape.bom and writing.encoding == "utf-8")
        if writings.random() < BAD_SHARE:
            shape = replace(shape, bad_rate=writings.choice((0.02, 0.3)), max_row_bytes=MAX_ROW_BYTES, huge_rows=0)
    workload = generate(rng.randrange(2**32), rows=rows, shape=shape)
    value_format = rng.choice(("json", "json", "raw"))
    settings = {
        **writing.settings(workload.header),
        "CHECKPOINT_INTERVAL": str(interval_rows),
        "KAFKA_COMPRESSION": rng.choice(("none", "gzip", "lz4", "lz4")),
        "VALUE_FORMAT": value_format,
    }
    bad = tuple(workload.csv[place.start : place.line_end] for place in workload.bad)
    if bad:
        policy = random.Random(f"{seed}/{number}/bad").choice(("skip", "dead-letter"))
        settings |= {"ON_BAD_ROW": policy, "MAX_ROW_BYTES": str(MAX_ROW_BYTES)}
    chosen: Client = client or ("kafka-python", "confluent")[number % 2]
    rule = RecordRule() if plain or foreign else draw_rule(random.Random(f"{seed}/{number}/records"), workload.header)
    expected = rule.expected(workload, value_format)
    job = Job(compress(workload.csv), expected, chosen, settings=settings, rule=rule, bad_rows=bad)
    return Round(number, seed, job, interval_rows, kills, node_kills)
