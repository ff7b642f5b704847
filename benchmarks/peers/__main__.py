"""`python -m benchmarks.peers`: all peers in turn on one warm broker, round after round, and what a reader found.

Only figures of the same minutes compare: a broker gets faster for many runs, and the machine may have other work.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.peers.connect import ConnectPeer
from benchmarks.peers.count import count_rows
from benchmarks.peers.peer import Peer, PeerUnavailable, Prepared
from benchmarks.peers.programs import TRANSACTION_ROWS, confluent_script, kafka_python_loop, kcat, perf_test
from benchmarks.peers.rows import prepare, rows_of_116_bytes
from harness.broker.jars import kafka_version
from harness.world import World


def all_peers(bootstrap_servers: str) -> tuple[Peer, ...]:
    """Return every peer, the fastest first, for one broker."""
    return (
        kcat(bootstrap_servers),
        perf_test(bootstrap_servers),
        perf_test(bootstrap_servers, transaction_ms=50),
        ConnectPeer(bootstrap_servers, "poll"),
        ConnectPeer(bootstrap_servers, "interval"),
        confluent_script(bootstrap_servers),
        kafka_python_loop(bootstrap_servers),
        kafka_python_loop(bootstrap_servers, transaction_rows=TRANSACTION_ROWS),
    )


class Table:
    """The rates of every round, and what was wrong in any of them."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = defaultdict(list)
        self.marks: dict[str, set[str]] = defaultdict(set)

    def lines(self, peers: Sequence[Peer], resumes: Mapping[str, str]) -> list[str]:
        """Return the table; the share is that of the first peer, in the same round."""
        first = self.rates[peers[0].name]
        lines = [
            "| peer | delivery | rows/s (slowest to fastest) | share | resume | what a reader found |",
            "|---|" * 6,
        ]
        for peer in peers:
            rates = self.rates[peer.name]
            shares = [rate / base for rate, base in zip(rates, first, strict=True)]
            rate = f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
            found = "; ".join(sorted(self.marks[peer.name])) or "every row once" + (", in order" * peer.in_order)
            share, resume = f"{statistics.median(shares):.2f}", resumes.get(peer.name, "n/a")
            lines.append(f"| {peer.name} | {peer.delivery} | {rate} | {share} | {resume} | {found} |")
        return lines


def measure(world: World, peers: Sequence[Peer], prepared: Prepared, *, rounds: int, warm_up: int) -> Table:
    """Run the peers in turn, each round beginning with another one; count after each run."""
    table, servers = Table(), world.broker.bootstrap_servers
    for number in range(warm_up + rounds):
        first = number % len(peers)
        for peer in (*peers[first:], *peers[:first]):
            topic = world.create_topic()
            found = peer.run(prepared, topic)
            mark = count_rows(servers, topic, prepared, in_order=peer.in_order).mark
            if mark:
                table.marks[peer.name].add(mark)
            if number >= warm_up:
                table.rates[peer.name].append(found.rows_per_s)
            _say(f"round {number + 1 - warm_up:2} {peer.name}: {found.rows_per_s:,.0f} rows/s {mark}")
    return table


def resume_all(world: World, peers: Sequence[Peer], prepared: Prepared, table: Table) -> dict[str, str]:
    """Kill and start again whoever can go on; return the seconds to the first new row."""
    resumes = {}
    for peer in peers:
        topic = world.create_topic()
        try:
            seconds = peer.resume_s(prepared, topic)
        except RuntimeError as why:
            resumes[peer.name] = f"not measured: {why}"
            continue
        if seconds is not None:
            resumes[peer.name] = f"{seconds:.1f} s"
            mark = count_rows(world.broker.bootstrap_servers, topic, prepared, in_order=peer.in_order).mark
            if mark:
                table.marks[peer.name].add(f"after a kill {mark}")
    return resumes


def main() -> int:
    """Print what each run gave on stderr, and the table on stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default 5)")
    parser.add_argument("--warm-up", type=int, default=2, help="rounds before them (default 2)")
    parser.add_argument("--only", nargs="*", default=[""], help="peers whose name holds one of these texts")
    parser.add_argument("--broker", default="jvm")
    chosen = parser.parse_args()
    with World(kind=chosen.broker) as world, tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        prepared = prepare(rows_of_116_bytes(chosen.rows), Path(folder))
        bytes_each = f"{prepared.lines.stat().st_size / prepared.rows - 1:.0f} bytes"
        peers = []
        for peer in all_peers(world.broker.bootstrap_servers):
            if any(text in peer.name for text in chosen.only):
                try:
                    peers.append(opened.enter_context(peer))
                except PeerUnavailable as why:
                    print(f"NOT RUN: {peer.name}, {why}")
        table = measure(world, peers, prepared, rounds=chosen.rounds, warm_up=chosen.warm_up)
        resumes = resume_all(world, peers, prepared, table)
    print(f"{prepared.rows:,} rows of {bytes_each}, lz4, one partition; Kafka {kafka_version()},")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print("\n".join(table.lines(peers, resumes)))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
