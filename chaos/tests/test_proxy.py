"""The proxy alone, between a plain client and a plain server: every fault does what it says, and says that it did."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

from chaos.nemesis.network import BlackHole, CutAfter, Delay, Gate, HoldBack, LoseAnswer, Moment, Reset
from chaos.proxy import Direction, Fault, HttpWire, KafkaWire, Proxy
from harness.wait import until

END_TXN, PRODUCE = 26, 0
Dial = Callable[..., socket.socket]


class Echo(socketserver.BaseRequestHandler):
    """Answers each frame with its correlation id and `done`, and notes it."""

    seen: list[bytes]

    def handle(self) -> None:
        while True:
            try:
                content = read_frame(self.request)
            except (ConnectionError, EOFError):
                return
            self.seen.append(content)
            self.request.sendall(frame(content[4:8] + b"done"))


def frame(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def ask(number: int, *, key: int = PRODUCE, body: bytes = b"rows") -> bytes:
    return frame(key.to_bytes(2) + b"\0\0" + number.to_bytes(4) + body)


def read_frame(connection: socket.socket) -> bytes:
    return read_exactly(connection, int.from_bytes(read_exactly(connection, 4)))


def read_exactly(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = connection.recv(size - len(content))
        if not piece:
            raise EOFError(content)
        content += piece
    return content


def answer(number: int) -> bytes:
    return number.to_bytes(4) + b"done"


@pytest.fixture
def seen() -> list[bytes]:
    """What reached the server."""
    return []


@pytest.fixture
def proxy(seen: list[bytes]) -> Iterator[Proxy]:
    handler = type("Noting", (Echo,), {"seen": seen})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with Proxy(KafkaWire, server=f"127.0.0.1:{server.server_address[1]}") as opened:
            yield opened
        server.shutdown()


@pytest.fixture
def dial(proxy: Proxy) -> Iterator[Dial]:
    opened: list[socket.socket] = []

    def connect(*faults: Fault) -> socket.socket:
        proxy.switch_on(*faults)
        host, _, port = proxy.address.rpartition(":")
        opened.append(socket.create_connection((host, int(port)), timeout=5))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def stays_silent(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return not connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_without_a_fault_frames_pass_as_they_came(dial: Dial, seen: list[bytes]) -> None:
    large = bytes(range(256)) * 5000
    connection = dial()
    connection.sendall(ask(1) + ask(2, body=large))  # two in one go
    assert (read_frame(connection), read_frame(connection)) == (answer(1), answer(2))
    assert seen == [ask(1)[4:], ask(2, body=large)[4:]]


def test_a_reset_hits_the_request_of_its_name_and_number_and_no_other(dial: Dial, seen: list[bytes]) -> None:
    reset = Reset(Moment("EndTxn", 2))
    connection = dial(reset)
    for number, key in enumerate((END_TXN, PRODUCE, PRODUCE)):
        connection.sendall(ask(number, key=key))
        assert read_frame(connection) == answer(number)
    assert not reset.struck
    connection.sendall(ask(9, key=END_TXN))
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert reset.struck
    assert len(seen) == 3
    again = dial()
    again.sendall(ask(10, key=END_TXN))
    assert read_frame(again) == answer(10)


def test_a_reset_for_ever_ends_when_it_is_lifted(dial: Dial) -> None:
    reset = Reset(Moment("EndTxn"), for_ever=True)
    first = dial(reset)
    first.sendall(ask(1, key=END_TXN))
    with pytest.raises(ConnectionResetError):
        first.recv(1)
    second = dial()
    second.sendall(ask(2))
    with pytest.raises(ConnectionResetError):
        second.recv(1)
    reset.lift()
    third = dial()
    third.sendall(ask(3, key=END_TXN))
    assert read_frame(third) == answer(3)


def test_all_connections_can_be_reset_at_once(proxy: Proxy, dial: Dial) -> None:
    connections = [dial(), dial()]
    for connection in connections:
        connection.sendall(ask(1))
        assert read_frame(connection) == answer(1)
    assert proxy.reset_now() == 2
    for connection in connections:
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize(("direction", "reached"), [(Direction.TO_SERVER, 0), (Direction.TO_CLIENT, 1)])
def test_a_black_hole_stops_one_direction_and_gives_back_what_it_kept(
    dial: Dial, seen: list[bytes], direction: Direction, reached: int
) -> None:
    hole = BlackHole(Moment("EndTxn"), direction)
    connection = dial(hole)
    connection.sendall(ask(1, key=END_TXN))
    hole.await_strike(within_s=5)
    assert stays_silent(connection)
    assert len(seen) == reached
    dial().sendall(ask(2))
    hole.await_second_try(within_s=5)
    hole.lift()
    assert read_frame(connection) == answer(1)
    assert ask(1, key=END_TXN)[4:] in seen


def test_a_delay_holds_up_request_and_answer_from_its_moment_on_until_it_is_lifted(dial: Dial) -> None:
    delay = Delay(1, Moment("EndTxn"))
    connection = dial(delay)
    connection.sendall(ask(1))
    assert read_frame(connection) == answer(1)
    assert not delay.struck
    connection.sendall(ask(2, key=END_TXN))
    assert stays_silent(connection)
    assert read_frame(connection) == answer(2)
    assert delay.struck
    delay.lift()
    connection.sendall(ask(3))
    assert read_frame(connection) == answer(3)


def test_a_cut_leaves_a_torso_of_the_message_that_crosses_the_mark(dial: Dial, seen: list[bytes]) -> None:
    whole = len(frame(answer(1)))
    cut = CutAfter(Moment("EndTxn"), Direction.TO_CLIENT, after_bytes=whole + 5)
    connection = dial(cut)
    connection.sendall(ask(1, key=END_TXN))
    assert read_frame(connection) == answer(1)
    assert not cut.struck
    connection.sendall(ask(2))
    with pytest.raises(EOFError) as torso:
        read_exactly(connection, whole)
    assert torso.value.args[0] == frame(answer(2))[:5]
    assert cut.struck
    assert len(seen) == 2


def test_a_cut_for_ever_cuts_each_connection_until_it_is_lifted(dial: Dial) -> None:
    cut = CutAfter(Moment("EndTxn"), Direction.TO_CLIENT, after_bytes=5, for_ever=True)
    for number in range(3):
        connection = dial(*([] if number else [cut]))
        connection.sendall(ask(number, key=END_TXN))
        with pytest.raises(EOFError) as torso:
            read_frame(connection)
        assert torso.value.args[0] == answer(number)[:1]
    cut.lift()
    connection = dial()
    connection.sendall(ask(9, key=END_TXN))
    assert read_frame(connection) == answer(9)


def test_answers_lost_for_ever_are_those_to_requests_of_one_name(dial: Dial, seen: list[bytes]) -> None:
    loss = LoseAnswer(Moment("EndTxn", 2), for_ever=True)
    connection = dial(loss)
    connection.sendall(ask(1, key=END_TXN))
    assert read_frame(connection) == answer(1)
    for number in (2, 3):
        connection = dial()
        connection.sendall(ask(number) + ask(10 * number, key=END_TXN))
        assert read_frame(connection) == answer(number)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert len(seen) == 5
    loss.lift()
    connection = dial()
    connection.sendall(ask(4, key=END_TXN))
    assert read_frame(connection) == answer(4)


def test_a_lost_answer_belongs_to_a_request_that_had_its_effect(dial: Dial, seen: list[bytes]) -> None:
    loss = LoseAnswer(Moment("EndTxn"))
    connection = dial(loss)
    connection.sendall(ask(1) + ask(2, key=END_TXN))
    assert read_frame(connection) == answer(1)
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert loss.struck
    assert seen == [ask(1)[4:], ask(2, key=END_TXN)[4:]]


def test_an_answer_lost_in_silence_leaves_the_connection_open_and_mute(dial: Dial, seen: list[bytes]) -> None:
    loss = LoseAnswer(Moment("EndTxn"), silent=True)
    connection = dial(loss)
    connection.sendall(ask(1, key=END_TXN) + ask(2))
    assert stays_silent(connection)
    until(lambda: len(seen) == 2, within_s=5, what="both requests to have had their effect")
    other = dial()
    other.sendall(ask(3))
    assert read_frame(other) == answer(3)


def test_what_was_held_back_arrives_after_its_sender_is_gone(proxy: Proxy, dial: Dial, seen: list[bytes]) -> None:
    held = HoldBack(Moment("EndTxn"))
    connection = dial(held)
    connection.sendall(ask(7, key=END_TXN))
    held.await_strike(within_s=5)
    connection.close()
    assert not seen
    assert held.deliver(proxy.server) == frame(answer(7))
    assert seen == [ask(7, key=END_TXN)[4:]]


@pytest.mark.parametrize(("waits_for_answer", "reached"), [(False, 0), (True, 1)])
def test_a_gate_stops_a_request_or_its_answer_until_it_is_lifted(
    dial: Dial, seen: list[bytes], waits_for_answer: bool, reached: int
) -> None:
    gate = Gate(Moment("EndTxn"), answer=waits_for_answer)
    connection = dial(gate)
    connection.sendall(ask(1, key=END_TXN))
    gate.await_strike(within_s=5)
    assert len(seen) == reached
    gate.lift()
    assert read_frame(connection) == answer(1)


def test_a_server_that_is_away_looks_like_a_connection_that_ends(dial: Dial, proxy: Proxy) -> None:
    proxy.server = "127.0.0.1:1"
    connection = dial()
    with pytest.raises((EOFError, ConnectionResetError)):
        read_exactly(connection, 1)


def test_requests_over_http_have_the_names_of_their_operations() -> None:
    update = b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: DynamoDB_20120810.UpdateItem\r\n\r\n"
    assert HttpWire._name(update) == "UpdateItem"
    assert HttpWire._name(b"GET /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n") == "GetObject"
    assert HttpWire._name(b"HEAD /bucket/key HTTP/1.1\r\nHost: h\r\n\r\n") == "HeadObject"
