"""The peers that are single programs, each with the settings that were found best for it.

All send to one partition with acks=all, lz4 and one request in flight, where they let that be set.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping

from benchmarks.peers.peer import PeerUnavailable, Prepared
from benchmarks.peers.process import ProcessPeer
from harness.broker import BrokerUnavailable, jars
from harness.broker.jre import java_home

TRANSACTION_ROWS = 10_000
LOOP_SETTINGS: Mapping[str, object] = {
    "acks": "all",
    "compression_type": "lz4",
    "max_in_flight_requests_per_connection": 1,
    "enable_idempotence": True,
    "batch_size": 1 << 18,
    "linger_ms": 20,
}


def kcat(bootstrap_servers: str) -> ProcessPeer:
    """Return librdkafka without anything around it: prepared lines, at-least-once.

    Large batches and a short wait for them; idempotence costs it nothing and keeps the order over a retry.
    """
    settings = {
        "acks": "all",
        "enable.idempotence": "true",
        "max.in.flight": "1",
        "linger.ms": "5",
        "batch.num.messages": "100000",
        "batch.size": "1000000",
        "queue.buffering.max.messages": "1000000",
    }
    flags = [part for name, value in settings.items() for part in ("-X", f"{name}={value}")]

    def command(prepared: Prepared, topic: str) -> list[str]:
        place = ["-b", bootstrap_servers, "-t", topic, "-p", "0"]
        return ["kcat", "-P", "-q", *place, "-z", "lz4", *flags, "-l", str(prepared.lines)]

    return ProcessPeer("kcat -P -l", "at-least-once", bootstrap_servers, _find_kcat, command)


def perf_test(bootstrap_servers: str, *, transaction_ms: int | None = None) -> ProcessPeer:
    """Return Kafka's own producer benchmark, the Java client's limit: prepared lines drawn at random, from memory.

    With `transaction_ms` it commits that often, without any position in it.
    """
    settings = ["acks=all", "compression.type=lz4", "max.in.flight.requests.per.connection=1"]
    settings += ["batch.size=262144", "linger.ms=5", "buffer.memory=134217728"]

    def command(prepared: Prepared, topic: str) -> list[str]:
        class_path = os.pathsep.join(map(str, jars.fetch(jars.TOOLS)))
        java = [str(java_home() / "bin" / "java"), "-Xmx1G", "-cp", class_path]
        what = ["--topic", topic, "--num-records", str(prepared.rows), "--payload-file", str(prepared.lines)]
        transactions = [] if transaction_ms is None else ["--transaction-duration-ms", str(transaction_ms)]
        return [
            *(*java, "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", bootstrap_servers),
            *(*what, "--throughput", "-1", *transactions, "--command-property", *settings),
        ]

    plain = transaction_ms is None
    name = "producer-perf-test" if plain else f"producer-perf-test, transactions of {transaction_ms} ms"
    delivery = "at-least-once" if plain else "transactional"
    return ProcessPeer(name, delivery, bootstrap_servers, _find_tools, command, in_order=False)


def confluent_script(bootstrap_servers: str, *, transaction_rows: int = TRANSACTION_ROWS) -> ProcessPeer:
    """Return the script that most would write with confluent-kafka: csv, json, produce, a transaction each N rows."""

    def command(prepared: Prepared, topic: str) -> list[str]:
        script = [sys.executable, "-m", "benchmarks.peers.confluent_script"]
        return [*script, bootstrap_servers, topic, str(prepared.csv), str(transaction_rows)]

    name = f"confluent-kafka script, {transaction_rows:,} rows a transaction"
    return ProcessPeer(name, "transactional", bootstrap_servers, lambda: None, command)


def kafka_python_loop(
    bootstrap_servers: str, *, transaction_rows: int = 0, settings: Mapping[str, object] = LOOP_SETTINGS
) -> ProcessPeer:
    """Return kafka-python's own limit: a loop that sends prepared lines, with the settings given.

    0 rows a transaction: none at all, at-least-once.
    """

    def command(prepared: Prepared, topic: str) -> list[str]:
        script = [sys.executable, "-m", "benchmarks.peers.kafka_python_loop"]
        return [*script, bootstrap_servers, topic, str(prepared.lines), str(transaction_rows), json.dumps(settings)]

    name = "kafka-python loop" + (f", {transaction_rows:,} rows a transaction" if transaction_rows else "")
    delivery = "transactional" if transaction_rows else "at-least-once"
    return ProcessPeer(name, delivery, bootstrap_servers, lambda: None, command)


def _find_kcat() -> None:
    if shutil.which("kcat") is None:
        raise PeerUnavailable("no kcat on the PATH (Debian: apt-get install kcat)")


def _find_tools() -> None:
    try:
        java_home()
        jars.fetch(jars.TOOLS)
    except BrokerUnavailable as why:
        raise PeerUnavailable(str(why)) from why
