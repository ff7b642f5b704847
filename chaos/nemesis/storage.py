"""S3 and DynamoDB go wrong: requests are refused, answers are lost or short, the object is replaced or removed.

Each nemesis is planned while a run is at work or before it, and is proven by the requests that the cloud remembers.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import inf

from chaos.nemesis.base import Nemesis
from harness.cloud import Cloud
from harness.cloud_requests import Request

FOR_EVER = inf
ONE_CALL = 4  # so often botocore sends a request before the call that it serves fails
SAVES_BEFORE = 2  # the claim and the job's start are written before the first save


class StorageNemesis(Nemesis):
    """A fault that is planned on a cloud, so many `times`."""

    times: float = 1
    _cloud: Cloud | None = None
    _before = 0

    @abstractmethod
    def plan(self, cloud: Cloud) -> None:
        """Plan it on the cloud, or do it."""

    @abstractmethod
    def meets(self, request: Request) -> bool:
        """Tell a request that it struck."""

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
        return [request for request in self._since if self.meets(request)]

    @property
    def requests_after(self) -> list[Request]:
        """Return the requests after the first that it hit."""
        later = self._since
        first = next((n for n, request in enumerate(later) if self.meets(request)), len(later))
        return later[first + 1 :]

    @property
    def _since(self) -> list[Request]:
        return [] if self._cloud is None else self._cloud.requests[self._before :]

    @property
    def _often(self) -> str:
        return "for ever" if self.times == FOR_EVER else "once" if self.times == 1 else f"{self.times:g} times"


@dataclass
class Refused(StorageNemesis):
    """An operation is answered with an error, without any effect."""

    title = "S3 answers with 500 or 503"
    holds = "a passing error is not noticed, and no byte is asked for twice; a lasting one ends with 75"

    operation: str
    status: int
    code: str
    times: float = 1
    skip: int = 0

    @property
    def name(self) -> str:
        """Return the particulars too; see `Nemesis`."""
        return f"{self.title}: {self.operation} {self.status} {self.code} {self._often} after {self.skip}"

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.fail(self.operation, status=self.status, code=self.code, times=self.times, skip=self.skip)

    def meets(self, request: Request) -> bool:
        """See `StorageNemesis`."""
        return request.operation == self.operation and request.status == self.status


@dataclass
class Throttled(Refused):
    """DynamoDB says that the table is asked too often."""

    title = "DynamoDB throttled"
    holds = "a passing one is not noticed; where a save fails, exactly-once goes on and at-least-once stops with 75"

    operation: str = "UpdateItem"
    status: int = 400
    code: str = "ProvisionedThroughputExceededException"


@dataclass
class ConditionRefused(Refused):
    """A write's condition is refused although it holds."""

    title = "DynamoDB condition refused without reason"
    holds = "the run looks who owns the lease, finds itself, and does not take the refusal for a rival"

    operation: str = "UpdateItem"
    status: int = 400
    code: str = "ConditionalCheckFailedException"


@dataclass
class AnswerLost(StorageNemesis):
    """A write is carried out, and the connection is dropped in the place of an answer."""

    title = "DynamoDB answer lost after the write"
    holds = "a claim, start, save or end that was applied is recognised as ours and not done twice"

    times: float = 1
    skip: int = 0

    @property
    def name(self) -> str:
        """Return the particulars too; see `Nemesis`."""
        return f"{self.title} {self._often} after {self.skip}"

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.lose_answer("UpdateItem", times=self.times, skip=self.skip)

    def meets(self, request: Request) -> bool:
        """See `StorageNemesis`."""
        return request.operation == "UpdateItem" and request.answer_lost


@dataclass
class BodyCut(StorageNemesis):
    """The connection ends in the middle of an object's bytes, in good order or by a reset."""

    title = "S3 body closed or reset in the middle"
    holds = "the run asks again at the byte that it reached, and for nothing before it"

    after_bytes: int
    times: float = 1
    skip: int = 0
    reset: bool = False

    @property
    def name(self) -> str:
        """Return the particulars too; see `Nemesis`."""
        return f"{self.title}: {'reset' if self.reset else 'closed'} after {self.after_bytes} bytes {self._often}"

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.lose_answer("GetObject", after_bytes=self.after_bytes, times=self.times, skip=self.skip, reset=self.reset)

    def meets(self, request: Request) -> bool:
        """See `StorageNemesis`."""
        return request.operation == "GetObject" and request.answer_lost


@dataclass
class BodyShort(BodyCut):
    """An answer has fewer bytes than were asked for, as if they were all."""

    title = "S3 body short"
    holds = "a short answer is no end of the object: the run asks for the rest"

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.shorten("GetObject", after_bytes=self.after_bytes, times=self.times, skip=self.skip)


@dataclass
class ObjectReplaced(StorageNemesis):
    """Another object is put in the place of the job's."""

    title = "S3 object replaced in mid-run"
    holds = "the run reads on in the version that it pinned, or ends with 3 after a prefix of the old rows"

    key: str
    body: bytes

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.upload(self.key, self.body)

    def meets(self, request: Request) -> bool:
        """See `StorageNemesis`."""
        return request.operation == "PutObject" and request.status == 200  # noqa: PLR2004


@dataclass
class ObjectDeleted(StorageNemesis):
    """The job's object is removed."""

    title = "S3 object deleted in mid-run"
    holds = "the run reads on in the version that it pinned, or ends with 3 after a prefix of its rows"

    key: str

    def plan(self, cloud: Cloud) -> None:
        """See `StorageNemesis`."""
        cloud.s3.delete_object(Bucket=cloud.bucket, Key=self.key)

    def meets(self, request: Request) -> bool:
        """See `StorageNemesis`."""
        return request.operation == "DeleteObject"


def make_versioned(cloud: Cloud) -> None:
    """Keep every version of an object from now on."""
    cloud.s3.put_bucket_versioning(Bucket=cloud.bucket, VersioningConfiguration={"Status": "Enabled"})
