"""The demonstration: a real CSV, a real broker, SIGKILL at random rows, and the judge's verdict on what remains."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from chaos.job import Job, Outcome, run_job
from chaos.schedule import KillAtStep, Plan, encode, kills_at_rows
from harness.broker import KINDS, BrokerUnavailable
from harness.checker import Validity, Verdict, judge
from harness.history import AT_LEAST_ONCE, EXACTLY_ONCE, Attempt
from harness.oracle import expected_values
from harness.partition import Client, offsets
from harness.report import write_report
from harness.target import Target
from harness.wait import TimedOut
from harness.world import World

INTERVAL_ROWS = 1000
RUNS = Path("runs")
EXIT_VALID, EXIT_INVALID, EXIT_NOT_RUN = 0, 1, 2


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give the parser what the demo can be told."""
    parser.add_argument("--seed", type=int, help="draws the rows to kill at; printed if not given")
    parser.add_argument("--kills", type=int, default=4, help="how often it is killed (default 4)")
    parser.add_argument("--client", choices=["kafka-python", "confluent"], default="kafka-python")
    parser.add_argument("--broker", choices=KINDS, default="auto")


def demo(chosen: argparse.Namespace) -> int:
    """Run the demonstration; return 0 when exactly-once held and the control group was convicted."""
    seed = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
    csv = airports()
    job = Job(csv, tuple(expected_values(csv, "json")), chosen.client, settings=_settings(EXACTLY_ONCE))
    plans = kills_at_rows(random.Random(seed), rows=len(job.expected), kills=chosen.kills, interval_rows=INTERVAL_ROWS)
    _say(f"airports.csv of the PyPI package airportsdata (MIT licence): {len(job.expected):,} rows, {len(csv):,} bytes")
    _say(f"seed {seed}: SIGKILL at {encode(plans)}")
    replay = f"python noxfile.py -s demo -- --seed {seed} --kills {chosen.kills} --client {chosen.client}"
    try:
        began = time.monotonic()
        with World(kind=chosen.broker) as world:
            _say(f"{world.broker.kind} broker, S3 and DynamoDB are up ({time.monotonic() - began:.1f} s)\n")
            held = _exactly_once(world, job, plans, replay=replay)
            convicted = _at_least_once(world, job, plans, replay=replay)
            _throughput(world, job)
    except (BrokerUnavailable, TimedOut) as why:
        _say(f"NOT RUN: demo, {why}")
        return EXIT_NOT_RUN
    _say(f"\nreplay: {replay}")
    return EXIT_VALID if held and convicted else EXIT_INVALID


def airports() -> bytes:
    """Return the file: airports of the world, with quotes, commas in cells, and names in many scripts."""
    import airportsdata  # noqa: PLC0415  # a package of 3 MB that only the demo needs

    return (Path(airportsdata.__file__).parent / "airports.csv").read_bytes()


def _exactly_once(world: World, job: Job, plans: Sequence[Plan], *, replay: str) -> bool:
    _say(f"exactly-once, {job.client}, a transaction each {INTERVAL_ROWS:,} rows")
    outcome = run_job(world, job, plans, on_attempt=_say_attempt)
    nothing_sent = _run_once_more(world, outcome)
    verdict = judge(outcome.evidence)
    committed, uncommitted = outcome.evidence.committed, outcome.evidence.uncommitted
    aborted = len(uncommitted or ()) - len(committed)
    _say(f"  read back with {job.reader}: {len(committed):,} rows committed, {aborted:,} aborted ones hidden")
    _say_verdict(verdict)
    _keep(outcome, verdict, RUNS / "demo", replay=replay)
    return verdict.validity is Validity.VALID and nothing_sent


def _run_once_more(world: World, outcome: Outcome) -> bool:
    """Start the completed job again: it must end with 0 and send nothing."""
    before = offsets(world.broker.bootstrap_servers, outcome.topic).end
    target = Target((sys.executable, "-m", "processor", "run"), outcome.environment)
    again = target.wait(within_s=60)
    sent = offsets(world.broker.bootstrap_servers, outcome.topic).end - before
    _say(f"  once more after the end: exit code {again.exit_code}, {sent} records sent ({target.seconds:.1f} s)")
    return again.exit_code == 0 and sent == 0


def _at_least_once(world: World, job: Job, plans: Sequence[Plan], *, replay: str) -> bool:
    """The control group: the same kills, and one between flush and save, must leave duplicates behind."""
    control = Job(job.csv, job.expected, job.client, AT_LEAST_ONCE, _settings(AT_LEAST_ONCE))
    _say("\nfor comparison, at-least-once (idempotent producer, flush, then checkpoint) under the same kills")
    outcome = run_job(world, control, [*plans, KillAtStep("sent", 1)], on_attempt=_say_attempt)
    verdict = judge(outcome.evidence)
    _say_verdict(verdict)
    _keep(outcome, verdict, RUNS / "demo-at-least-once", replay=replay)
    return verdict.names == {"Duplicate"}


def _keep(outcome: Outcome, verdict: Verdict, folder: Path, *, replay: str) -> None:
    """Leave the evidence and a page about it; `python -m harness report` judges the folder again."""
    outcome.evidence.save(folder)
    (folder / "replay.txt").write_text(f"{replay}\n", encoding="utf-8")
    title = f"demo: airports.csv, {outcome.evidence.delivery}"
    page = write_report(
        outcome.evidence, verdict, folder / "report.html", title=title, replay=replay, seconds=outcome.seconds
    )
    _say(f"  report: {page}")


def _throughput(world: World, job: Job) -> None:
    """Time a run without kills for each client. No benchmark: the file is small and the broker cold."""
    _say("\nwithout kills, 10,000 rows a transaction, start-up not counted")
    clients: tuple[Client, ...] = ("kafka-python", "confluent")
    for client in clients:
        calm = Job(job.csv, job.expected, client, settings={"KAFKA_COMPRESSION": "lz4"})
        evidence = run_job(world, calm, []).evidence
        times = {step.name: step.at_s or 0.0 for step in evidence.attempts[-1].steps}
        rate = len(job.expected) / max(times["committed"] - times["resumed"], 1e-6)
        _say(f"  {client}: {rate:,.0f} rows/s, {len(evidence.committed):,} rows")


def _settings(delivery: str) -> dict[str, str]:
    return {"CHECKPOINT_INTERVAL": str(INTERVAL_ROWS), "KAFKA_COMPRESSION": "lz4", "DELIVERY": delivery}


def _say_attempt(attempt: Attempt, seconds: float) -> None:
    resumed = next((step.next_row for step in attempt.steps if step.name == "resumed"), None)
    struck = next((step for step in attempt.steps if step.name == "struck"), None)
    start = "did not resume" if resumed is None else f"from row {resumed:,}"
    how = "done" if attempt.exit_code == 0 else attempt.ended
    if struck is not None:
        how = f"killed at {struck.fields['strike']} with {struck.fields['rows_in_flight']:,} rows in flight"
    _say(f"  attempt {attempt.number}: {start}, {how} ({seconds:.1f} s)")


def _say_verdict(verdict: Verdict) -> None:
    first, *rest = verdict.summary.splitlines()
    _say(f"  verdict: {first}")
    for line in rest:
        _say(f"  {line}")


def _say(line: str) -> None:
    print(line, flush=True)
