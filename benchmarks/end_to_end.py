"""Rows a second from S3 to the partition, by client and delivery: rounds that alternate on one warm broker.

The time runs from `resumed` to the last `committed`: start-up is not counted, everything else is. S3 is moto on the
same machine, so the processor shares two cores with the broker and with moto.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections import defaultdict
from importlib.metadata import version

from harness.target import Target
from harness.world import World

WARM_UP_ROUNDS = 1
VARIANTS = tuple(
    (client, delivery) for delivery in ("exactly-once", "at-least-once") for client in ("kafka-python", "confluent")
)


def rows_of_100_bytes(rows: int) -> bytes:
    """Return a CSV whose rows have about 100 bytes, one cell of them quoted."""
    lines = (
        f'{row},customer number {row},"Main Street 12, Springfield",2026-01-01T00:00:00Z,{row * 7 % 100000}.00,active\n'
        for row in range(rows)
    )
    return ("id,name,address,created,balance,state\n" + "".join(lines)).encode()


def rate(world: World, source: str, *, client: str, delivery: str, rows: int) -> float:
    """Run the processor once on a topic of its own; return rows a second. Raises where it did not send every row."""
    topic = world.create_topic()
    environment = {
        **world.environment(topic=topic, source=source, job_id=topic),
        "KAFKA_CLIENT": client,
        "DELIVERY": delivery,
        "KAFKA_COMPRESSION": "lz4",
    }
    run = Target((sys.executable, "-m", "processor", "run"), environment)
    end = run.wait(within_s=600)
    if end.exit_code != 0 or end.steps[-1].rows != rows:
        raise RuntimeError(f"{client}, {delivery} ended with {end.ended}: {run.stderr}")
    moments = {step.name: step.at_s or 0.0 for step in end.steps}
    return rows / (moments["committed"] - moments["resumed"])


def main() -> int:
    """Print one line for each client and delivery: median, slowest and fastest round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.end_to_end", description=__doc__)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--broker", default="jvm")
    chosen = parser.parse_args()
    csv = rows_of_100_bytes(chosen.rows)
    clients = ", ".join(f"{name} {version(name)}" for name in ("kafka-python", "confluent-kafka"))
    print(f"{chosen.rows:,} rows of {len(csv) / chosen.rows:.0f} bytes, lz4, 10,000 rows a transaction; {clients}; ")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    with World(kind=chosen.broker) as world:
        source = world.upload("rows.csv", csv)
        for number in range(WARM_UP_ROUNDS + chosen.rounds):
            for client, delivery in VARIANTS:
                found = rate(world, source, client=client, delivery=delivery, rows=chosen.rows)
                if number >= WARM_UP_ROUNDS:
                    rates[client, delivery].append(found)
    for (client, delivery), found_rates in rates.items():
        middle = statistics.median(found_rates)
        print(f"{client:13} {delivery:14} {middle:9,.0f} rows/s ({min(found_rates):,.0f} to {max(found_rates):,.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
