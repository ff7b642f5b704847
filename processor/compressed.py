"""Objects that are compressed: gzip and zstd, told by their first bytes.

A byte offset is then one of the decompressed bytes. Nobody can begin in the middle of such a stream, so a resume reads
and decompresses the object from its start and drops what lies before its place: exact all the same, and slower the
further the job is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from processor.errors import BadSetting, NeedsPerson

Decompress: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # what such an object begins with
LONGEST_MAGIC = len(ZSTD)
CHUNK_BYTES = 2**20
# A slice of zstd comes out whole, and may be some thousand times as long.
ZSTD_SLICE_BYTES = 2**14
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_DAMAGED = "the object is damaged: upload it anew, and start a new job"


def decompressor_of(head: bytes) -> Decompress | None:
    """Return what decompresses an object that begins so, None for one that is not compressed.

    Its first chunk raises BadSetting where the package for it is not installed.
    """
    if head.startswith(GZIP):
        return _gunzipped
    return _unzstd if head.startswith(ZSTD) else None


def skipped(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield the chunks without their first `count` bytes."""
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip, any number of members. Raises NeedsPerson where the stream is damaged or ends early."""

    def pieces(stream: Any, chunk: bytes) -> Iterator[bytes]:
        while chunk and not stream.eof:
            yield stream.decompress(chunk, CHUNK_BYTES)
            chunk = stream.unconsumed_tail

    yield from _members(chunks, lambda: zlib.decompressobj(_GZIP_WINDOW), pieces, zlib.error, "gzip")


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress zstd, any number of frames. Raises as `_gunzipped`, and BadSetting without the package for it."""
    try:
        import zstandard  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise BadSetting("the object is zstd", hint="pip install 'csv-to-kafka[zstd]'") from error

    def pieces(stream: Any, chunk: bytes) -> Iterator[bytes]:
        yield stream.decompress(chunk)

    slices = (chunk[at : at + ZSTD_SLICE_BYTES] for chunk in chunks for at in range(0, len(chunk), ZSTD_SLICE_BYTES))
    new = zstandard.ZstdDecompressor().decompressobj
    yield from _members(slices, new, pieces, zstandard.ZstdError, "zstd")


def _members(
    chunks: Iterable[bytes],
    new: Callable[[], Any],
    pieces: Callable[[Any, bytes], Iterator[bytes]],
    damaged: type[Exception],
    kind: str,
) -> Iterator[bytes]:
    stream: Any = None  # None between two members
    try:
        for chunk in chunks:
            left = chunk
            while left:
                if stream is None:
                    left = left.lstrip(b"\0")  # padding, which gzip allows behind a member
                    if not left:
                        break
                    stream = new()
                yield from filter(None, pieces(stream, left))
                left = b""
                if stream.eof:
                    left, stream = stream.unused_data, None
    except damaged as error:
        raise NeedsPerson(f"the object's {kind} stream is broken: {error}", hint=_DAMAGED) from error
    if stream is not None:
        raise NeedsPerson(f"the object ends within its {kind} stream", hint=_DAMAGED)
