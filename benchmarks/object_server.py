"""S3 for benchmarks: `python -m benchmarks.object_server` serves objects of any size and makes them as they are read.

moto copies a whole object in memory for each ranged GET; this server holds a block of 1 MB for each connection and
cuts every range out of it (`made_csv`), so that it costs the processor beside it next to nothing. It is a process of
its own. HEAD and GET of one object, with `Range` and `If-Match`, are all it knows; every bucket has the same objects.
boto3 finds it through AWS_ENDPOINT_URL_S3, while DynamoDB stays where AWS_ENDPOINT_URL says.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from benchmarks.made_csv import Cursor, MadeCsv, NoSuchKey

RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")
SEND_BUFFER_BYTES = 4 * 2**20
NO_OBJECTS = "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"


class ObjectServer:
    """The server in a process of its own, which ends with this one; a context manager."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.object_server"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stdout = self._process.stdout
        self.url = stdout.readline().strip() if stdout else ""
        if not self.url:
            raise RuntimeError(f"the object server ended with {self._process.wait()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # the end of its input is its end

    def environment(self) -> dict[str, str]:
        """Return the variable with which boto3 finds this server, for S3 alone."""
        return {"AWS_ENDPOINT_URL_S3": self.url}

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid


class RangeNotSatisfiable(ValueError):
    """The range begins past the end of the object."""


def chosen_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return the bytes [start, end) that a Range header asks for, None for the whole object.

    What is no single range of bytes is overlooked, as in S3. Raises RangeNotSatisfiable.
    """
    found = RANGE.fullmatch(header or "")
    if found is None or not (found["first"] or found["last"]):
        return None
    if not found["first"]:
        start, end = max(size_bytes - int(found["last"]), 0), size_bytes
    else:
        start = int(found["first"])
        end = min(int(found["last"]) + 1, size_bytes) if found["last"] else size_bytes
        if found["last"] and int(found["last"]) < start:
            return None
    if start >= size_bytes:
        raise RangeNotSatisfiable(header)
    return start, end


class _Handler(BaseHTTPRequestHandler):
    """One connection; it keeps the block of the object it read last."""

    protocol_version = "HTTP/1.1"  # connections stay open
    wbufsize = 64 * 1024  # an answer's head leaves in one piece
    server_version = "object-server"

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._cursor: tuple[MadeCsv, Cursor] | None = None

    def do_HEAD(self) -> None:
        """Describe an object."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """Send an object, or the one range that was asked for."""
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        _, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if not key:  # the processor asks what lies beneath a key that is not there
            self._send_text(HTTPStatus.OK, NO_OBJECTS, with_body=with_body)
            return
        try:
            made = MadeCsv.of_key(key)
        except NoSuchKey:
            self._send_error(HTTPStatus.NOT_FOUND, "NoSuchKey", with_body=with_body)
            return
        if self.headers["If-Match"] not in (None, "*", made.etag):
            self._send_error(HTTPStatus.PRECONDITION_FAILED, "PreconditionFailed", with_body=with_body)
            return
        try:
            wanted = chosen_range(self.headers["Range"], made.size_bytes)
        except RangeNotSatisfiable:
            self._send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange", with_body=with_body)
            return
        self._send_object(made, wanted, with_body=with_body)

    def _send_object(self, made: MadeCsv, wanted: tuple[int, int] | None, *, with_body: bool) -> None:
        start, end = wanted or (0, made.size_bytes)
        self.send_response(HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT)
        if wanted is not None:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{made.size_bytes}")
        self.send_header("ETag", made.etag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.flush()
        if not with_body:
            return
        if self._cursor is None or self._cursor[0] != made:
            self._cursor = made, Cursor(made)
        for span in self._cursor[1].spans(start, end):
            self.connection.sendall(span)

    def _send_error(self, status: HTTPStatus, code: str, *, with_body: bool) -> None:
        self._send_text(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", with_body=with_body)

    def _send_text(self, status: HTTPStatus, text: str, *, with_body: bool) -> None:
        body = text.encode() if with_body else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its parent's name
        """Say nothing: a line for each request would cost more than the request."""


class _Server(ThreadingHTTPServer):
    """A thread for each connection; a reader that goes away in the middle is nothing to report."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main() -> int:
    """Serve on a free port of loopback, print the URL, and end when the input does."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # whatever is still being sent


if __name__ == "__main__":
    main()
