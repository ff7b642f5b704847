"""The JVM broker with a listener for each way to secure a connection, and the certificates and users for it.

The harness itself goes on by the plaintext listener; what is tested takes the `variables` of another one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from harness.broker.jvm import JvmBroker
from harness.broker.settings import LOOPBACK, free_ports

Listener = Literal["tls", "mtls", "scram", "scram-plain", "oauth", "expired", "elsewhere"]
LISTENERS: tuple[Listener, ...] = get_args(Listener)
USERNAME = "processor"
PASSWORD = "correct horse battery staple"  # noqa: S105
KEY_PASSWORD = "planted-key-password"  # noqa: S105
_LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_PROTOCOLS: Mapping[Listener, str] = {"scram": "SASL_SSL", "scram-plain": "SASL_PLAINTEXT", "oauth": "SASL_PLAINTEXT"}


class Certificates:
    """PEM files of one authority below `folder`: the broker's, the client's, and such as must be refused."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._authority, foreign = trustme.CA(), trustme.CA()
        self._authority.cert_pem.write_to_path(self.ca)
        foreign.cert_pem.write_to_path(self.foreign_ca)
        self._issue("broker", LOOPBACK)
        self._issue("elsewhere", "elsewhere.example")
        self._issue("expired", LOOPBACK, not_before=_LONG_AGO, not_after=_LONG_AGO + dt.timedelta(days=1))
        self._issue("client", "client.example")
        self._issue("foreign", "client.example", authority=foreign)

    @property
    def ca(self) -> Path:
        """The authority that the broker trusts, and has its certificates from."""
        return self.folder / "ca.pem"

    @property
    def foreign_ca(self) -> Path:
        """One that nobody here has a certificate from but the foreign client."""
        return self.folder / "foreign-ca.pem"

    def certificate(self, name: str) -> Path:
        """Return the file with the certificate of this name and its chain."""
        return self.folder / f"{name}.crt"

    def key(self, name: str, *, encrypted: bool = False) -> Path:
        """Return the file with its key; encrypted, it needs KEY_PASSWORD."""
        return self.folder / (f"{name}.encrypted.key" if encrypted else f"{name}.key")

    def keystore(self, name: str) -> Path:
        """Return the file with both, as Kafka wants them."""
        return self.folder / f"{name}.pem"

    def _issue(
        self,
        name: str,
        host: str,
        *,
        authority: trustme.CA | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> None:
        issued = (authority or self._authority).issue_cert(host, not_before=not_before, not_after=not_after)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka takes
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(KEY_PASSWORD.encode()))
        self.certificate(name).write_bytes(chain)
        self.key(name).write_bytes(plain)
        self.key(name, encrypted=True).write_bytes(locked)
        self.keystore(name).write_bytes(plain + chain)


class SecureBroker(JvmBroker):
    """A JVM broker with a listener of each kind beside its plaintext one, and one SCRAM user.

    tls          asks for no certificate
    mtls         asks for one of its own authority
    scram        TLS and a password
    scram-plain  a password without TLS
    oauth        takes any unsigned token, as Kafka does for development
    expired      shows a certificate that has expired
    elsewhere    shows one for another host
    """

    def __init__(self, folder: Path | None = None, properties: Mapping[str, str] | None = None) -> None:
        """Prepare the broker; see JvmBroker."""
        super().__init__(folder, properties)
        self.certificates = Certificates(self._folder / "certificates")
        self._servers = {
            listener: f"{LOOPBACK}:{port}" for listener, port in zip(LISTENERS, free_ports(len(LISTENERS)), strict=True)
        }
        self._extra = self._listeners() | self._extra
        self._format_options = [
            option
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for option in ("--add-scram", f'{mechanism}=[name="{USERNAME}",password="{PASSWORD}"]')
        ]

    def server(self, listener: Listener) -> str:
        """Return the listener's address."""
        return self._servers[listener]

    def variables(self, listener: Listener) -> dict[str, str]:
        """Return what the environment of a processor must hold to be let in by this listener."""
        given = {
            "KAFKA_BOOTSTRAP_SERVERS": self.server(listener),
            "KAFKA_SECURITY_PROTOCOL": _PROTOCOLS.get(listener, "SSL"),
        }
        if given["KAFKA_SECURITY_PROTOCOL"].endswith("SSL"):
            given["KAFKA_TLS_CA"] = str(self.certificates.ca)
        if listener == "mtls":
            given["KAFKA_TLS_CERTIFICATE"] = str(self.certificates.certificate("client"))
            given["KAFKA_TLS_KEY_FROM"] = f"file:{self.certificates.key('client')}"
        if listener.startswith("scram"):
            given |= {"KAFKA_SASL_USERNAME": USERNAME, "KAFKA_SASL_PASSWORD": PASSWORD}
        if listener == "oauth":
            given["KAFKA_SASL_MECHANISM"] = "AWS_MSK_IAM"
        return given

    def _listeners(self) -> dict[str, str]:
        secure = "".join(f",{name.upper()}://{server}" for name, server in self._servers.items())
        protocols = "".join(f",{name.upper()}:{_PROTOCOLS.get(name, 'SSL')}" for name in LISTENERS)
        controller = f"{LOOPBACK}:{self._controller_port}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        oauth = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
        listeners = {
            "listeners": f"CLIENT://{self.bootstrap_servers}{secure},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENT://{self.bootstrap_servers}{secure}",
            "listener.security.protocol.map": f"CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}",
            # Rights are asked for wherever a rule stands, and never of the harness.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.keystore("broker")),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.certificates.ca),
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            "listener.name.oauth.oauthbearer.sasl.jaas.config": f'{oauth} unsecuredLoginStringClaim_sub="broker";',
        }
        for name in ("expired", "elsewhere"):
            listeners[f"listener.name.{name}.ssl.keystore.type"] = "PEM"
            listeners[f"listener.name.{name}.ssl.keystore.location"] = str(self.certificates.keystore(name))
        for name in ("scram", "scram-plain"):
            listeners[f"listener.name.{name}.sasl.enabled.mechanisms"] = "SCRAM-SHA-256,SCRAM-SHA-512"
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                listeners[f"listener.name.{name}.{mechanism}.sasl.jaas.config"] = scram
        return listeners
