"""Each peer moves a thousand rows, and what a reader finds is counted right; what is wrong is marked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Producer

from benchmarks.peer_runs import PEERS
from benchmarks.peers.count import Count, count_rows
from benchmarks.peers.peer import Measured, Peer, PeerUnavailable, Prepared
from benchmarks.peers.process import ProcessPeer
from benchmarks.peers.rows import prepare
from benchmarks.peers.watch import Watch
from harness.plugin import not_run
from harness.wait import until
from harness.workload import Shape, generate
from harness.world import World

BY_NAME = {peer.name: peer for peer in PEERS}
LIGHT = [name for name in BY_NAME if not name.startswith("Flink")]
PARTS = {"kcat": "kcat", "producer-perf-test": "jvm", "Connect": "jvm", "Flink": "flink"}  # as `REQUIRE` calls them
ROWS_TO_CUT = 1_000_000  # Flink commits once a second
HEADER = "id,name,created,balance,state\n"


def rows_of_116_bytes(rows: int) -> bytes:
    """Return a CSV of plain ASCII whose rows make JSON values of about 116 bytes."""
    lines = (
        f"{row:07},customer no {row:07},2026-01-01T00:00:00Z,{row * 7 % 100_000:05}.00,active\n" for row in range(rows)
    )
    return (HEADER + "".join(lines)).encode()


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepare(rows_of_116_bytes(1000), tmp_path)


@pytest.fixture
def opened(world: World, request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = BY_NAME[request.param].make(world.broker.bootstrap_servers)
    with ExitStack() as stack:
        try:
            yield stack.enter_context(peer)
        except PeerUnavailable as why:
            part = next((part for name, part in PARTS.items() if request.param.startswith(name)), "peers")
            not_run(part, what=peer.name, why=why)


def send(world: World, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": world.broker.bootstrap_servers, "linger.ms": 0})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


@pytest.mark.broker
@pytest.mark.parametrize("opened", LIGHT, indirect=True)
def test_peer_moves_every_row_once(opened: Peer, world: World, topic: str, prepared: Prepared) -> None:
    opened.run(prepared, topic)
    found = count_rows(world.broker.bootstrap_servers, topic, prepared, in_order=opened.in_order)
    assert found == Count(visible=1000)
    assert found.mark == ""


@pytest.mark.broker
def test_peers_that_read_text_keep_quotes_newlines_and_every_script(world: World, tmp_path: Path) -> None:
    workload = generate(5, rows=300, shape=Shape(columns=3, blank_line_rate=0.0))
    prepared = prepare(workload.csv, tmp_path)
    assert prepared.lines.read_bytes().splitlines() == list(workload.values("json"))
    servers = world.broker.bootstrap_servers
    for name in ("confluent-kafka script", "kafka-python loop"):
        peer = next(one.make(servers) for one in PEERS if one.name.startswith(name))
        topic = world.create_topic()
        with peer:
            peer.run(prepared, topic)
        assert count_rows(servers, topic, prepared) == Count(visible=300)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.broker
@pytest.mark.parametrize("opened", [one.name for one in PEERS if one.resumes], indirect=True)
def test_peers_that_resume_have_every_row_once_after_a_kill(
    opened: Peer, world: World, topic: str, tmp_path: Path
) -> None:
    prepared = prepare(rows_of_116_bytes(ROWS_TO_CUT), tmp_path)
    seconds = opened.resume_s(prepared, topic)
    assert seconds is not None
    assert seconds > 0
    assert count_rows(world.broker.bootstrap_servers, topic, prepared) == Count(visible=ROWS_TO_CUT)


@pytest.mark.broker
def test_lost_repeated_strange_and_moved_rows_are_marked(world: World, topic: str, prepared: Prepared) -> None:
    rows = prepared.lines.read_bytes().splitlines()
    send(world, topic, [*rows[:10], rows[3], b"nothing we know", *rows[12:500], *rows[501:], rows[500]])
    found = count_rows(world.broker.bootstrap_servers, topic, prepared)
    assert found == Count(visible=1000, lost=2, repeated=1, out_of_place=1, strange=1)
    assert found.mark == "2 lost, 1 repeated, 1 out of place, 1 strange"


@pytest.mark.broker
def test_rows_drawn_at_random_are_counted_and_known(world: World, topic: str, prepared: Prepared) -> None:
    rows = prepared.lines.read_bytes().splitlines()
    send(world, topic, [rows[7]] * 998 + [b"nothing we know"])
    found = count_rows(world.broker.bootstrap_servers, topic, prepared, in_order=False)
    assert found == Count(visible=999, lost=1, strange=1)


@pytest.mark.broker
def test_what_was_visible_first_is_not_in_the_measure(world: World, topic: str) -> None:
    with Watch(world.broker.bootstrap_servers, topic) as watch:
        for sent, rows in ((100, 100), (300, 400)):  # the second lot is sent once the first was seen
            send(world, topic, [b"x"] * sent)
            until(lambda rows=rows: watch.grown == rows, within_s=20, what=f"{rows} rows to be seen")
        found = watch.measured(400)
    assert 300 <= found.rows < 400
    assert found.seconds > 0


def test_a_run_that_was_seen_in_one_look_has_no_rate() -> None:
    with pytest.raises(ValueError, match="too few"):
        _ = Measured(0, 0.0).rows_per_s
    assert Measured(50, 0.5).rows_per_s == 100


@pytest.mark.broker
def test_a_peer_that_fails_says_why(world: World, topic: str, prepared: Prepared) -> None:
    command = ["/bin/sh", "-c", "echo no such partition >&2; exit 3"]
    peer = ProcessPeer("sh", "none", world.broker.bootstrap_servers, lambda: None, lambda *_: command)
    with pytest.raises(RuntimeError, match=r"sh ended with exit code 3: no such partition"), peer:
        peer.run(prepared, topic)


def test_a_peer_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PeerUnavailable, match="apt-get install kcat"), PEERS[0].make(""):
        pass


def test_rows_have_116_bytes(prepared: Prepared) -> None:
    assert {len(line) for line in prepared.lines.read_bytes().splitlines()} == {116}
    assert prepared.rows == 1000
