"""What a client asked of the cloud and what it got: the record the harness judges by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.wrappers import Response

_OBJECT_OPERATIONS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_BUCKET_OPERATIONS = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "POST": "DeleteObjects",
}
# A subresource names the operation: `GET /bucket?versioning` is GetBucketVersioning.
_BUCKET_QUERIES = {
    "versioning": {"GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"},
    "versions": {"GET": "ListObjectVersions"},
    "location": {"GET": "GetBucketLocation"},
    "list-type": {"GET": "ListObjectsV2"},
}
_ITEM_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "DeleteTable"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, in the words of AWS: `operation` is "GetObject", "UpdateItem" and so on.

    `path` is `/bucket/key` for S3, else `/`. `answer_bytes` counts the body that was produced;
    `answer_lost` says that the client did not get all of it.
    """

    service: str
    operation: str
    path: str
    range_header: str | None = None
    if_match: str | None = None
    version_id: str | None = None
    status: int = 0
    answer_bytes: int = 0
    answer_lost: bool = False

    @classmethod
    def of(cls, environ: WSGIEnvironment) -> Self:
        """Read what is asked from the headers and the address alone; the body stays unread."""
        path, query = environ.get("PATH_INFO", "/"), parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            service = "dynamodb" if target.startswith("DynamoDB") else "secretsmanager"
            return cls(service=service, operation=target.rpartition(".")[2], path=path)
        return cls(
            service="s3",
            operation=_s3_operation(environ["REQUEST_METHOD"], path, query),
            path=path,
            range_header=environ.get("HTTP_RANGE"),
            if_match=environ.get("HTTP_IF_MATCH"),
            version_id=next(iter(query.get("versionId", [])), None),
        )

    @property
    def writes_items(self) -> bool:
        """Tell whether a success may have changed an item of a table."""
        return self.service == "dynamodb" and self.operation in _ITEM_WRITES

    def answered(self, response: Response, *, lost: bool) -> Self:
        """Return the record of this request with its answer."""
        size = response.calculate_content_length() or 0
        return replace(self, status=response.status_code, answer_bytes=size, answer_lost=lost)


def _s3_operation(method: str, path: str, query: dict[str, list[str]]) -> str:
    _, _, key = path.lstrip("/").partition("/")
    if key:
        return _OBJECT_OPERATIONS.get(method, method)
    if path == "/":
        return "ListBuckets"
    for name, operations in _BUCKET_QUERIES.items():
        if name in query:
            return operations.get(method, method)
    return _BUCKET_OPERATIONS.get(method, method)
