"""One job from its first attempt to its end: started, struck, started again, and everything it left gathered."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chaos.schedule import FROM_OUTSIDE, KillAtRow, KillInBatch, KillNode, Plan, StopAtStep
from chaos.victim import VARIABLE
from harness.broker.lost_commits import lost_commits
from harness.history import (
    Attempt,
    CheckpointVersion,
    Evidence,
    GroupOffset,
    PartitionEnd,
    Records,
    Strike,
)
from harness.partition import Client, Isolation, LiveReader, Record, group_offset, offsets, read
from harness.record_rule import RecordRule
from harness.target import Target
from harness.world import World

VICTIM = (sys.executable, "-m", "chaos.victim", "run")
ATTEMPT_WITHIN_S = 120.0
STOPPED = 128 + signal.SIGTERM
ISOLATIONS: tuple[Isolation, Isolation] = ("read_committed", "read_uncommitted")
SPARE_ATTEMPTS = 3  # starts after the last strike, should one end with 75


@dataclass(frozen=True, slots=True)
class Job:
    """What to move and how. `settings` are variables of the processor beside those of the world.

    `expected` is what `rule` tells of each record; the processor gets the rule's settings too.
    """

    csv: bytes
    expected: tuple[bytes, ...]
    client: Client = "kafka-python"
    delivery: str = "exactly-once"
    settings: Mapping[str, str] = field(default_factory=dict)
    rule: RecordRule = RecordRule()  # noqa: RUF009  # frozen
    bad_rows: Sequence[bytes] = ()  # as they stand in the CSV; the settings say what becomes of them

    @property
    def has_dead_letters(self) -> bool:
        """Whether bad rows are to go to a topic of their own."""
        return self.settings.get("ON_BAD_ROW") == "dead-letter"

    @property
    def reader(self) -> Client:
        """The client that did not write."""
        return "kafka-python" if self.client == "confluent" else "confluent"


@dataclass(frozen=True, slots=True)
class Staged:
    """A job that can be started: its topic, which is its job id too, and the variables of a run."""

    topic: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The evidence for the judge, and what a person may want to see beside it."""

    evidence: Evidence
    seconds: tuple[float, ...]
    errors: tuple[str, ...]
    topic: str
    environment: Mapping[str, str]


def run_job(
    world: World,
    job: Job,
    plans: Sequence[Plan],
    *,
    clients: Sequence[Client] = (),
    on_attempt: Callable[[Attempt, float], None] | None = None,
) -> Outcome:
    """Start the victim until it ends with 0, one plan an attempt, then without; gather the evidence.

    Also ends when a run ends with a code that a restart does not mend, or after a bounded number of attempts. With
    `clients`, attempts take turns with them.
    """
    staged = stage(world, job)
    attempts: list[Attempt] = []
    seconds: list[float] = []
    errors: list[str] = []
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        for number in range(1, len(plans) + SPARE_ATTEMPTS + 1):
            planned = {VARIABLE: str(plans[number - 1]) if number <= len(plans) else ""}
            if clients:
                planned["KAFKA_CLIENT"] = clients[number % len(clients)]
            target = Target(VICTIM, {**staged.environment, **planned}, number=number)
            attempts.append(target.wait(within_s=ATTEMPT_WITHIN_S))
            seconds.append(target.seconds)
            errors.append(target.stderr)
            if on_attempt is not None:
                on_attempt(attempts[-1], seconds[-1])
            if ended(attempts[-1]):
                break
        evidence = gather(world, job, staged.topic, attempts=attempts, strikes=strikes_of(plans, attempts), live=live)
    return Outcome(evidence, tuple(seconds), tuple(errors), staged.topic, staged.environment)


def stage(world: World, job: Job) -> Staged:
    """Make topic and object of a new job."""
    topic = world.create_topic()
    source = world.upload(f"{topic}.csv", job.csv)
    environment = {
        **world.environment(topic=topic, source=source, job_id=topic),
        "KAFKA_CLIENT": job.client,
        "DELIVERY": job.delivery,
        **job.rule.settings(),
        **job.settings,
    }
    if job.has_dead_letters and "DEAD_LETTER_TOPIC" not in environment:
        environment["DEAD_LETTER_TOPIC"] = world.create_topic(dead_letter_topic(topic))
    return Staged(topic, environment)


def dead_letter_topic(topic: str) -> str:
    """Return the topic for the bad rows of a job, by that of its good ones."""
    return f"{topic}-bad"


def ended(attempt: Attempt) -> bool:
    """Tell whether starting the job again would do nothing more: it is done, or it was refused."""
    return attempt.exit_code not in (None, os.EX_TEMPFAIL, STOPPED)


def strikes_of(plans: Sequence[Plan], attempts: Sequence[Attempt]) -> tuple[Strike, ...]:
    """Say of each plan whether it landed.

    Its victim announced it and died of SIGKILL, or ended as one that was asked to, or its node's role moved.
    """
    strikes = []
    sent_by_job = 0
    for plan, attempt in zip(plans, attempts, strict=False):
        lines = [step for step in attempt.steps if step.name == "struck"]
        struck = next((line for line in lines if line.fields["strike"] == str(plan)), None)
        in_flight = int(struck.fields["rows_in_flight"]) if struck else 0
        sent_by_job += sum(step.rows or 0 for step in attempt.steps if step.name == "sent")
        part_of_batch = in_flight if isinstance(plan, KillAtRow | KillInBatch) else 0
        if isinstance(plan, KillNode):
            landed = struck is not None and bool(struck.fields["moved"])
        elif isinstance(plan, StopAtStep):
            landed = struck is not None and attempt.exit_code in (0, STOPPED)  # or nothing was left to be done
        else:
            announced = struck is not None or isinstance(plan, FROM_OUTSIDE)  # nobody announces it
            landed = announced and attempt.signal == signal.SIGKILL
        strikes.append(
            Strike(
                plan.__class__.__name__,
                str(plan),
                landed=landed,
                attempt=attempt.number,
                rows_sent=sent_by_job + part_of_batch,
                rows_in_flight=in_flight,
            )
        )
    return tuple(strikes)


def gather(
    world: World, job: Job, topic: str, *, attempts: Sequence[Attempt], strikes: Sequence[Strike], live: LiveReader
) -> Evidence:
    """Read everything that the job left behind, by the client that did not write it."""
    servers = world.broker.bootstrap_servers
    uncommitted = _told(job.rule, read(servers, topic, isolation="read_uncommitted", client=job.reader, within_s=60))
    committed = _told(job.rule, read(servers, topic, isolation="read_committed", client=job.reader, within_s=60))
    bounds = offsets(servers, topic)
    position = group_offset(servers, f"csv-to-kafka.{topic}", topic)
    return Evidence(
        expected=job.expected,
        delivery=job.delivery,
        committed=committed,
        uncommitted=uncommitted,
        live=_told(job.rule, (seen.record for seen in live.stop())),
        partition=PartitionEnd(bounds.start, bounds.stable, bounds.end),
        position=None if position is None else GroupOffset(*position),
        checkpoints=tuple(
            CheckpointVersion(number, attributes)
            for number, attributes in enumerate(world.cloud.checkpoint_versions(topic), start=1)
        ),
        attempts=tuple(attempts),
        strikes=tuple(strikes),
        bad_rows=len(job.bad_rows),
        lost_commits=lost_commits(world.broker.log_path, f"csv-to-kafka.{topic}"),
    )


def gather_dead_letters(world: World, job: Job, topic: str, evidence: Evidence) -> Evidence:
    """Return the evidence of the job's topic of bad rows: a sequence of records, each once and in order like the rows.

    What the runs told of their steps is about the good rows, and is left out.
    """
    place = (world.broker.bootstrap_servers, dead_letter_topic(topic))
    committed, uncommitted = (
        Records.of((record.offset, record.value or b"") for record in read(*place, isolation=isolation, within_s=60))
        for isolation in ISOLATIONS
    )
    bounds = offsets(*place)
    return Evidence(
        expected=tuple(job.bad_rows),
        delivery=job.delivery,
        committed=committed,
        uncommitted=uncommitted,
        partition=PartitionEnd(bounds.start, bounds.stable, bounds.end),
        attempts=tuple(replace(attempt, steps=()) for attempt in evidence.attempts),
        strikes=evidence.strikes,
    )


def _told(rule: RecordRule, found: Iterable[Record]) -> Records:
    return Records.of(
        (record.offset, rule.told(record.value, key=record.key, headers=record.headers, at_ms=record.timestamp_ms))
        for record in found
    )
