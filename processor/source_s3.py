"""S3: the pinned bytes of one object, streamed by ranged GETs from any byte on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from processor.aws import access_refused, error_code, refusal
from processor.errors import BadSetting, PlaceMissing, ProcessorError, SourceChanged, SourceUnavailable
from processor.model import Pins
from processor.source_url import parse_url

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 2**20
# Parts grow: the header and a short rest cost one small request, a long way costs few requests, and no connection
# stays open for so long that S3 drops it while Kafka is slow.
FIRST_PART_BYTES = 64 * 2**10
LARGEST_PART_BYTES = 32 * 2**20
RECONNECTS_WITHOUT_A_BYTE = 5
FIRST_PAUSE_S = 0.2
PARTIAL = 206


class S3Object:
    """`ports.ObjectBytes` on S3. Each request carries the pinned ETag (If-Match), and the VersionId if there is one."""

    def __init__(self, client: S3Client, *, url: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._url = url
        self._bucket, self._key = parse_url(url)
        self._pause = pause
        self._pins: Pins | None = None
        self._size_bytes = 0

    def describe(self, pins: Pins | None) -> tuple[Pins, int]:
        """Look the object up; see `ports.ObjectBytes`."""
        pinned = pins.version_id if pins else None
        head = self._head(pinned) if pinned else None
        head = head or self._head(None)
        if head is None:
            raise self._not_there()
        version_id = head.get("VersionId")
        self._pins = Pins(head["ETag"], None if version_id in (None, "null") else version_id)
        self._size_bytes = head["ContentLength"]
        return self._pins, self._size_bytes

    def read(self, byte_offset: int) -> Iterator[bytes]:
        """Stream the described object from a byte on; see `ports.ObjectBytes`."""
        reached, failures, part_bytes = byte_offset, 0, FIRST_PART_BYTES
        while reached < self._size_bytes:
            end = min(reached + part_bytes, self._size_bytes)
            before = reached
            try:
                for chunk in self._part(reached, end):
                    reached += len(chunk)
                    yield chunk
            except (BotoCoreError, HTTPClientError, ClientError, OSError, ValueError) as error:
                failures = 1 if reached > before else failures + 1
                self._raise_unless_passing(error, reached, failures)
                self._pause(FIRST_PAUSE_S * 2**failures)
                continue
            if reached < end and reached == before:  # an answer without a byte is no progress
                failures += 1
                self._raise_unless_passing(OSError("the answer was empty"), reached, failures)
                continue
            failures, part_bytes = 0, min(2 * part_bytes, LARGEST_PART_BYTES)

    def _part(self, start: int, end: int) -> Iterator[bytes]:
        """Yield bytes [start, end), or fewer where the body ends early: the caller goes on where it stopped."""
        if self._pins is None:
            msg = "read before describe"
            raise RuntimeError(msg)
        wanted: dict[str, Any] = {"Range": f"bytes={start}-{end - 1}", "IfMatch": self._pins.etag}
        if self._pins.version_id:
            wanted["VersionId"] = self._pins.version_id
        answer = self._client.get_object(Bucket=self._bucket, Key=self._key, **wanted)
        expected = f"bytes {start}-{end - 1}/{self._size_bytes}"
        given = str(answer.get("ContentRange", ""))
        if given != expected and expected.startswith(given) and answer["ResponseMetadata"]["HTTPStatusCode"] == PARTIAL:
            raise OSError("the answer was cut within its head")
        if given != expected:
            raise SourceChanged(
                f"{self._url}: asked for {expected}, was given {given or None}",
                hint="the object is not the one the job started on; start a new job for the new object",
            )
        body = answer["Body"]
        left = end - start
        try:
            while left > 0 and (chunk := body.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
        finally:
            body.close()

    def _raise_unless_passing(self, error: Exception, reached: int, failures: int) -> None:
        if isinstance(error, ClientError):
            code = error_code(error)
            if code in {"412", "PreconditionFailed", "404", "NoSuchKey", "NoSuchVersion", "InvalidRange", "416"}:
                raise SourceChanged(
                    f"{self._url} changed while it was read ({code} at byte {reached})",
                    hint="the object must stay as it is until the job is done; start a new job for the new object",
                ) from error
        if access_refused(error):
            raise refusal(error, f"reading {self._url}", needs="s3:GetObject") from error
        if failures >= RECONNECTS_WITHOUT_A_BYTE:
            raise SourceUnavailable(
                f"{self._url} cannot be read at byte {reached}: {error}", hint="start the same command again"
            ) from error

    def _head(self, version_id: str | None) -> Any:
        """Return the HEAD answer, None where there is no such key or version."""
        version: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._key, **version)
        except ClientError as error:
            if error_code(error) in {"404", "NoSuchKey", "NoSuchVersion"}:
                return None
            if version_id and error_code(error) in {"400", "405"}:  # not a version of this object; a delete marker
                return None
            raise self._translated(error) from error
        except (BotoCoreError, HTTPClientError, ValueError) as error:
            raise self._translated(error) from error
        if not head.get("ETag") or "ContentLength" not in head:
            raise self._translated(OSError("the answer was cut within its head"))
        return head

    def _translated(self, error: Exception) -> ProcessorError:
        if access_refused(error):
            return refusal(error, f"looking up {self._url}", needs="s3:GetObject (and s3:ListBucket)")
        return SourceUnavailable(f"{self._url} cannot be looked up: {error}", hint="start the same command again")

    def _not_there(self) -> ProcessorError:
        """Find out what is missing: the bucket, or the key, or just a name in the place of a prefix."""
        try:
            beneath = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._key + "/", MaxKeys=1)
            is_prefix = beneath["KeyCount"] > 0
        except ClientError as error:
            if error_code(error) in {"404", "NoSuchBucket"}:
                return PlaceMissing(f"there is no bucket {self._bucket!r}", hint="check --source and the region")
            is_prefix = False  # no right to list: the key is what we know to be missing
        except (BotoCoreError, HTTPClientError) as error:
            return self._translated(error)
        if is_prefix:
            return BadSetting(f"{self._url} is a prefix", hint="name one object, not a folder of objects")
        return SourceChanged(f"{self._url} is not there", hint="check the key; it is case-sensitive")
