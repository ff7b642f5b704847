"""An S3 key in memory: its versions, and one run's view of them through `ports.ObjectBytes`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from harness.fakes.faults import Faults
from processor.errors import BadSetting, PlaceMissing, ProcessorError, SourceChanged, SourceUnavailable
from processor.model import Pins


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the key: a body under its pins, or a delete marker (body None)."""

    pins: Pins
    body: bytes | None


class FakeKey:
    """What S3 holds under one key; it outlives every run.

    `versioned` False forgets the old body with each put and gives no version ids, as an unversioned bucket does.
    """

    def __init__(
        self, body: bytes | None = None, *, url: str = "s3://bucket/rows.csv", versioned: bool = False
    ) -> None:
        self.url = url
        self.versioned = versioned
        self.bucket_exists = True
        self.reachable = True
        self._made = 0
        self._versions: list[Version] = []
        if body is not None:
            self.put(body)

    def put(self, body: bytes) -> Pins:
        """Write the object anew and return its pins. Equal bytes have equal ETags, as in S3."""
        return self._add(f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"', body)

    def delete(self) -> None:
        """Delete the object; in a versioned bucket its versions stay below a marker."""
        if self.versioned:
            self._add('"marker"', None)
        else:
            self._versions.clear()

    def delete_version(self, version_id: str) -> None:
        """Remove one version for good."""
        self._versions = [version for version in self._versions if version.pins.version_id != version_id]

    def find(self, version_id: str | None) -> Version | None:
        """Return the version of this id, or the newest for None; None when there is no such object."""
        for version in reversed(self._versions):
            if version_id is None or version.pins.version_id == version_id:
                return version if version.body is not None else None
        return None

    def _add(self, etag: str, body: bytes | None) -> Pins:
        self._made += 1
        pins = Pins(etag, f"v{self._made}" if self.versioned else None)
        if not self.versioned:
            self._versions.clear()
        self._versions.append(Version(pins, body))
        return pins


class FakeObject:
    """One run's `ports.ObjectBytes` on a FakeKey. `bytes_asked` counts what was asked for, read to the end or not.

    A change of the object shows at the next chunk, earlier than in S3, where an open stream runs on.
    """

    def __init__(self, key: FakeKey, *, chunk_bytes: int = 65_536, faults: Faults | None = None) -> None:
        self._key = key
        self._chunk_bytes = chunk_bytes
        self._faults = faults or Faults()
        self._described: Version | None = None
        self.bytes_asked = 0

    def describe(self, pins: Pins | None) -> tuple[Pins, int]:
        """Find the pinned version if it still exists, else the newest object."""
        self._described = self._faults.around("object.describe", lambda _: self._find(pins), failure=_unavailable)
        return self._described.pins, len(_body(self._described))

    def read(self, byte_offset: int) -> Iterator[bytes]:
        """Yield the described bytes from `byte_offset` on, `chunk_bytes` at a time."""
        described = self._described
        if described is None:
            raise AssertionError("read before describe")
        try:
            chunks = self._faults.around("object.read", lambda done: done, failure=_unavailable)
        except SourceUnavailable as failure:
            done = self._faults.struck[-1].done
            return self._chunks(described, byte_offset, whole_chunks=done, then=failure)
        return self._chunks(described, byte_offset, whole_chunks=chunks, then=None)

    def _find(self, pins: Pins | None) -> Version:
        self._check_place()
        version = pins and pins.version_id and self._key.find(pins.version_id)
        version = version or self._key.find(None)
        if not version:
            raise SourceChanged(f"{self._key.url} does not exist", hint="check the key")
        return version

    def _check_place(self) -> None:
        if self._key.url.endswith("/"):
            raise BadSetting(f"{self._key.url} is a prefix", hint="name one object")
        if not self._key.bucket_exists:
            raise PlaceMissing(f"no bucket for {self._key.url}", hint="check the bucket")
        if not self._key.reachable:
            raise _unavailable("S3 does not answer")

    def _chunks(
        self, described: Version, byte_offset: int, *, whole_chunks: int | None, then: ProcessorError | None
    ) -> Iterator[bytes]:
        body = _body(described)
        self.bytes_asked += max(0, len(body) - byte_offset)
        starts = range(byte_offset, len(body), self._chunk_bytes)
        for start in starts if whole_chunks is None else starts[:whole_chunks]:
            self._check_place()
            now = self._key.find(described.pins.version_id)
            if now is None or now.pins.etag != described.pins.etag:
                raise SourceChanged(f"{self._key.url} is no longer what was described", hint="start a new job")
            yield body[start : start + self._chunk_bytes]
        if then is not None:
            raise then


def _body(version: Version) -> bytes:
    if version.body is None:
        raise AssertionError("a delete marker has no bytes")
    return version.body


def _unavailable(why: str) -> SourceUnavailable:
    return SourceUnavailable(why, hint="start again")
