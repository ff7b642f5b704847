"""S3, DynamoDB and Secrets Manager on loopback: moto's server, which remembers requests and versions of checkpoints.

Requests are served one at a time, because moto's conditional writes are not atomic under threads. Each Cloud is an
account of its own, so that several may be open in one process; when the last one closes, moto forgets everything.
"""

from __future__ import annotations

import io
import itertools
import os
import socket
import struct
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from moto.backends import get_backend
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from harness.cloud_faults import Fault, Faults
from harness.cloud_requests import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION: Final = "eu-central-1"
TABLE = "csv-to-kafka-checkpoints"
KEY = "job_id"
_FIRST_ACCOUNT = 100_000_000_000


class Cloud:
    """An S3 bucket and the checkpoint table, with a memory and with faults on demand; a context manager."""

    _numbers: ClassVar[itertools.count[int]] = itertools.count()
    _moto: ClassVar[threading.Lock] = threading.Lock()  # moto's state belongs to the process, so does its lock
    _open: ClassVar[set[str]] = set()

    def __init__(self, *, bucket: str | None = None) -> None:
        """Prepare a cloud. Bucket names are unique among the clouds of a process; without one, one is made up."""
        number = next(self._numbers)
        self._account = str(_FIRST_ACCOUNT + number)
        self.bucket = bucket or f"csv-to-kafka-{number}"
        self.table = TABLE
        self._requests: list[Request] = []
        self._versions: dict[str, list[dict[str, Any]]] = {}
        self._faults = Faults()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._application = DomainDispatcherApplication(create_backend_app)

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Silent)
        # The poll interval bounds how long closing takes.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="cloud", daemon=True)
        self._open.add(self._account)
        self._thread.start()
        self.s3 = boto3.client("s3", **self._client_settings())
        self.dynamodb = boto3.client("dynamodb", **self._client_settings())
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        with self._moto:
            self._open.discard(self._account)
            if not self._open:
                moto_api_backend.reset()

    def environment(self) -> dict[str, str]:
        """Return the variables with which a processor finds this cloud, in the order `harness up` prints them."""
        if self._server is None:
            raise RuntimeError("the cloud is not open")
        return {
            "CHECKPOINT_TABLE": self.table,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "harness",
            "AWS_SECRET_ACCESS_KEY": "harness",
        }

    def upload(self, key: str, body: bytes) -> str:
        """Put an object into the bucket and return its s3:// URL."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def keep_secret(self, name: str, text: str) -> str:
        """Put a secret into Secrets Manager and return its ARN."""
        secrets = boto3.client("secretsmanager", **self._client_settings())
        return str(secrets.create_secret(Name=name, SecretString=text)["ARN"])

    @property
    def requests(self) -> list[Request]:
        """Return every request so far, in the order they were served, those of this object's own clients too."""
        with self._moto:
            return list(self._requests)

    def checkpoint_versions(self, job_id: str) -> list[dict[str, Any]]:
        """Return every version of the job's item ever written, in order; whole numbers as int.

        A write that changed nothing makes no version; a deletion makes an empty one.
        """
        with self._moto:
            return [dict(version) for version in self._versions.get(job_id, [])]

    def lose_answer(
        self,
        operation: str,
        *,
        times: float = 1,
        after_bytes: int | None = None,
        skip: int = 0,
        reset: bool = False,
    ) -> None:
        """Carry out the next `times` requests of this operation, then drop the connection instead of answering.

        With `after_bytes`, status, headers and so many bytes of the body get through before. `times` may be math.inf.
        So many requests are spared first as `skip` says. With `reset` the client sees a reset, no end of the stream.
        """
        self._faults.plan(operation, Fault(after_bytes=after_bytes, reset=reset), times, skip=skip)

    def shorten(self, operation: str, *, after_bytes: int, times: float = 1, skip: int = 0) -> None:
        """Carry out the next `times` requests, and answer with a body, whole to all appearances, of so many bytes."""
        self._faults.plan(operation, Fault(after_bytes=after_bytes, short=True), times, skip=skip)

    def fail(self, operation: str, *, status: int, code: str, times: float = 1, skip: int = 0) -> None:
        """Answer the next `times` requests of this operation with an error, without any effect; later plans wait."""
        self._faults.plan(operation, Fault(status=status, code=code), times, skip=skip)

    def clear_faults(self) -> None:
        """Drop every plan of `lose_answer` and `fail`."""
        self._faults.clear()

    def _client_settings(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.environment()["AWS_ENDPOINT_URL"],
            "region_name": REGION,
            "aws_access_key_id": "harness",
            "aws_secret_access_key": "harness",  # moto takes any
            "config": Config(retries={"total_max_attempts": 1}),  # a fault on our own request must be seen by us
        }

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
        _read_body(environ)
        with self._moto:
            if self._account not in self._open:
                return _drop(environ)
            request = Request.of(environ)
            fault = self._faults.next(request.operation)
            response = fault.answer(request) if fault and fault.is_error else self._carry_out(environ, request)
            self._requests.append(request.answered(response, lost=bool(fault and not fault.is_error)))
        if fault is None or fault.is_error:
            return response(environ, start_response)
        if fault.short:
            response.set_data(response.get_data()[: fault.after_bytes])
            return response(environ, start_response)
        return self._cut(environ, start_response, response, fault)

    def _carry_out(self, environ: WSGIEnvironment, request: Request) -> Response:
        response = Response.from_app(self._application, environ, buffered=True)
        if request.writes_items and response.status_code == 200:  # noqa: PLR2004
            self._remember_items()
        return response

    def _remember_items(self) -> None:
        """Note the items that differ from their last version; the write that made them has just been served."""
        table = get_backend("dynamodb")[self._account][REGION].tables.get(self.table)
        items = [] if table is None else table.all_items()
        now = {item.hash_key.value: _plain(item.to_json()["Attributes"]) for item in items}
        for job_id in self._versions.keys() | now.keys():
            versions = self._versions.setdefault(job_id, [])
            version = now.get(job_id, {})
            if not versions or versions[-1] != version:
                versions.append(version)

    @staticmethod
    def _cut(
        environ: WSGIEnvironment, start_response: StartResponse, response: Response, fault: Fault
    ) -> Iterable[bytes]:
        if fault.after_bytes is not None:
            write = start_response(response.status, response.headers.to_wsgi_list())
            write(response.get_data()[: fault.after_bytes])
        return _drop(environ, reset=fault.reset)


class _Silent(MotoRequestHandler):
    """Says nothing: the handlers it comes from print a line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # the name is werkzeug's
        """Drop the line; what was asked is in `Cloud.requests`."""


def _read_body(environ: WSGIEnvironment) -> None:
    """Take in the whole request before the lock: a client that is frozen while it sends must not stop the others."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    body = stream.read(int(length)) if length else stream.read() if environ.get("wsgi.input_terminated") else b""
    if length and len(body) < int(length):
        raise ConnectionResetError("the client went away while it was sending")
    environ["wsgi.input"] = io.BytesIO(body)


def _drop(environ: WSGIEnvironment, *, reset: bool = False) -> Iterable[bytes]:
    """Close the connection under werkzeug, which takes the error for a client that went away."""
    connection: socket.socket = environ["werkzeug.socket"]
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends RST
        os.close(connection.detach())  # at once: a shutdown before it would end the stream in good order
    else:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("dropped on purpose")


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """Turn DynamoDB's typed JSON into Python values, its numbers into int where they are whole."""
    values = {name: TypeDeserializer().deserialize(value) for name, value in attributes.items()}
    return {name: int(v) if hasattr(v, "to_integral_value") and v == int(v) else v for name, v in values.items()}
