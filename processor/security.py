"""What the settings of a secured connection to Kafka mean; pure. A secret is in no repr, and in no error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from processor.errors import BadSetting

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MSK_IAM = "AWS_MSK_IAM"
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", MSK_IAM)
PLACE = re.compile(r"env:[A-Za-z_]\w*|file:.+|arn:[\w-]+:secretsmanager:\S+", re.ASCII)


class Secret(str):
    """Text that shows itself in no repr, `str`, format or log line; encoded or written it is whole."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)" if len(self) else "Secret()"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def reveal(self) -> str:
        """Return the text itself, for a client that takes nothing else."""
        return "".join(self)


NO_SECRET = Secret()


@dataclass(frozen=True, slots=True)
class Security:
    """How a connection is secured. Empty text stands for what was not given; the system has its own `ca_file`.

    `password`, `key` (PEM) and `key_password` are filled in by `secret_places.read_secrets`, just before use.
    """

    protocol: str = PROTOCOLS[0]
    mechanism: str = MECHANISMS[0]
    username: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    password: Secret = NO_SECRET
    key: Secret = NO_SECRET
    key_password: Secret = NO_SECRET

    def __post_init__(self) -> None:
        """Refuse what would be without effect: a connection must not be less secure than it was meant to be."""
        tls_only = {"--tls-ca": self.ca_file, "--tls-certificate": self.certificate_file}
        meant = {} if self.tls else tls_only
        if not self.scram:
            meant["--sasl-username"] = self.username
        for flag in (flag for flag, text in meant.items() if text):
            mechanism = f" with --sasl-mechanism {self.mechanism}" if self.sasl else ""
            raise BadSetting(
                f"{flag} has no effect: --security-protocol is {self.protocol}{mechanism}",
                hint="choose another protocol or mechanism, or leave it out",
            )

    @property
    def tls(self) -> bool:
        """Whether everything is encrypted, and the broker's certificate looked at."""
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether there is a login."""
        return self.protocol.startswith("SASL")

    @property
    def scram(self) -> bool:
        """Whether that login is by user name and password."""
        return self.sasl and self.mechanism != MSK_IAM

    @property
    def msk_iam(self) -> bool:
        """Whether that login is by AWS credentials."""
        return self.sasl and self.mechanism == MSK_IAM

    def for_kafka_python(self) -> dict[str, Any]:
        """Return kafka-python's settings, but for the TLS context and what makes tokens."""
        chosen: dict[str, Any] = {"security_protocol": self.protocol}
        if self.sasl:
            chosen["sasl_mechanism"] = "OAUTHBEARER" if self.msk_iam else self.mechanism
        if self.scram:
            chosen |= {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
        return chosen

    def for_confluent(self) -> dict[str, str]:
        """Return librdkafka's settings, but for what makes tokens."""
        chosen = {
            "security.protocol": self.protocol,
            "sasl.mechanism": ("OAUTHBEARER" if self.msk_iam else self.mechanism) if self.sasl else "",
            "sasl.username": self.username,
            "sasl.password": self.password.reveal(),
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.pem": self.key.reveal(),
            "ssl.key.password": self.key_password.reveal(),
        }
        return {name: text for name, text in chosen.items() if text}


def secret_place(text: str) -> str:
    """Check that the text says where a secret stands. Raises ValueError, without the text: it may be the secret."""
    if not PLACE.fullmatch(text):
        raise ValueError("it is not env:NAME, file:PATH or the ARN of a secret in Secrets Manager")
    return text
