"""Logs in to a broker as kafka-python does, to hear why it refuses.

kafka-python 3.0 drops the answer when the broker ends the connection right behind it, and tries on until its time is
over. Its mechanisms are used here on a connection of our own.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.sasl import get_sasl_mechanism

from processor.security import Security
from processor.tls import address_of, ask, connected

SASL_HANDSHAKE, SASL_AUTHENTICATE = (17, 1), (36, 0)  # api key and version
ROUNDS = 5  # SCRAM takes two


def require_login(server: str, security: Security, chosen: Mapping[str, Any]) -> None:
    """Return where nothing is known. Raises kafka-python's error for what the broker says.

    `chosen` are kafka-python's own settings for this security.
    """
    address = address_of(server)
    mechanism = get_sasl_mechanism(chosen["sasl_mechanism"])(host=address[0], **chosen)
    name = chosen["sasl_mechanism"].encode()
    with contextlib.suppress(OSError, EOFError), connected(address, security) as connection:
        _ask(connection, *SASL_HANDSHAKE, struct.pack(">h", len(name)) + name)
        for _ in range(ROUNDS):
            if mechanism.is_done():
                return
            said = mechanism.auth_bytes()
            mechanism.receive(_ask(connection, *SASL_AUTHENTICATE, struct.pack(">i", len(said)) + said))


def _ask(connection: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """Return the bytes at the end of the answer. Raises kafka-python's error, EOFError, OSError."""
    answer = ask(connection, struct.pack(">hhih", key, version, 0, -1) + body)
    if len(answer) < 8:  # noqa: PLR2004  # correlation, error and a length
        raise EOFError
    code, length = struct.unpack_from(">hh", answer, 4)
    error = kafka_errors.for_code(code)
    if error is not kafka_errors.NoError:
        said = answer[8 : 8 + length].decode() if key == SASL_AUTHENTICATE[0] and length > 0 else error.description
        raise error(said)
    return answer[8 + max(length, 0) + 4 :]
