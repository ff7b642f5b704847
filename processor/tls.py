"""TLS to Kafka: the context that both clients' settings are checked by, and why a broker does not talk to us.

The clients retry a handshake that was refused as they retry a broker that is down, and tell too little of the reason.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator

from processor.errors import AccessDenied, BadSetting, ProcessorError, SinkFailed
from processor.model import SinkSettings
from processor.security import Security

TALK_S = 3.0
SERVERS_ASKED = 3  # each may be silent for a while, and the person waits
# ApiVersions, version 0, correlation 7, no client id: what every listener answers, but before SASL it does so once.
API_VERSIONS = bytes.fromhex("0012 0000 00000007 ffff")
CORRELATION = API_VERSIONS[4:8]
ANSWER_BYTES = 2**20  # at most: whoever speaks no Kafka may seem to announce any number


def tls_context(security: Security) -> ssl.SSLContext:
    """Return the context of a connection: TLS 1.2 or later, host name checked. Raises BadSetting for unfit files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if security.ca_file:
            context.load_verify_locations(security.ca_file)
        else:
            context.load_default_certs()
    except OSError as error:  # ssl.SSLError is one
        raise _unfit("--tls-ca", security.ca_file, error) from error
    if security.certificate_file:
        try:
            with _as_file(security.key) as key_file:
                # A password that nobody gave must not be asked for at the terminal.
                context.load_cert_chain(security.certificate_file, key_file, lambda: security.key_password)
        except (OSError, ValueError) as error:
            raise _unfit("--tls-certificate and its key", security.certificate_file, error) from error
    return context


@contextlib.contextmanager
def connected(address: tuple[str, int], security: Security) -> Iterator[socket.socket]:
    """Connect, with TLS if the settings say so. Raises OSError."""
    with socket.create_connection(address, TALK_S) as plain:
        if not security.tls:
            yield plain
            return
        with tls_context(security).wrap_socket(plain, server_hostname=address[0]) as secured:
            yield secured


def address_of(server: str) -> tuple[str, int]:
    """Take `host:port` apart."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def ask(connection: socket.socket, request: bytes) -> bytes:
    """Send a request of Kafka's and return the answer; none of it, or a part, when the other side ends the connection.

    Raises OSError.
    """
    connection.sendall(len(request).to_bytes(4) + request)
    with connection.makefile("rb") as answer:
        size = int.from_bytes(answer.read(4))
        return answer.read(min(size, ANSWER_BYTES))


def explain(failure: SinkFailed, settings: SinkSettings) -> ProcessorError:
    """Return why a broker does not talk to us, where a connection of our own tells; else the failure itself."""
    security = settings.security
    for server in settings.bootstrap_servers.split(",")[:SERVERS_ASKED]:
        address = address_of(server)
        with contextlib.suppress(OSError):  # nobody there, or no answer: nothing is known
            wrong = _with_tls(address, security) if security.tls else _without_tls(address, security)
            if wrong is not None:
                return AccessDenied(f"{server} {wrong[0]}", hint=wrong[1])
    return failure


def _with_tls(address: tuple[str, int], security: Security) -> tuple[str, str] | None:
    """Return what is wrong and what to do about it, None if nothing is. Raises OSError."""
    try:
        with connected(address, security) as secured:
            # With TLS 1.3 a broker refuses our certificate after the handshake, so in the place of an answer.
            if _answers(secured):
                return _wants_sasl(secured, security)
    except ssl.SSLCertVerificationError as error:
        return (
            f"shows a certificate that is not trusted: {error.verify_message}",
            "check --tls-ca, the host names in --bootstrap-servers, and the broker's certificate",
        )
    except ssl.SSLError as error:
        if _is_alert(error):
            return (
                f"refuses the TLS handshake: {error.reason}",
                "check --tls-certificate: whether the broker asks for one, who signed it, whether it has expired",
            )
    except ConnectionError:  # how Kafka answers TLS where it does not speak it
        pass
    with socket.create_connection(address, TALK_S) as plain:
        return ("does not speak TLS", "choose another --security-protocol") if _answers(plain) else None


def _without_tls(address: tuple[str, int], security: Security) -> tuple[str, str] | None:
    """As `_with_tls`."""
    with connected(address, security) as plain, contextlib.suppress(ConnectionError):
        if _answers(plain):
            return _wants_sasl(plain, security)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is only asked whether it speaks TLS
    speaks_tls = ("speaks TLS", "set --security-protocol to SSL or SASL_SSL")
    try:
        with socket.create_connection(address, TALK_S) as plain, context.wrap_socket(plain):
            return speaks_tls
    except ssl.SSLError as error:
        return speaks_tls if _is_alert(error) else None


def _wants_sasl(connection: socket.socket, security: Security) -> tuple[str, str] | None:
    if security.sasl or _answers(connection):
        return None
    return "asks for SASL", "set --security-protocol to SASL_SSL or SASL_PLAINTEXT"


def _answers(connection: socket.socket) -> bool:
    """Ask for the versions. False when the other side ends the connection instead, or speaks something else."""
    try:
        return ask(connection, API_VERSIONS).startswith(CORRELATION)
    except ConnectionError:
        return False


def _is_alert(error: ssl.SSLError) -> bool:
    """Tell whether the other side said so, and so speaks TLS."""
    return "ALERT" in (error.reason or "")


@contextlib.contextmanager
def _as_file(key: str) -> Iterator[str]:
    """Yield the path of a file with the key, as OpenSSL wants it: in memory where the system can, so on no disk."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("key"), "w", encoding="utf-8") as file:
            file.write(key)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # nobody else may read it
            file.write(key)
            file.flush()
            yield file.name


def _unfit(flag: str, path: str, error: Exception) -> BadSetting:
    why = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
    return BadSetting(
        f"{flag}: {path}: {why or 'cannot be opened'}",
        hint="the files must be PEM, the key the certificate's own, and the key's password right",
    )
