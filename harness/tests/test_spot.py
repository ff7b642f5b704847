"""The Spot notice: heard from a metadata service of version 2 alone, and a service that is silent ends no run."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.target import Target
from harness.wait import until
from harness.world import World
from processor.spot import UNANSWERED, MetadataService, watch_for_notice
from processor.stop import StopSignal

NOTICE = '{"action": "terminate", "time": "2026-01-01T12:00:00Z"}'
TOKEN_PATH = "/latest/api/token"
NOTICE_PATH = "/latest/meta-data/spot/instance-action"


class Service(ThreadingHTTPServer):
    """What answers at 169.254.169.254, on loopback: a token first, which may expire; a notice once there is one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.notice: str | None = None
        self.before_notice: Callable[[], object] = lambda: None
        self.tokens = 0
        self.asked: list[tuple[str, str, int]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def expire_token(self) -> None:
        self.tokens += 1

    def asked_for(self, path: str) -> list[int]:
        return [status for _, asked, status in list(self.asked) if asked == path]


class Answers(BaseHTTPRequestHandler):
    server: Service

    def do_PUT(self) -> None:
        lives_s = int(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "0"))
        if self.path != TOKEN_PATH or not 1 <= lives_s <= 21_600:
            return self.answer(400, "")
        self.server.tokens += 1
        return self.answer(200, f"token-{self.server.tokens}")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != f"token-{self.server.tokens}":
            return self.answer(401, "")
        if self.path != NOTICE_PATH or self.server.notice is None:
            return self.answer(404, "no notice here")
        self.server.before_notice()
        return self.answer(200, self.server.notice)

    def answer(self, status: int, text: str) -> None:
        self.server.asked.append((self.command, self.path, status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    opened = Service()
    yield opened
    opened.shutdown()
    opened.server_close()


def test_notice_is_told_once_it_is_there_and_one_token_serves_many_questions(service: Service) -> None:
    asking = MetadataService(service.endpoint)
    assert [asking.notice() for _ in range(3)] == [None] * 3
    service.notice = NOTICE
    assert asking.notice() == NOTICE
    assert service.asked_for(TOKEN_PATH) == [200]


def test_expired_token_is_followed_by_a_new_one(service: Service) -> None:
    stop, said = StopSignal(), io.StringIO()
    watcher = watch_for_notice(stop, service.endpoint, every_s=0.01, stderr=said)
    until(lambda: service.asked_for(NOTICE_PATH), within_s=10, what="a question")
    service.expire_token()
    until(lambda: service.asked_for(NOTICE_PATH).count(404) > 5, within_s=10, what="answers again")
    service.notice = NOTICE
    watcher.join(10)
    assert stop.number == signal.SIGTERM
    assert 401 in service.asked_for(NOTICE_PATH)


def test_notice_asks_for_the_end_as_sigterm_does_and_says_so(service: Service) -> None:
    stop, said = StopSignal(), io.StringIO()
    watcher = watch_for_notice(stop, service.endpoint, every_s=0.01, stderr=said)
    until(lambda: len(service.asked_for(NOTICE_PATH)) > 3, within_s=10, what="questions")
    assert stop.number == 0
    service.notice = NOTICE
    watcher.join(10)
    assert stop.number == signal.SIGTERM
    assert said.getvalue() == f"csv-to-kafka: Spot takes this instance away: {NOTICE}\n"


@pytest.mark.parametrize("late", [False, True], ids=["before the question", "before the answer"])
def test_notice_behind_a_signal_asks_for_nothing_again(service: Service, late: bool) -> None:
    stop = StopSignal()
    service.notice = NOTICE
    if late:
        service.before_notice = lambda: stop.ask(signal.SIGINT)
    else:
        stop.ask(signal.SIGINT)
    watch_for_notice(stop, service.endpoint, every_s=0.01, stderr=io.StringIO()).join(10)
    assert stop.number == signal.SIGINT


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1/", "no-url", "http://127.0.0.1:99999/"])
def test_service_that_does_not_answer_is_told_once_and_ends_nothing(endpoint: str) -> None:
    stop, said = StopSignal(), io.StringIO()
    watcher = watch_for_notice(stop, endpoint, every_s=0.01, stderr=said)
    until(lambda: said.getvalue().endswith("\n"), within_s=10, what="a line")
    time.sleep(0.1)
    assert watcher.is_alive()
    assert stop.number == 0
    assert said.getvalue().count("\n") == 1
    assert UNANSWERED in said.getvalue()
    stop.ask(signal.SIGTERM)
    watcher.join(10)
    assert not watcher.is_alive()


def test_proxy_of_the_environment_is_not_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert MetadataService(service.endpoint).notice() is None


RUN = (sys.executable, "-m", "processor", "run", "--max-rows-per-s", "100", "--checkpoint-interval", "20")


@pytest.mark.broker
@pytest.mark.strike
@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_run_that_is_given_notice_ends_with_143_and_the_next_one_goes_on(
    world: World, topic: str, service: Service, client: str
) -> None:
    csv = b"id\n" + b"".join(b"%d\n" % number for number in range(1500))
    environment = {
        **world.environment(topic=topic, source=world.upload("rows.csv", csv), job_id=topic),
        "KAFKA_CLIENT": client,
        "SPOT_NOTICE": "imds",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint,
    }
    run = Target(RUN, environment)
    run.await_step(lambda step: step.name == "saved", within_s=30, what="a saved batch")
    service.notice = NOTICE
    taken = run.wait(within_s=20)
    assert taken.exit_code == 128 + signal.SIGTERM, run.stderr
    assert taken.steps[-1].name == "stopped"
    assert taken.steps[-1].fields["stop_ms"] < 5_000
    assert "Spot takes this instance away" in run.stderr
    service.notice = None
    following = Target([*RUN, "--max-rows-per-s", "100000"], environment, number=2)
    done = following.wait(within_s=30)
    assert (done.exit_code, following.stderr) == (0, "")
    resumed = next(step for step in done.steps if step.name == "resumed")
    assert 0 < (resumed.next_row or 0) < 1500


@pytest.mark.broker
def test_run_that_is_not_told_to_asks_nobody(world: World, topic: str, service: Service) -> None:
    service.notice = NOTICE
    source = world.upload("rows.csv", b"id\n1\n")
    environment = {
        **world.environment(topic=topic, source=source, job_id=topic),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.endpoint,
    }
    assert Target((sys.executable, "-m", "processor", "run"), environment).wait(within_s=30).exit_code == 0
    assert service.asked == []
    assert "SPOT_NOTICE" not in os.environ
