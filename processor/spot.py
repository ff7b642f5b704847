"""The notice that EC2 Spot takes this instance away, two minutes ahead: it becomes the request to end that SIGTERM is.

The instance metadata service, version 2: a token first, then the question.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import TextIO

from processor.stop import StopSignal

POLL_EVERY_S = 5.0  # as AWS advises
TIMEOUT_S = 1.0  # the service is on the instance itself
TOKEN_TTL_S = 21_600  # the longest there is
NOTICE = "latest/meta-data/spot/instance-action"
UNANSWERED = "the instance metadata service does not answer: a Spot notice would not be heard"


def watch_for_notice(
    stop: StopSignal, endpoint: str, *, every_s: float = POLL_EVERY_S, stderr: TextIO | None = None
) -> threading.Thread:
    """Ask every few seconds, in a daemon thread, until there is a notice; then ask the run to end.

    A service that does not answer is told once on stderr and asked again: it is no reason to end a run.
    """
    told = sys.stderr if stderr is None else stderr

    def watch() -> None:
        service, silent = MetadataService(endpoint), False
        while not stop.number:
            try:
                notice = service.notice()
            except (OSError, HTTPException, ValueError) as error:
                if not silent:
                    silent = True
                    _say(f"{UNANSWERED} ({error})", told)
                notice = None
            if notice is not None:
                _say(f"Spot takes this instance away: {notice}", told)
                if not stop.number:  # a second request would end the run in mid-batch
                    stop.ask(signal.SIGTERM)
                return
            time.sleep(every_s)

    thread = threading.Thread(target=watch, name="spot", daemon=True)
    thread.start()
    return thread


class MetadataService:
    """The service at an endpoint; remembers its token. Every call is bounded, and goes past any proxy."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        self._token = ""

    def notice(self) -> str | None:
        """Return the notice, None as long as there is none. Raises OSError, HTTPException, ValueError (no URL)."""
        if not self._token:
            self._token = self._ask("PUT", "latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": TOKEN_TTL_S})
        try:
            return self._ask("GET", NOTICE, {"X-aws-ec2-metadata-token": self._token})
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            self._token = ""  # it has expired, say: the next look begins with a new one
            raise

    def _ask(self, method: str, path: str, headers: dict[str, object]) -> str:
        text = {name: str(value) for name, value in headers.items()}
        request = urllib.request.Request(f"{self._endpoint}/{path}", method=method, headers=text)  # noqa: S310  # botocore's
        with self._open(request, timeout=TIMEOUT_S) as answer:
            return " ".join(answer.read(4096).decode(errors="replace").split())


def _say(what: str, stream: TextIO) -> None:
    with contextlib.suppress(OSError):  # whoever read the lines has gone
        print("csv-to-kafka:", what, file=stream, flush=True)  # one line for the person at the terminal
