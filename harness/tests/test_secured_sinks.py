"""Both clients, by every kind of secured connection, on a real broker: one batch there and back.

That every contract holds over them too is a session of its own: `nox -s secure`.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.broker.secure import KEY_PASSWORD, PASSWORD, SecureBroker
from harness.tests.contracts.batches import ROWS, batch_of, committed_after
from harness.tests.contracts.conftest import KAFKA_CLIENTS
from harness.tests.contracts.kafka_world import KafkaWorld
from processor import aws
from processor.errors import AccessDenied, BadSetting

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-key",
    "AWS_REGION": "eu-west-1",
}


def encrypted_key(broker: SecureBroker) -> dict[str, str]:
    key = broker.certificates.key("client", encrypted=True)
    return {**broker.variables("mtls"), "KAFKA_TLS_KEY_FROM": f"file:{key}", "KAFKA_TLS_KEY_PASSWORD": KEY_PASSWORD}


CONNECTIONS: dict[str, Callable[[SecureBroker], dict[str, str]]] = {
    "TLS": lambda broker: broker.variables("tls"),
    "mTLS, key encrypted": encrypted_key,
    "SCRAM-SHA-512 over TLS": lambda broker: broker.variables("scram"),
    "SCRAM-SHA-256": lambda broker: {**broker.variables("scram-plain"), "KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"},
    "MSK IAM's OAUTHBEARER": lambda broker: broker.variables("oauth"),
}


def encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def unsigned_token() -> tuple[str, float]:
    """What a broker for development takes in the place of AWS's token."""
    now = time.time()
    return f"{encoded({'alg': 'none'})}.{encoded({'sub': 'processor', 'iat': now - 1, 'exp': now + 600})}.", now + 600


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    aws.aws_session.cache_clear()
    yield
    aws.aws_session.cache_clear()


@pytest.mark.broker
@pytest.mark.parametrize("client", KAFKA_CLIENTS)
@pytest.mark.parametrize("connection", CONNECTIONS.values(), ids=CONNECTIONS)
def test_batch_arrives_every_question_is_answered_and_no_secret_is_logged(
    secure_broker: SecureBroker,
    monkeypatch: pytest.MonkeyPatch,
    connection: Callable[[SecureBroker], dict[str, str]],
    caplog: pytest.LogCaptureFixture,
    client: str,
) -> None:
    token = unsigned_token()
    monkeypatch.setattr(aws, "msk_token", lambda: token)
    caplog.set_level(logging.DEBUG)
    world = KafkaWorld(secure_broker.bootstrap_servers, client, secured=connection(secure_broker))
    try:
        sink = world.sink()
        sink.describe()
        sink.fence()
        sink.send(batch_of(ROWS))
        sink.commit(committed_after(batch_of(ROWS)))
        world.settle()
        assert sink.position() == committed_after(batch_of(ROWS))
        assert sink.bounds().end == len(ROWS) + 1
        assert [value for _, value in sink.records(0)] == ROWS
        assert world.read(committed=True) == ROWS
    finally:
        world.close()
    key = secure_broker.certificates.key("client").read_text().splitlines()[1]
    assert all(secret not in caplog.text for secret in (token[0], PASSWORD, KEY_PASSWORD, key))


def test_token_for_msk_is_signed_by_the_runs_credentials_and_holds_no_secret(aws_credentials: None) -> None:
    token, expires_s = aws.msk_token()
    url = urlsplit(base64.urlsafe_b64decode(token + "==").decode())
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.hostname == "kafka.eu-west-1.amazonaws.com"
    assert asked["Action"] == "kafka-cluster:Connect"
    assert asked["X-Amz-Credential"].startswith("AKIAPLANTED/")
    assert "/eu-west-1/kafka-cluster/" in asked["X-Amz-Credential"]
    assert asked["X-Amz-Signature"]
    assert 600 < expires_s - time.time() <= 900
    assert "planted-aws-key" not in url.geturl()


def test_no_token_without_credentials(aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(AccessDenied, match="signing for MSK was refused"):
        aws.msk_token()


def test_no_token_without_the_extra(aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(BadSetting) as refused:
        aws.msk_token()
    assert "csv-to-kafka[msk-iam]" in refused.value.hint
