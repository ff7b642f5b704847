"""The network between the processor and one service goes wrong: each fault of the proxy is a nemesis.

All of them work alike on Kafka, S3 and DynamoDB, because each service has a proxy of its own.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from dataclasses import dataclass, field

from chaos.proxy import Direction, Link, Message, Request
from harness.target import Target
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

    def has_come(self, message: Message) -> bool:
        """Count a message; tell whether it is the one."""
        asked = message.request
        if message.direction is not Direction.TO_SERVER or asked.name != self.request:
            return False
        if self.needs not in asked.content or (self.lacks is not None and self.lacks in asked.content):
            return False
        self._seen += 1
        return self._seen == self.nth


def claim() -> Moment:
    """Return the moment at which a run claims the job."""
    return Moment("UpdateItem", needs=b":owner")


def save(nth: int = 2) -> Moment:
    """Return the moment of the n-th save of a position."""
    return Moment("UpdateItem", nth, needs=b":next_offset", lacks=b":start_offset")


class NetworkNemesis:
    """What the faults have in common: the proof that they struck, and an end that a test can bring about."""

    def __init__(self, name: str, holds: str) -> None:
        self.name = name
        self.holds = holds
        self._struck = threading.Event()
        self._lifted = threading.Event()

    @property
    def struck(self) -> bool:
        """Tell whether it hit a message; see `Nemesis`."""
        return self._struck.is_set()

    def await_strike(self, *, within_s: float) -> None:
        """Return once it has struck. Raises TimedOut."""
        until(lambda: self.struck, within_s=within_s, what=f"{self.name} to strike", every_s=0.01)

    def lift(self) -> None:
        """Let it be over: whatever waits goes on."""
        self._lifted.set()

    async def _until_lifted(self) -> None:
        while not self._lifted.is_set():  # noqa: ASYNC110  # the one who lifts it is in another thread
            await asyncio.sleep(0.01)


class Reset(NetworkNemesis):
    """Resets the connection instead of passing the request on; `for_ever`, every connection from then on."""

    def __init__(self, moment: Moment, *, for_ever: bool = False) -> None:
        super().__init__(
            f"reset at {moment}{', for ever' if for_ever else ''}",
            "a lost connection costs a retry, and no row is lost or repeated",
        )
        self._moment = moment
        self._for_ever = for_ever

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        again = self._for_ever and self.struck and not self._lifted.is_set()
        if not self._moment.has_come(message) and not again:
            return message.content
        self._struck.set()
        link.reset()
        return b""


class BlackHole(NetworkNemesis):
    """From the moment on nothing arrives in one direction, on no connection, until it is lifted.

    As with TCP, what was sent meanwhile arrives then, unless its connection was given up.
    """

    def __init__(self, moment: Moment, direction: Direction) -> None:
        super().__init__(
            f"black hole {direction.value} from {moment}",
            "every wait is bounded: the run gives the connection up and goes on, or ends with 75",
        )
        self._moment = moment
        self._direction = direction

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._moment.has_come(message):
            self._struck.set()
        if self.struck and message.direction is self._direction:
            await self._until_lifted()
        return message.content


class Delay(NetworkNemesis):
    """Every message takes so much longer, both ways."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"delay of {delay_s:g} s", "a slow network makes a slow run, and nothing else")
        self._delay_s = delay_s

    async def meet(self, _link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        self._struck.set()
        await asyncio.sleep(self._delay_s)
        return message.content


class CutAfter(NetworkNemesis):
    """Closes the connection on which the n-th byte from the moment on goes in a direction: that message is a torso."""

    def __init__(self, moment: Moment, direction: Direction, *, after_bytes: int) -> None:
        super().__init__(
            f"cut {after_bytes} bytes {direction.value} after {moment}", "half a message is no message, whoever gets it"
        )
        self._moment = moment
        self._direction = direction
        self._left = after_bytes
        self._counting = False

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        self._counting = self._counting or self._moment.has_come(message)
        if not self._counting or self.struck or message.direction is not self._direction:
            return message.content
        part = message.content[: self._left]
        self._left -= len(part)
        if len(part) < len(message.content):
            self._struck.set()
            link.cut()
        return part


class LoseAnswer(NetworkNemesis):
    """Lets a request through, waits for its answer, so that the effect is there, and loses the answer.

    The connection is reset then; `silent`, it stays open, and nothing more comes back on it.
    """

    def __init__(self, moment: Moment, *, silent: bool = False) -> None:
        super().__init__(
            f"answer to {moment} lost{' in silence' if silent else ''}",
            "an effect whose answer was lost is found out about, and neither undone nor done twice",
        )
        self._moment = moment
        self._silent = silent
        self._chosen: Request | None = None
        self._mute: Link | None = None

    async def meet(self, link: Link, message: Message, /) -> bytes:
        """See `Fault`."""
        if self._moment.has_come(message):
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

    def __init__(self, moment: Moment) -> None:
        super().__init__(f"{moment} held back", "a request that arrives late, from a run that is gone, changes nothing")
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

    def deliver_to_frozen(self, run: Target, server: str) -> bytes:
        """Deliver while a run that has committed is frozen, in the middle of its work for sure."""
        run.await_step(lambda step: step.name == "committed", within_s=30, what="a commit")
        run.signal(signal.SIGSTOP)
        try:
            assert "done" not in [step.name for step in run.steps], "the run was over before the request arrived"
            return self.deliver(server)
        finally:
            run.signal(signal.SIGCONT)


class Gate(NetworkNemesis):
    """Stops one request at a moment until it is lifted, so that something else can strike just then."""

    def __init__(self, moment: Moment, *, answer: bool = False) -> None:
        super().__init__(f"gate at {moment}", "a request that takes its time is just slow")
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
