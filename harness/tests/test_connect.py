"""A Kafka Connect worker: sends lines, goes on after SIGKILL, and says why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.broker import BrokerUnavailable
from harness.connect import ConnectWorker, committed_place, file_source, offsets_topic, place_of, utf16_units
from harness.partition import LiveReader, read
from harness.plugin import not_run
from harness.wait import TimedOut
from harness.world import World

LINES = b"".join(b"line %05d\n" % number for number in range(2000))
WITHIN_S = 60.0


@pytest.fixture
def worker(world: World, topic: str) -> Iterator[ConnectWorker]:
    try:
        with ConnectWorker(world.broker.bootstrap_servers, topic) as started:
            yield started
    except BrokerUnavailable as why:
        not_run("jvm", what="Kafka Connect", why=why)


@pytest.mark.broker
def test_worker_goes_on_under_its_name_after_a_kill(
    worker: ConnectWorker, world: World, topic: str, tmp_path: Path
) -> None:
    servers, path = world.broker.bootstrap_servers, tmp_path / "lines"
    path.write_bytes(LINES)
    with LiveReader(servers, offsets_topic(topic)) as places:
        source = file_source(path, topic, boundary="poll", batch_rows=100)
        worker.submit("lines", source)
        worker.await_place("lines", len(LINES), places, within_s=WITHIN_S)
        worker.kill()
        assert committed_place(servers, topic) == len(LINES)
        path.write_bytes(LINES * 2)
        worker.start()
        worker.submit("lines", source)  # it is there already
        worker.await_place("lines", 2 * len(LINES), places, within_s=WITHIN_S)
    records = read(servers, topic, isolation="read_committed")
    assert [record.value for record in records] == LINES.splitlines() * 2


@pytest.mark.broker
def test_settings_that_are_refused_and_tasks_that_give_up_say_why(
    worker: ConnectWorker, world: World, topic: str, tmp_path: Path
) -> None:
    source = file_source(tmp_path / "none", topic, boundary="poll", batch_rows=100)
    with pytest.raises(RuntimeError, match="Invalid value none"):
        worker.submit("refused", {**source, "transaction.boundary": "none"})
    worker.submit("failing", {**source, "producer.override.acks": "0"})
    with (
        LiveReader(world.broker.bootstrap_servers, offsets_topic(topic)) as places,
        pytest.raises(TimedOut, match=r"failing to commit place 1;.*acks"),
    ):
        worker.await_place("failing", 1, places, within_s=10)


@pytest.mark.broker
def test_a_worker_that_never_ran_has_no_place(world: World, topic: str) -> None:
    assert committed_place(world.broker.bootstrap_servers, topic) == 0
    assert place_of(None) == 0


def test_lengths_are_counted_in_utf_16_units() -> None:
    assert utf16_units(b"ascii\n") == 6
    assert utf16_units("é😀\n".encode()) == 4
    assert utf16_units("é".encode()[1:] + b"\n") == 2  # a character cut in two
