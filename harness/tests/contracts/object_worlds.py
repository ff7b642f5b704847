"""The worlds of a source object: a key, and what others do to the object under it. The fake's half."""

from __future__ import annotations

from abc import ABC, abstractmethod

from harness.fakes import FakeKey, FakeObject
from processor.ports import ObjectBytes


class ObjectWorld(ABC):
    """A key without an object. `open()` is a new run's view of it each time."""

    @abstractmethod
    def put(self, body: bytes) -> None:
        """Write the object, or write it anew."""

    @abstractmethod
    def delete(self) -> None:
        """Delete the object; in a versioned bucket that hides it behind a marker."""

    @abstractmethod
    def delete_version(self, version_id: str) -> None:
        """Remove one version for good."""

    @abstractmethod
    def open(self) -> ObjectBytes:
        """Make one run's view of the object."""

    @abstractmethod
    def open_prefix(self) -> ObjectBytes:
        """Make a view of a URL that ends in a slash."""

    @abstractmethod
    def without_bucket(self) -> ObjectBytes:
        """Make a view of an object in a bucket that does not exist."""

    @abstractmethod
    def unreachable(self) -> ObjectBytes:
        """Make a view of an object whose store does not answer."""

    @property
    @abstractmethod
    def bytes_asked(self) -> int:
        """Bytes of objects that were asked for through every view so far."""


class FakeObjectWorld(ObjectWorld):
    """In memory; chunks of 1,000 bytes, so that small bodies have several."""

    def __init__(self, *, versioned: bool) -> None:
        self.key = FakeKey(versioned=versioned)
        self._opened: list[FakeObject] = []

    def put(self, body: bytes) -> None:
        self.key.put(body)

    def delete(self) -> None:
        self.key.delete()

    def delete_version(self, version_id: str) -> None:
        self.key.delete_version(version_id)

    def open(self) -> ObjectBytes:
        self._opened.append(FakeObject(self.key, chunk_bytes=1_000))
        return self._opened[-1]

    def open_prefix(self) -> ObjectBytes:
        return FakeObject(FakeKey(b"", url="s3://bucket/folder/"))

    def without_bucket(self) -> ObjectBytes:
        self.key.bucket_exists = False
        return self.open()

    def unreachable(self) -> ObjectBytes:
        self.key.reachable = False
        return self.open()

    @property
    def bytes_asked(self) -> int:
        return sum(opened.bytes_asked for opened in self._opened)
