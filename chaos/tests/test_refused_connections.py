"""Connections that a broker refuses, or that we do: one line with a hint, exit code 2, nothing sent, and soon."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kafka.admin import ACLOperation, ResourceType

from chaos.tests.conftest import PROCESSOR
from chaos.tests.test_bad_input import CLIENTS, CSV, deny
from harness.broker.secure import KEY_PASSWORD, PASSWORD, USERNAME, Listener, SecureBroker
from harness.cloud import Cloud
from harness.partition import offsets, read
from harness.target import Target
from harness.world import World

pytestmark = pytest.mark.broker
SOON_S = 25.0
LOUD = (
    sys.executable,
    "-c",
    "import logging, sys; logging.basicConfig(level=1); from processor.__main__ import main; sys.exit(main(['run']))",
)


def nothing(_broker: SecureBroker) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Mistake:
    """The settings that go with `listener` and what is wrong with them; `says` is in the line that tells.

    `at` is the listener whose address is given with these settings; `right` is denied to the user.
    """

    listener: Listener
    says: str
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[SecureBroker], dict[str, str]] = nothing
    at: Listener | None = None
    right: tuple[ResourceType, str, ACLOperation] | None = None


def client_certificate(name: str) -> Callable[[SecureBroker], dict[str, str]]:
    return lambda broker: {
        "KAFKA_TLS_CERTIFICATE": str(broker.certificates.certificate(name)),
        "KAFKA_TLS_KEY_FROM": f"file:{broker.certificates.key(name)}",
    }


def plaintext_port(broker: SecureBroker) -> dict[str, str]:
    return {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}


PLAINTEXT = {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT", "KAFKA_TLS_CA": "", "KAFKA_SASL_USERNAME": ""}
LOGIN = "invalid credentials with SASL mechanism SCRAM-SHA-512"
MISTAKES = {
    "a wrong password": Mistake("scram", LOGIN, {"KAFKA_SASL_PASSWORD": "planted-wrong"}),
    "a wrong password without TLS": Mistake("scram-plain", LOGIN, {"KAFKA_SASL_PASSWORD": "planted-wrong"}),
    "an unknown user": Mistake("scram", LOGIN, {"KAFKA_SASL_USERNAME": "nobody"}),
    "a mechanism that the broker has not": Mistake("scram-plain", "nsupported", at="oauth"),
    "a login where none is asked for": Mistake("scram-plain", "SASL state", files=plaintext_port),
    "no login where one is asked for": Mistake("scram-plain", "asks for SASL", PLAINTEXT),
    "TLS without the login that is asked for": Mistake("tls", "asks for SASL", at="scram"),
    "an expired certificate of the broker": Mistake("expired", "not trusted: certificate has expired"),
    "a broker's certificate for another host": Mistake("elsewhere", "not valid for '127.0.0.1'"),
    "a broker of a foreign authority": Mistake(
        "tls", "not trusted: ", files=lambda broker: {"KAFKA_TLS_CA": str(broker.certificates.foreign_ca)}
    ),
    "a broker of an authority that the system does not know": Mistake("tls", "not trusted: ", {"KAFKA_TLS_CA": ""}),
    "plaintext to a port with TLS": Mistake("tls", "speaks TLS (set --security-protocol to SSL", PLAINTEXT),
    "plaintext to a port with mTLS": Mistake("tls", "speaks TLS (set --security-protocol", PLAINTEXT, at="mtls"),
    "a login without TLS to a port with it": Mistake("scram-plain", "speaks TLS", at="scram"),
    "TLS to a plaintext port": Mistake("tls", "does not speak TLS", files=plaintext_port),
    "TLS to a port with a login alone": Mistake("scram", "does not speak TLS", at="scram-plain"),
    "no client certificate where one is asked for": Mistake("tls", "refuses the TLS handshake: ", at="mtls"),
    "a client certificate of a foreign authority": Mistake(
        "mtls", "refuses the TLS handshake: ", files=client_certificate("foreign")
    ),
    "an expired client certificate": Mistake(
        "mtls", "refuses the TLS handshake: ", files=client_certificate("expired")
    ),
    "another certificate's key": Mistake(
        "mtls",
        "--tls-certificate and its key",
        files=lambda broker: {"KAFKA_TLS_KEY_FROM": f"file:{broker.certificates.key('foreign')}"},
    ),
    "no right to describe the topic": Mistake(
        "scram", "Kafka refuses", right=(ResourceType.TOPIC, "{topic}", ACLOperation.DESCRIBE)
    ),
    "no right to write to the topic": Mistake(
        "scram", "Kafka refuses", right=(ResourceType.TOPIC, "{topic}", ACLOperation.WRITE)
    ),
    "no right to the transactional.id": Mistake(
        "scram", "Kafka refuses", right=(ResourceType.TRANSACTIONAL_ID, "csv-to-kafka.{topic}", ACLOperation.WRITE)
    ),
    "no right to the group": Mistake(
        "scram", "Kafka refuses", right=(ResourceType.GROUP, "csv-to-kafka.{topic}", ACLOperation.DESCRIBE)
    ),
}


@pytest.mark.secure
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_refused_connection_gets_one_line_and_exit_code_2_and_nothing_is_sent(
    secure_broker: SecureBroker, cloud: Cloud, mistake: Mistake, client: str
) -> None:
    with World(broker=secure_broker, cloud=cloud) as world:
        topic = world.create_topic()
        if mistake.right is not None:
            kind, pattern, operation = mistake.right
            deny(secure_broker, kind, pattern.format(topic=topic), operation, f"User:{USERNAME}")
        run = start(world, topic, client, mistake)
        end = run.wait(within_s=90)
        assert end.exit_code == 2, run.stderr
        assert run.stderr.startswith("csv-to-kafka: "), run.stderr
        assert run.stderr.count("\n") == 1, run.stderr
        assert run.stderr.endswith(")\n"), "there is no hint"
        assert mistake.says in run.stderr, run.stderr
        assert run.seconds < SOON_S
        assert offsets(secure_broker.bootstrap_servers, topic).end == 0


@pytest.mark.secure
@pytest.mark.parametrize("client", CLIENTS)
def test_right_to_the_group_that_is_short_of_committing_is_missed_at_the_commit_and_no_row_shows(
    secure_broker: SecureBroker, cloud: Cloud, client: str
) -> None:
    with World(broker=secure_broker, cloud=cloud) as world:
        topic = world.create_topic()
        deny(secure_broker, ResourceType.GROUP, f"csv-to-kafka.{topic}", ACLOperation.READ, f"User:{USERNAME}")
        run = start(world, topic, client, Mistake("scram", ""))
        assert run.wait(within_s=90).exit_code == 2, run.stderr
        assert "Kafka refuses" in run.stderr
        assert read(secure_broker.bootstrap_servers, topic, isolation="read_committed") == []
        assert run.seconds < SOON_S


PLANTED_AWS = "planted-aws-key"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("listener", ["mtls", "scram"])
def test_secured_run_says_no_secret_at_any_log_level(
    secure_broker: SecureBroker, cloud: Cloud, listener: Listener, client: str
) -> None:
    key = secure_broker.certificates.key("client", encrypted=True).read_text()
    settings = {"AWS_SECRET_ACCESS_KEY": PLANTED_AWS}
    if listener == "mtls":
        settings |= {
            "KAFKA_TLS_KEY_FROM": "env:KAFKA_TLS_KEY",
            "KAFKA_TLS_KEY": key,
            "KAFKA_TLS_KEY_PASSWORD": KEY_PASSWORD,
        }
    else:
        settings |= {"KAFKA_SASL_PASSWORD_FROM": cloud.keep_secret("password", PASSWORD), "KAFKA_SASL_PASSWORD": ""}
    secrets = (PASSWORD, KEY_PASSWORD, key.splitlines()[1], PLANTED_AWS)
    for command, wrong in (
        (PROCESSOR, {}),
        (LOUD, {}),
        (LOUD, {"KAFKA_SASL_PASSWORD_FROM": "env:P", "P": "planted-p"}),
    ):
        with World(broker=secure_broker, cloud=cloud) as world:
            topic = world.create_topic()
            run = start(world, topic, client, Mistake(listener, "", {**settings, **wrong}), command=command)
            arguments = Path(f"/proc/{run._process.pid}/cmdline").read_bytes().decode()
            end = run.wait(within_s=90)
            assert end.exit_code == (2 if wrong and listener == "scram" else 0), run.stderr
            assert command is PROCESSOR or "DEBUG" in run.stderr, "nothing was logged"
            said = f"{arguments} {run.stderr} {run.steps} {cloud.checkpoint_versions(topic)}"
            assert all(secret not in said for secret in (*secrets, "planted-p"))


def start(world: World, topic: str, client: str, mistake: Mistake, *, command: tuple[str, ...] = PROCESSOR) -> Target:
    broker = world.broker
    assert isinstance(broker, SecureBroker)
    elsewhere = {} if mistake.at is None else {"KAFKA_BOOTSTRAP_SERVERS": broker.server(mistake.at)}
    environment = {
        **world.environment(topic=topic, source=world.upload("rows.csv", CSV), job_id=topic),
        **broker.variables(mistake.listener),
        **elsewhere,
        **mistake.files(broker),
        **mistake.settings,
        "KAFKA_CLIENT": client,
    }
    return Target(command, environment)
