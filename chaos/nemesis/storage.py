"""S3 and DynamoDB go wrong: requests are refused, answers are lost or short, the object is replaced or removed.

Each nemesis is planned while a run is at work or before it, and is proven by the requests that the cloud remembers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from harness.cloud import Cloud
from harness.cloud_requests import Request

FOR_EVER = inf
ONE_CALL = 4  # so often botocore sends a request before the call that it serves fails
SAVES_BEFORE = 2  # the claim and the job's start are written before the first save
GOES_ON = "the run finishes by itself, every row is there once, and S3 is asked again at the byte that was reached"
STOPS = "the run ends with 75 within its bound and loses nothing, and when it is over the next run finishes"


@dataclass(slots=True)
class StorageNemesis:
    """A fault that is planned on a cloud; `meets` tells a request that it struck."""

    name: str
    holds: str
    plan: Callable[[Cloud], None]
    meets: Callable[[Request], bool]
    times: float = 1
    _cloud: Cloud | None = field(default=None, init=False)
    _before: int = field(default=0, init=False)

    def strike(self, cloud: Cloud) -> None:
        """Plan it; it hits requests from now on."""
        self._cloud, self._before = cloud, len(cloud.requests)
        self.plan(cloud)

    def lift(self) -> None:
        """Let it be over."""
        if self._cloud is not None:
            self._cloud.clear_faults()

    @property
    def struck(self) -> bool:
        """Tell whether it hit as many requests as planned; of one that lasts for ever, whether it hit any."""
        return len(self.hits) >= (1 if self.times == FOR_EVER else self.times)

    @property
    def hits(self) -> list[Request]:
        """Return the requests that it hit."""
        return [] if self._cloud is None else [r for r in self._cloud.requests[self._before :] if self.meets(r)]

    @property
    def requests_after(self) -> list[Request]:
        """Return the requests after the first that it hit."""
        if self._cloud is None:
            return []
        later = self._cloud.requests[self._before :]
        first = next((n for n, request in enumerate(later) if self.meets(request)), len(later))
        return later[first + 1 :]


def refused(
    operation: str, *, status: int, code: str, times: float = 1, skip: int = 0, holds: str = ""
) -> StorageNemesis:
    """Return the nemesis that answers an operation with an error, without any effect."""
    return StorageNemesis(
        f"{operation} answered with {status} {code} {_often(times)} after {skip}",
        holds or (STOPS if times == FOR_EVER else GOES_ON),
        lambda cloud: cloud.fail(operation, status=status, code=code, times=times, skip=skip),
        lambda request: request.operation == operation and request.status == status,
        times,
    )


def condition_refused(*, times: float = 1, skip: int = 0, holds: str = "") -> StorageNemesis:
    """Return the nemesis that refuses a write's condition although it holds."""
    return refused(
        "UpdateItem", status=400, code="ConditionalCheckFailedException", times=times, skip=skip, holds=holds
    )


def throttled(*, operation: str = "UpdateItem", times: float = 1, skip: int = 0, holds: str = "") -> StorageNemesis:
    """Return the nemesis that says that the table is asked too often."""
    code = "ProvisionedThroughputExceededException"
    return refused(operation, status=400, code=code, times=times, skip=skip, holds=holds)


def answer_lost(*, operation: str = "UpdateItem", times: float = 1, skip: int = 0, holds: str = "") -> StorageNemesis:
    """Return the nemesis that carries out a request and then drops the connection instead of answering."""
    return StorageNemesis(
        f"the answer to {operation} lost after the effect {_often(times)} after {skip}",
        holds or (STOPS if times == FOR_EVER else GOES_ON),
        lambda cloud: cloud.lose_answer(operation, times=times, skip=skip),
        lambda request: request.operation == operation and request.answer_lost,
        times,
    )


def body_cut(after_bytes: int, *, times: float = 1, skip: int = 0, reset: bool = False) -> StorageNemesis:
    """Return the nemesis that ends the connection in the middle of an object's bytes, in good order or by a reset."""
    return StorageNemesis(
        f"connection {'reset' if reset else 'closed'} after {after_bytes} bytes of the body {_often(times)}",
        STOPS if times == FOR_EVER else GOES_ON,
        lambda cloud: cloud.lose_answer("GetObject", after_bytes=after_bytes, times=times, skip=skip, reset=reset),
        _is_cut,
        times,
    )


def body_short(after_bytes: int, *, times: float = 1, skip: int = 0) -> StorageNemesis:
    """Return the nemesis that answers with fewer bytes than were asked for, as if they were all."""
    return StorageNemesis(
        f"a body of {after_bytes} bytes in the place of the whole {_often(times)}",
        STOPS if times == FOR_EVER else GOES_ON,
        lambda cloud: cloud.shorten("GetObject", after_bytes=after_bytes, times=times, skip=skip),
        _is_cut,
        times,
    )


def object_replaced(key: str, body: bytes) -> StorageNemesis:
    """Return the nemesis that puts another object in the place of the job's."""
    return StorageNemesis(
        "object replaced in mid-run",
        "the run reads on in the version that it pinned, or ends with 3 and has made a prefix of the old rows visible",
        lambda cloud: _put(cloud, key, body),
        lambda request: request.operation == "PutObject" and request.status == 200,  # noqa: PLR2004
    )


def object_deleted(key: str) -> StorageNemesis:
    """Return the nemesis that removes the job's object."""
    return StorageNemesis(
        "object deleted in mid-run",
        "the run reads on in the version that it pinned, or ends with 3 and has made a prefix of its rows visible",
        lambda cloud: _delete(cloud, key),
        lambda request: request.operation == "DeleteObject",
    )


def make_versioned(cloud: Cloud) -> None:
    """Keep every version of an object from now on."""
    cloud.s3.put_bucket_versioning(Bucket=cloud.bucket, VersioningConfiguration={"Status": "Enabled"})


def _put(cloud: Cloud, key: str, body: bytes) -> None:
    cloud.upload(key, body)


def _delete(cloud: Cloud, key: str) -> None:
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=key)


def _is_cut(request: Request) -> bool:
    return request.operation == "GetObject" and request.answer_lost


def _often(times: float) -> str:
    return "for ever" if times == FOR_EVER else "once" if times == 1 else f"{times:g} times"
