"""A broker keeps its records and its address through every fault, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from harness.broker import Broker, BrokerKind, BrokerUnavailable, choose_kind, leftovers, open_broker
from harness.broker.external import ExternalBroker
from harness.broker.settings import PORTS
from harness.partition import LiveReader, create_topic, offsets, read
from harness.plugin import not_run
from harness.wait import until
from harness.world import fresh_topic

pytestmark = pytest.mark.broker
REPOSITORY = Path(__file__).parents[2]
KINDS = ["jvm", pytest.param("jvm3", marks=pytest.mark.cluster), "docker"]
JVMS = {"jvm": 1, "jvm3": 3, "docker": 0}
STARTS_A_BROKER_AND_STAYS = """
import signal
from harness.broker import open_broker
broker = open_broker("{kind}")
broker.start()
print(broker.bootstrap_servers, broker.log_path.parent, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module", params=KINDS)
def own_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker that these tests may strike; every one leaves it running."""
    try:
        opened = open_broker(request.param)
        opened.start()
    except BrokerUnavailable as why:
        not_run(request.param, what=f"the tests of the {request.param} broker", why=why)
    yield opened
    opened.close()


def write(broker: Broker, topic: str, *values: bytes, **settings: object) -> None:
    """Write acknowledged records, or raise the first refusal."""
    producer = Producer(
        {"log_level": 0, "bootstrap.servers": broker.bootstrap_servers, "delivery.timeout.ms": 20_000, **settings}
    )
    refusals: list[KafkaError] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: refusals.append(error) if error else None)
    assert producer.flush(30) == 0
    if refusals:
        raise KafkaException(refusals[0])


def values(broker: Broker, topic: str) -> list[bytes | None]:
    return [record.value for record in read(broker.bootstrap_servers, topic, isolation="read_committed")]


def answers(broker: Broker) -> bool:
    try:
        AdminClient({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}).list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def with_topic(broker: Broker) -> str:
    topic = fresh_topic()
    create_topic(broker.bootstrap_servers, topic)
    return topic


def test_acknowledged_records_survive_kill_and_stop_at_the_same_address(own_broker: Broker) -> None:
    address, topic = own_broker.bootstrap_servers, with_topic(own_broker)
    write(own_broker, topic, b"a")
    own_broker.kill()
    assert not answers(own_broker)
    own_broker.start()
    write(own_broker, topic, b"b")
    own_broker.stop()
    assert not answers(own_broker)
    own_broker.start()
    assert values(own_broker, topic) == [b"a", b"b"]
    assert own_broker.bootstrap_servers == address


def test_live_reader_reads_on_through_the_death_of_the_broker(own_broker: Broker) -> None:
    topic = with_topic(own_broker)
    with LiveReader(own_broker.bootstrap_servers, topic) as reader:
        write(own_broker, topic, b"before")
        until(lambda: len(reader.seen()) == 1, within_s=30, what="the first record, live")
        own_broker.kill()
        own_broker.start()
        write(own_broker, topic, b"after")
        until(lambda: len(reader.seen()) == 2, within_s=30, what="the second record, live")
        assert [one.value for one in reader.stop()] == [b"before", b"after"]


def test_paused_broker_answers_nothing_until_it_is_resumed(own_broker: Broker) -> None:
    own_broker.pause()
    try:
        assert not answers(own_broker)
    finally:
        own_broker.resume()
    until(lambda: answers(own_broker), within_s=30, what="the resumed broker to answer")
    write(own_broker, with_topic(own_broker), b"a")


def test_broker_is_not_started_twice_and_a_dead_one_not_killed_again(own_broker: Broker) -> None:
    with pytest.raises(RuntimeError, match=r"runs? already"):
        own_broker.start()
    own_broker.kill()
    with pytest.raises(RuntimeError, match="not running"):
        own_broker.kill()
    own_broker.start()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_is_taken(own_broker: Broker, codec: str) -> None:
    topic, rows = with_topic(own_broker), [b"row " * 50] * 100
    write(own_broker, topic, *rows, **{"compression.type": codec})
    assert values(own_broker, topic) == rows


def test_log_is_there_to_read(own_broker: Broker) -> None:
    path = own_broker.log_path
    assert path is not None
    assert "Kafka Server started" in path.read_text(encoding="utf-8", errors="replace")


def test_transaction_that_nobody_ends_is_aborted_soon(own_broker: Broker) -> None:
    topic = with_topic(own_broker)
    producer = Producer(
        {
            "log_level": 0,
            "bootstrap.servers": own_broker.bootstrap_servers,
            "transactional.id": topic,
            "transaction.timeout.ms": 3000,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"never committed")
    assert producer.flush(30) == 0
    assert offsets(own_broker.bootstrap_servers, topic).stable == 0

    def is_ended() -> bool:
        bounds = offsets(own_broker.bootstrap_servers, topic)
        return bounds.stable == bounds.end

    until(is_ended, within_s=8, what="the transaction to be aborted")  # 10 s would be Kafka's default pace
    assert values(own_broker, topic) == []


def test_unknown_topic_is_refused_rather_than_made(own_broker: Broker) -> None:
    with pytest.raises(KafkaException):
        write(own_broker, "never-created", b"a", **{"delivery.timeout.ms": 2000})


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_broker_listens_on_loopback_alone(own_broker: Broker) -> None:
    port = int(own_broker.bootstrap_servers.rpartition(":")[2])
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            address, _, local_port = line.split()[1].rpartition(":")
            if int(local_port, 16) == port and line.split()[3] == "0A":
                listening.add(address[-8:])
    assert listening == {"0100007F"}


def test_port_lies_below_every_ephemeral_range(own_broker: Broker) -> None:
    assert int(own_broker.bootstrap_servers.rpartition(":")[2]) in PORTS
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if ephemeral.exists():
        assert int(ephemeral.read_text(encoding="ascii").split()[0]) not in PORTS


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_outlives_an_owner_that_was_killed(
    kind: BrokerKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A sweep that went wrong must find nothing of anybody else.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    try:
        open_broker(kind).close()
    except BrokerUnavailable as why:
        not_run(kind, what=f"the sweep of the {kind} broker", why=why)
    owner = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_BROKER_AND_STAYS.format(kind=kind)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    with owner:
        assert owner.stdout is not None
        address, folder = owner.stdout.readline().split()
        sweep(kind)
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        assert admin.list_topics(timeout=10).brokers, "a sweep ended the broker of a living owner"
        jvms = [registered_jvm(path) for path in leftovers.registry().glob(f"jvm-*-{owner.pid}.json")]
        assert len(jvms) == JVMS[kind]
        owner.send_signal(signal.SIGKILL)
    for jvm in jvms:  # its guardian does not wait for a sweep
        until(jvm.is_dead, within_s=10, what="the JVM to die with its owner")
    sweep(kind)
    assert not Path(folder).exists()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=1)


def registered_jvm(path: Path) -> leftovers.ProcessName:
    return leftovers.ProcessName.from_json(path.read_text(encoding="utf-8").splitlines()[1])


def sweep(kind: BrokerKind) -> list[str]:
    if kind == "docker":
        from harness.broker import docker  # noqa: PLC0415  # only where there is a client for it

        return docker.sweep()
    return leftovers.sweep()


def test_address_in_the_environment_means_an_external_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert choose_kind() == "external"
    assert open_broker().bootstrap_servers == "127.0.0.1:1"


def test_without_a_docker_engine_the_choice_is_the_jvm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    from harness.broker import image  # noqa: PLC0415  # its answer is remembered for the process

    image.usable_image.cache_clear()
    assert choose_kind() == "jvm"
    with pytest.raises(BrokerUnavailable, match="no Docker engine answers"):
        open_broker("docker")


def test_external_broker_serves_but_cannot_be_struck(own_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", own_broker.bootstrap_servers)
    with ExternalBroker() as external:
        topic = with_topic(external)
        write(external, topic, b"a")
        for fault in (external.kill, external.stop, external.pause, external.resume):
            with pytest.raises(BrokerUnavailable, match="cannot be"):
                fault()
    assert values(own_broker, topic) == [b"a"]


def test_external_broker_without_an_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(BrokerUnavailable, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        open_broker("external")
