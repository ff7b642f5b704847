"""The network between the processor and one service goes wrong: each fault of the proxy is a nemesis.

All of them work alike on Kafka, S3 and DynamoDB, because each service has a proxy of its own.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import abstractmethod
from dataclasses import dataclass, field

from chaos.nemesis.base import Nemesis
from chaos.proxy import Direction, Link, Message, Request
from harness.wait import until

DELIVERED_WITHIN_S = 10.0


@dataclass(slots=True)
class Moment:
    """The n-th request of a name, counted from when the fault is switched on; `needs` and `lacks` narrow it down."""

    request: str
    nth: int = 1
    needs: bytes = b""
    lacks: bytes | None = None
    _seen: int = field(default=0, init=False)

    def __str__(self) -> str:
        return f"{self.request} number {self.nth}"

    def is_like(self, message: Message) -> bool:
        """Tell whether a message is a request of that name."""
        asked = message.request
        if message.direction is not Direction.TO_SERVER or asked.name != self.request:
            return False
        return self.needs in asked.content and (self.lacks is None or self.lacks not in asked.content)

    def has_come(self, message: Message) -> bool:
        """Count a message; tell whether it is the one."""
        self._seen += self.is_like(message)
        return self.is_like(message) and self._seen == self.nth


def claim() -> Moment:
    """Return the moment at which a run claims the job."""
    return Moment("UpdateItem", needs=b":owner")


def save(nth: int = 2) -> Moment:
    """Return the moment of the n-th save of a position."""
    return Moment("UpdateItem", nth, needs=b":next_offset", lacks=b":start_offset")


class NetworkNemesis(Nemesis):
    """What the faults have in common: the proof that they struck, and an end that a test can bring about."""

    def __init__(self, particulars: object = "") -> None:
        self._particulars = str(particulars)
        self._struck = threading.Event()
        self._lifted = threading.Event()

    @property
    def name(self) -> str:
        """Return title and moment; see `Nemesis`."""
        return f"{self.title}: {self._particulars}"

    @property
    def struck(self) -> bool:
        """Tell whether it hit a message; see `Nemesis`."""
        return self._struck.is_set()

    @abstractmethod
    async def meet(self, link: Link, message: Message, /) -> bytes:
        """Decide about a message; see `Fault`."""

    def await_strike(self, *, within_s: float) -> None:
        """Return once it has struck. Raises TimedOut."""
        until(lambda: self.struck, within_s=within_s, what=f"{self.name} to strike", every_s=0.01)

    def lift(self) -> None:
        """Let it be over: whatever waits goes on."""
        self._lifted.set()

    def _lasts(self, for_ever: bool) -> bool:
        """Tell whether it strikes again, as one that lasts for ever does until it is lifted."""
        return for_ever and self.struck and not self._lifted.is_set()

    async def _until_lifted(self) -> None:
        while not self._lifted.is_set():  # noqa: ASYNC110  # the one who lifts it is in another thread
            await asyncio.sleep(0.01)


class Reset(NetworkNemesis):
    """Resets the connection instead of passing the request on; `for_ever`, every connection from then on."""

    title = "connection reset"
    holds = "a lost connection costs a retry, and no row is lost or repeated"

    def __init__(self, moment: Moment, *, for_ever: bool = False) -> None:
        super().__init__(f"{moment}{_length(for_ever)}")
        self._moment = moment
        self._for_ever = for_ever

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if not self._moment.has_come(message) and not self._lasts(self._for_ever):
            return message.content
        self._struck.set()
        link.reset()
        return b""


class BlackHole(NetworkNemesis):
    """From the moment on nothing arrives in one direction, on no connection, until it is lifted.

    As with TCP, what was sent meanwhile arrives then, unless its connection was given up.
    """

    title = "one-way black hole"
    holds = "every wait is bounded: the run gives the connection up and tries again"

    def __init__(self, moment: Moment, direction: Direction) -> None:
        super().__init__(f"{direction.value} from {moment}")
        self._moment = moment
        self._direction = direction
        self._links: set[Link] = set()

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._moment.has_come(message):
            self._struck.set()
        if self.struck and message.direction is self._direction:
            self._links.add(link)
            await self._until_lifted()
        return message.content

    def await_second_try(self, *, within_s: float) -> None:
        """Return once it has swallowed something on a second connection. Raises TimedOut."""
        until(lambda: len(self._links) > 1, within_s=within_s, what=f"a second connection into {self.name}")


class Delay(NetworkNemesis):
    """Every message takes so much longer, both ways; with a moment, from then on until it is lifted."""

    title = "delay"
    holds = "a slow network makes a slow run, and nothing else"

    def __init__(self, delay_s: float, moment: Moment | None = None) -> None:
        super().__init__(f"{delay_s:g} s{f' from {moment}' if moment else ''}")
        self._delay_s = delay_s
        self._moment = moment

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._moment is None or self._moment.has_come(message):
            self._struck.set()
        if self._lasts(for_ever=True):
            await asyncio.sleep(self._delay_s)
        return message.content


class CutAfter(NetworkNemesis):
    """Closes the connection on which the n-th byte from the moment on goes in a direction: that message is a torso.

    `for_ever`, each connection from then on is closed after as many bytes in that direction.
    """

    title = "cut after N bytes"
    holds = "half a message is no message, whoever gets it"

    def __init__(self, moment: Moment, direction: Direction, *, after_bytes: int, for_ever: bool = False) -> None:
        super().__init__(f"{after_bytes} bytes {direction.value} after {moment}{_length(for_ever)}")
        self._moment = moment
        self._direction = direction
        self._after_bytes = self._left = after_bytes
        self._counting = False
        self._for_ever = for_ever

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        self._counting = self._counting or self._moment.has_come(message)
        over = self.struck and not self._lasts(self._for_ever)
        if not self._counting or over or message.direction is not self._direction:
            return message.content
        part = message.content[: self._left]
        self._left -= len(part)
        if len(part) < len(message.content):
            self._struck.set()
            self._left = self._after_bytes
            link.cut()
        return part


class LoseAnswer(NetworkNemesis):
    """Lets a request through, waits for its answer, so that the effect is there, and loses the answer.

    The connection is reset then; `silent`, it stays open, and nothing more comes back on it. `for_ever`, the answer
    to each request of the moment's name is lost from then on.
    """

    title = "answer lost after the effect"
    holds = "an effect whose answer was lost is found out about, and neither undone nor done twice"

    def __init__(self, moment: Moment, *, silent: bool = False, for_ever: bool = False) -> None:
        super().__init__(f"{moment}{', in silence' if silent else ''}{_length(for_ever)}")
        self._moment = moment
        self._silent = silent
        self._for_ever = for_ever
        self._chosen: Request | None = None
        self._mute: Link | None = None

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        again = self._lasts(self._for_ever) and self._moment.is_like(message)
        if self._moment.has_come(message) or again:
            self._chosen = message.request
        is_answer = message.direction is Direction.TO_CLIENT
        if is_answer and message.request is self._chosen:
            self._struck.set()
            self._chosen, self._mute = None, link
            if not self._silent:
                link.reset()
        return b"" if is_answer and link is self._mute else message.content


class HoldBack(NetworkNemesis):
    """Keeps one request back. `deliver` sends it on when its sender has long given up, or is dead."""

    title = "request held back and delivered after the restart"
    holds = "a request that arrives late, from a run that is gone, changes nothing"

    def __init__(self, moment: Moment) -> None:
        super().__init__(moment)
        self._moment = moment
        self._held = b""

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._moment.has_come(message):
            self._held = message.content
            self._struck.set()
            await self._until_lifted()
            return b""
        return message.content

    def deliver(self, server: str) -> bytes:
        """Send what was held back to the server, on a connection of its own, and return the beginning of the answer."""
        host, _, port = server.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=DELIVERED_WITHIN_S) as connection:
            connection.sendall(self._held)
            return connection.recv(2**16)


class Gate(NetworkNemesis):
    """Stops one request at a moment until it is lifted, so that something else can strike just then."""

    title = "request held up"
    holds = "a request that takes its time is just slow"

    def __init__(self, moment: Moment, *, answer: bool = False) -> None:
        super().__init__(moment)
        self._moment = moment
        self._answer = answer
        self._chosen: Request | None = None

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`. With `answer` the request goes through, and its answer waits."""
        if self._moment.has_come(message):
            self._chosen = message.request
        wanted = Direction.TO_CLIENT if self._answer else Direction.TO_SERVER
        if message.request is self._chosen and message.direction is wanted:
            self._struck.set()
            await self._until_lifted()
        return message.content


def _length(for_ever: bool) -> str:
    return ", for ever" if for_ever else ""
