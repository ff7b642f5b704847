"""A campaign on a real broker: seeded jobs, each killed again and again, each judged.

Everything that chance decides comes from the campaign's seed: the workload, the client, the interval, and what is
planned for each attempt. What an outside kill meets depends on the machine; its plan does not.
"""

from __future__ import annotations

import argparse
import math
import random
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from chaos.job import STOPPED, Staged, ended, gather, gather_dead_letters, stage, strikes_of
from chaos.nemesis.node_kills import NodeKills
from chaos.nursery import Nursery
from chaos.rounds import Round, draw_round
from chaos.schedule import (
    BATCHES_OF_NODE_KILL,
    FROM_OUTSIDE,
    KillAfter,
    KillAfterRecords,
    KillNode,
    NodeRole,
    Plan,
    draw,
    draw_node_kill,
    draw_outside,
)
from chaos.tally import Tally, places_of
from chaos.victim import VARIABLE
from harness.broker import KINDS
from harness.broker.cluster import JvmCluster
from harness.broker.secure import SecureBroker
from harness.checker import Validity, Verdict, judge, merge
from harness.growth import Growth
from harness.history import Attempt, Evidence
from harness.partition import LiveReader
from harness.target import Target
from harness.world import World

Launch: TypeAlias = Callable[[Staged, "Plan | None", int], Attempt]
ATTEMPT_WITHIN_S = 120.0
MOST_ATTEMPTS_BEYOND_KILLS = 20
EXIT = {Validity.VALID: 0, Validity.INVALID: 1, Validity.UNKNOWN: 3}
GRAVITY = (Validity.VALID, Validity.UNKNOWN, Validity.INVALID)
ROLES_IN_TURN: tuple[NodeRole, NodeRole] = ("leader", "coordinator")
NODE_KILL_EACH = 3  # attempts: the others die with one node down, or with none


def play(world: World, launch: Launch, drawn: Round, *, outside_only: bool) -> tuple[Evidence, ...]:
    """Run the job through its deaths to its end; return the evidence, and that of the bad rows' topic if it has one."""
    rng = random.Random(f"{drawn.seed}/{drawn.number}/plans")
    staged = stage(world, drawn.job)
    attempts: list[Attempt] = []
    plans: list[Plan | None] = []
    with LiveReader(world.broker.bootstrap_servers, staged.topic) as live:
        planner = _outside_plans(rng, drawn, attempts) if outside_only else _plans(rng, drawn, attempts, plans)
        for plan in planner:
            attempts.append(launch(staged, plan, len(attempts) + 1))
            plans.append(plan)
            if ended(attempts[-1]):
                break
        planned = list(zip(plans, attempts, strict=True))
        # Where not one kill landed, the missed ones stay in the evidence, and the judge calls the run vacuous.
        struck = [pair for pair in planned if _counts(*pair)] or planned
        strikes = strikes_of([plan for plan, _ in struck if plan], [attempt for plan, attempt in struck if plan])
        evidence = gather(world, drawn.job, staged.topic, attempts=attempts, strikes=strikes, live=live)
    if not drawn.job.has_dead_letters:
        return (evidence,)
    return evidence, gather_dead_letters(world, drawn.job, staged.topic, evidence)


def _plans(
    rng: random.Random, drawn: Round, attempts: Sequence[Attempt], plans: Sequence[Plan | None]
) -> Iterator[Plan | None]:
    """Yield a plan for each attempt until the kills are done or hardly any batch is left, then none."""
    for _ in range(drawn.kills + drawn.node_kills + MOST_ATTEMPTS_BEYOND_KILLS):
        done = max((step.next_row or 0 for attempt in attempts for step in attempt.steps), default=0)
        batches_left = (len(drawn.job.expected) + len(drawn.job.bad_rows) - done) // drawn.interval_rows - 1
        killed = sum(attempt.signal == signal.SIGKILL for attempt in attempts)
        nodes = sum(isinstance(plan, KillNode) for plan in plans)
        if nodes < drawn.node_kills and batches_left >= BATCHES_OF_NODE_KILL and len(plans) % NODE_KILL_EACH == 1:
            yield draw_node_kill(rng, ROLES_IN_TURN[nodes % 2], interval_rows=drawn.interval_rows)
        elif killed >= drawn.kills or batches_left < 1:
            yield None
        else:
            yield draw(rng, batches_left=batches_left, interval_rows=drawn.interval_rows)


def _outside_plans(rng: random.Random, drawn: Round, attempts: Sequence[Attempt]) -> Iterator[Plan | None]:
    """Yield kills from outside, the only ones that a program without step lines can be given, then none."""
    for _ in range(drawn.kills + MOST_ATTEMPTS_BEYOND_KILLS):
        killed = sum(attempt.signal == signal.SIGKILL for attempt in attempts)
        yield draw_outside(rng, interval_rows=drawn.interval_rows) if killed < drawn.kills else None


def _counts(plan: Plan | None, attempt: Attempt) -> bool:
    """A kill from outside that came after the end was no strike; any other plan that missed leaves the run unknown."""
    if isinstance(plan, KillNode):
        return any(step.fields.get("strike") == str(plan) for step in attempt.steps)
    return plan is not None and not (isinstance(plan, FROM_OUTSIDE) and attempt.signal is None)


def launch_victims(nursery: Nursery, node_kills: NodeKills | None = None) -> Launch:
    """Return the function that has our own processor run once."""

    def launch(staged: Staged, plan: Plan | None, number: int) -> Attempt:
        if isinstance(plan, KillNode):
            assert node_kills is not None, "only three brokers can lose one"
            return node_kills.run(staged, plan, number, within_s=ATTEMPT_WITHIN_S)
        outside = plan.seconds if isinstance(plan, KillAfter) else None
        inside = "" if plan is None or outside is not None else str(plan)
        environment = {**staged.environment, VARIABLE: inside}
        return nursery.run(environment, number=number, within_s=ATTEMPT_WITHIN_S, kill_after_s=outside)

    return launch


def launch_command(command: Sequence[str]) -> Launch:
    """Return the function that runs somebody else's program once, with the variables of the job."""

    def launch(staged: Staged, plan: Plan | None, number: int) -> Attempt:
        growth = Growth(staged.environment["KAFKA_BOOTSTRAP_SERVERS"], staged.topic, "read_uncommitted")
        due = growth.end() + plan.records if isinstance(plan, KillAfterRecords) else 0
        target = Target(command, staged.environment, number=number)
        if isinstance(plan, KillAfter):
            target.kill_after(plan.seconds)
        elif isinstance(plan, KillAfterRecords):
            target.kill_when(lambda: growth.end() >= due, within_s=ATTEMPT_WITHIN_S, what=f"{plan}")
        return target.wait(within_s=ATTEMPT_WITHIN_S)

    return launch


def campaign(chosen: argparse.Namespace) -> int:
    """Run the rounds; print what was seen; return the exit code of the merged verdict."""
    seed = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
    amount = f"{chosen.rounds} jobs" if chosen.minutes is None else f"jobs for {chosen.minutes:g} minutes"
    _say(f"seed {seed}: {amount}, {chosen.kills} kills each")
    tally, began = Tally(), time.monotonic()
    until_s = math.inf if chosen.minutes is None else began + 60 * chosen.minutes
    end = chosen.first + chosen.rounds if chosen.minutes is None else sys.maxsize
    numbers = range(chosen.first, end)
    with ExitStack() as opened:
        secure = opened.enter_context(SecureBroker()) if chosen.listener else None
        world = opened.enter_context(World(kind=chosen.broker, broker=secure))
        _say(f"{world.broker.kind} broker, S3 and DynamoDB are up")
        stage = Stage(world, chosen, seed, tally, until_s)
        if secure is not None:
            stage.connection = secure.variables(chosen.listener)
        if isinstance(world.broker, JvmCluster) and not chosen.target:
            stage.node_kills = opened.enter_context(NodeKills(world.broker))
        workers = chosen.workers or (1 if stage.node_kills else 2)  # a node that falls would fall for both
        shares = [numbers[worker::workers] for worker in range(workers)]
        pool = opened.enter_context(ThreadPoolExecutor(workers))
        for done in [pool.submit(stage.work, share) for share in shares]:
            done.result()
    for line in tally.summary(seconds=time.monotonic() - began, outside_only=bool(chosen.target)):
        _say(line)
    if stage.node_kills is not None:
        _say(stage.node_kills.summary())
        if chosen.node_kills and not stage.node_kills.landed:
            tally.verdicts.append(Validity.UNKNOWN)
    return EXIT[merge(iter(tally.verdicts))]


@dataclass(slots=True)
class Stage:
    """Where the rounds of one campaign are played, and what it was told."""

    world: World
    chosen: argparse.Namespace
    seed: int
    tally: Tally
    until_s: float  # on the monotonic clock
    node_kills: NodeKills | None = None
    connection: Mapping[str, str] = field(default_factory=dict)  # variables of the victims' listener

    def work(self, share: range) -> None:
        """Play these rounds, one after the other, until the time is up."""
        chosen = self.chosen
        node_kills = chosen.node_kills if self.node_kills else 0
        outside_only = bool(chosen.target)
        with Nursery() as nursery:
            launch = launch_command(chosen.target) if outside_only else launch_victims(nursery, self.node_kills)
            for number in takewhile(lambda _: time.monotonic() < self.until_s, share):
                drawn = draw_round(
                    self.seed,
                    number,
                    kills=chosen.kills,
                    client=chosen.client,
                    plain=chosen.plain,
                    foreign=outside_only,
                    node_kills=node_kills,
                )
                job = replace(drawn.job, settings={**drawn.job.settings, **self.connection})
                drawn = replace(drawn, job=job)
                judged = [(one, judge(one)) for one in play(self.world, launch, drawn, outside_only=outside_only)]
                evidence, verdict = max(judged, key=lambda pair: GRAVITY.index(pair[1].validity))
                places = places_of(evidence, outside_only=outside_only)
                stops = sum(attempt.exit_code == STOPPED for attempt in evidence.attempts)
                self.tally.count(drawn.job.client, places, verdict, stops=stops)
                who = chosen.target[-1] if outside_only else drawn.job.client
                rows, kills = f"{len(drawn.job.expected):,} rows", places.total()
                if drawn.job.bad_rows:
                    how = "sent elsewhere" if drawn.job.has_dead_letters else "skipped"
                    rows += f" and {len(drawn.job.bad_rows):,} bad ones {how}"
                _say(f"  {number}: {who}, {rows} by {drawn.interval_rows}, {kills} kills: {verdict.validity}")
                if verdict.validity is not Validity.VALID:
                    self._say_failure(evidence, verdict, number)

    def _say_failure(self, evidence: Evidence, verdict: Verdict, number: int) -> None:
        folder = Path("runs") / f"{self.seed}-{number}"
        evidence.save(folder)
        chosen = self.chosen
        flags = f"--seed {self.seed} --first {number} --rounds 1 --kills {chosen.kills}"
        flags += f" --client {chosen.client}" if chosen.client else ""
        flags += " --plain" if chosen.plain else ""
        flags += f" --listener {chosen.listener}" if chosen.listener else ""
        if self.node_kills is not None:
            flags += f" --broker {self.world.broker.kind} --node-kills {chosen.node_kills}"
        flags += f" -- {shlex.join(chosen.target)}" if chosen.target else ""
        _say(verdict.summary)
        _say(f"replay: nox -s chaos -- {flags}   evidence: {folder}/")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give the parser what a campaign can be told."""
    parser.add_argument("--seed", type=int, help="draws everything; printed if not given")
    parser.add_argument("--rounds", type=int, default=10, help="jobs (default 10)")
    parser.add_argument("--minutes", type=float, help="as many jobs as begin in this time, in the place of --rounds")
    parser.add_argument("--first", type=int, default=0, help="number of the first job, to replay one (default 0)")
    parser.add_argument(
        "--kills",
        type=int,
        default=12,
        help="SIGKILLs for each job (default 12); 0: clean runs, which the judge must find valid",
    )
    parser.add_argument("--client", choices=["kafka-python", "confluent"], help="by default they take turns")
    parser.add_argument("--broker", choices=KINDS, default="auto")
    parser.add_argument(
        "--listener", choices=["tls", "mtls", "scram", "scram-plain"], help="of a secured JVM broker, for every run"
    )
    parser.add_argument("--plain", action="store_true", help="rows of ASCII, one line each, for a COMMAND of lines")
    parser.add_argument(
        "--node-kills", type=int, default=2, help="SIGKILLs of one of three brokers for each job, with jvm3 (default 2)"
    )
    parser.add_argument("target", nargs="*", metavar="COMMAND", help="after --: another program to kill and judge")
    parser.add_argument("--workers", type=int, help="jobs at once (default 2; with jvm3 1)")


def _say(line: str) -> None:
    print(line, flush=True)
