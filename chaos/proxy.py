"""A TCP proxy of our own on loopback, between the processor and Kafka, S3 or DynamoDB, that misbehaves exactly.

It reads requests as whole messages and knows their names, so that "the answer to the third EndTxn is lost" is no
matter of luck. What goes wrong is decided by faults; without one every byte is passed on as it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol, Self, TypeVar

from harness.broker.settings import LOOPBACK, free_ports

T = TypeVar("T")

KAFKA_NAMES = {
    0: "Produce",
    2: "ListOffsets",
    3: "Metadata",
    9: "OffsetFetch",
    10: "FindCoordinator",
    18: "ApiVersions",
    22: "InitProducerId",
    24: "AddPartitionsToTxn",
    25: "AddOffsetsToTxn",
    26: "EndTxn",
    28: "TxnOffsetCommit",
}
LARGEST_HEAD_BYTES = 2**16
CHUNK_BYTES = 2**16
CONTROL_WITHIN_S = 30.0


class Direction(Enum):
    """Which way a message goes."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request: its name in the words of its service (`EndTxn`, `UpdateItem`, `GetObject`), and its bytes."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """A request on its way, or an answer to `request`; an answer over HTTP may come in several messages."""

    direction: Direction
    request: Request
    content: bytes = field(repr=False)


class Fault(Protocol):
    """Decides about every message of every link while it is switched on. Runs in the proxy's own loop."""

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """Return what is to be passed on, nothing to swallow it. May wait, and may reset or cut the link."""


class Wire(Protocol):
    """How one connection's bytes are told apart as messages."""

    async def read_request(self, reader: asyncio.StreamReader) -> Request:
        """Return the next whole request. Raises IncompleteReadError at the end."""

    async def read_answer(self, reader: asyncio.StreamReader) -> tuple[Request, bytes]:
        """Return the next answer, or a part of one, with its request. Raises IncompleteReadError at the end."""


class KafkaWire:
    """Frames with a length before them; an answer repeats the correlation id of its request."""

    def __init__(self) -> None:
        self._unanswered: dict[bytes, Request] = {}

    async def read_request(self, reader: asyncio.StreamReader) -> Request:
        """See `Wire`."""
        content = await self._frame(reader)
        key = int.from_bytes(content[4:6])
        request = Request(KAFKA_NAMES.get(key, f"api {key}"), content)
        self._unanswered[content[8:12]] = request
        return request

    async def read_answer(self, reader: asyncio.StreamReader) -> tuple[Request, bytes]:
        """See `Wire`."""
        content = await self._frame(reader)
        return self._unanswered.pop(content[4:8]), content

    @staticmethod
    async def _frame(reader: asyncio.StreamReader) -> bytes:
        length = await reader.readexactly(4)
        return length + await reader.readexactly(int.from_bytes(length))


class HttpWire:
    """HTTP as boto3 speaks it: a request has a Content-Length or no body, and waits for its answer."""

    def __init__(self) -> None:
        self._last = Request("none", b"")

    async def read_request(self, reader: asyncio.StreamReader) -> Request:
        """See `Wire`."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self._last = Request(self._name(head), head + body)
        return self._last

    async def read_answer(self, reader: asyncio.StreamReader) -> tuple[Request, bytes]:
        """See `Wire`."""
        content = await reader.read(CHUNK_BYTES)
        if not content:
            raise asyncio.IncompleteReadError(b"", None)
        return self._last, content

    @staticmethod
    def _name(head: bytes) -> str:
        target = re.search(rb"\r\nx-amz-target: *[^.\r]*\.(\w+)", head, re.IGNORECASE)
        return target[1].decode() if target else head.split(b" ", 1)[0].decode().capitalize() + "Object"


class Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, wire: Wire, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.wire = wire
        self._writers = {Direction.TO_CLIENT: client, Direction.TO_SERVER: server}
        self._is_cut = False

    def reset(self) -> None:
        """End both connections by RST; what was on its way is lost."""
        for writer in self._writers.values():
            with contextlib.suppress(OSError):
                linger = struct.pack("ii", 1, 0)  # closing with a linger of 0 s is how a socket sends RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    def cut(self) -> None:
        """Close both connections once the message at hand is written."""
        self._is_cut = True

    async def write(self, direction: Direction, content: bytes) -> None:
        """Pass bytes on."""
        self._writers[direction].write(content)
        await self._writers[direction].drain()
        if self._is_cut:
            raise ConnectionAbortedError("cut")

    def close(self) -> None:
        """Close what is still open."""
        for writer in self._writers.values():
            writer.close()


class Proxy:
    """Listens on a port that is fixed when it is made, so that a broker can advertise it. A context manager.

    `server` is where it connects to; a server that is away looks to clients like a reset.
    """

    def __init__(self, wire: Callable[[], Wire], *, server: str = "") -> None:
        self._port = free_ports(1)[0]
        self.address = f"{LOOPBACK}:{self._port}"
        self.server = server
        self._wire = wire
        self._faults: tuple[Fault, ...] = ()
        self._links: set[Link] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {self.address}", daemon=True)
        self._listener: asyncio.Server | None = None

    def switch_on(self, *faults: Fault) -> None:
        """Add faults; each message meets them in this order."""
        self._faults += faults

    def switch_off(self) -> None:
        """Drop all faults. What one of them still keeps waiting is for that one to let go."""
        self._faults = ()

    def reset_now(self) -> int:
        """Reset every connection there is; return how many there were."""

        async def reset() -> int:
            links = list(self._links)
            for link in links:
                link.reset()
            return len(links)

        return self._await(reset())

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = self._await(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._await(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, LOOPBACK, self._port, limit=LARGEST_HEAD_BYTES)

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for link in list(self._links):
            link.close()
        for way in list(self._ways):
            way.cancel()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*served, return_exceptions=True)

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CONTROL_WITHIN_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.server.rpartition(":")
        try:
            from_server, to_server = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        link = Link(self._wire(), writer, to_server)
        self._links.add(link)
        ways = {asyncio.ensure_future(way) for way in (self._requests(link, reader), self._answers(link, from_server))}
        self._ways |= ways
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.discard(link)
            self._ways -= ways
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)  # they end with the connection, each in its own way
            link.close()

    async def _requests(self, link: Link, reader: asyncio.StreamReader) -> None:
        while True:
            request = await link.wire.read_request(reader)
            await self._pass_on(link, Message(Direction.TO_SERVER, request, request.content))

    async def _answers(self, link: Link, reader: asyncio.StreamReader) -> None:
        while True:
            request, content = await link.wire.read_answer(reader)
            await self._pass_on(link, Message(Direction.TO_CLIENT, request, content))

    async def _pass_on(self, link: Link, message: Message) -> None:
        for fault in self._faults:
            message = replace(message, content=await fault.meet(link, message))
            if not message.content:
                return
        await link.write(message.direction, message.content)
