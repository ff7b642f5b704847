"""No line of a run holds a secret, wherever the secret stood and however the run ended; nor does the checkpoint."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from chaos.tests.courses import CLIENTS
from harness.broker.secure import KEY_PASSWORD, PASSWORD, Listener, SecureBroker
from harness.cloud import Cloud
from harness.world import World

pytestmark = [pytest.mark.broker, pytest.mark.secure]

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED12",
    "AWS_SECRET_ACCESS_KEY": "planted/aws+secret/key",
    "AWS_SESSION_TOKEN": "planted-session-token",
}
GOOD, BAD = b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,4,5\n"
RUN = (sys.executable, "-m", "processor", "run")
# A bug, as unlucky as can be: what it says is all that the sink was told, and all that it has made of it.
FAILING = """
import sys
from processor.__main__ import main
from processor.sink_confluent import ConfluentSink
from processor.sink_kafka_python import KafkaPythonSink
def send(self, batch):
    raise RuntimeError(f"{vars(self)} {self._settings} {self._settings.security!s}")
ConfluentSink.send = KafkaPythonSink.send = send
sys.exit(main(["run"]))
"""
Place = Callable[[SecureBroker, Cloud, Path], tuple[Listener, dict[str, str]]]


def by_variable(_broker: SecureBroker, _cloud: Cloud, _folder: Path) -> tuple[Listener, dict[str, str]]:
    return "scram", {"KAFKA_SASL_PASSWORD_FROM": "env:WORD", "WORD": PASSWORD, "KAFKA_SASL_PASSWORD": ""}


def by_file(_broker: SecureBroker, _cloud: Cloud, folder: Path) -> tuple[Listener, dict[str, str]]:
    (folder / "word").write_text(PASSWORD + "\n")
    return "scram", {"KAFKA_SASL_PASSWORD_FROM": f"file:{folder / 'word'}", "KAFKA_SASL_PASSWORD": ""}


def by_secrets_manager(_broker: SecureBroker, cloud: Cloud, _folder: Path) -> tuple[Listener, dict[str, str]]:
    kept = cloud.keep_secret("AmazonMSK_job", json.dumps({"username": "processor", "password": PASSWORD}))
    return "scram", {"KAFKA_SASL_PASSWORD_FROM": kept, "KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_USERNAME": ""}


def locked_key(broker: SecureBroker, cloud: Cloud, _folder: Path) -> tuple[Listener, dict[str, str]]:
    key = broker.certificates.key("client", encrypted=True).read_text()
    kept = cloud.keep_secret("key-password", KEY_PASSWORD)
    return "mtls", {"KAFKA_TLS_KEY_FROM": "env:KEY", "KEY": key, "KAFKA_TLS_KEY_PASSWORD_FROM": kept}


def open_key(broker: SecureBroker, cloud: Cloud, _folder: Path) -> tuple[Listener, dict[str, str]]:
    key = broker.certificates.key("client").read_text()
    return "mtls", {"KAFKA_TLS_KEY_FROM": cloud.keep_secret("key", key)}


PLACES: dict[str, Place] = {
    "password in a variable": by_variable,
    "password in a file": by_file,
    "password in Secrets Manager": by_secrets_manager,
    "locked key in a variable, its password in Secrets Manager": locked_key,
    "key in Secrets Manager": open_key,
}
ENDS: dict[str, tuple[int, bytes, tuple[str, ...]]] = {
    "succeeds": (0, GOOD, RUN),
    "is refused": (5, BAD, RUN),
    "fails unexpectedly": (70, GOOD, (sys.executable, "-c", FAILING)),
}


def secrets_of(broker: SecureBroker) -> list[str]:
    """Return whatever must not be said, in every spelling in which a library might say it."""
    plain = [PASSWORD, KEY_PASSWORD, *AWS.values()]
    plain += [
        line
        for encrypted in (False, True)
        for line in broker.certificates.key("client", encrypted=encrypted).read_text().splitlines()
        if not line.startswith("-----")
    ]
    plain.remove(AWS["AWS_ACCESS_KEY_ID"])  # names who asks, as a user name does; part of every signed URL
    return [spelt for text in plain for spelt in (text, quote(text), base64.b64encode(text.encode()).decode())]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("place", PLACES)
def test_run_at_its_most_talkative_says_no_secret(
    secure_broker: SecureBroker, cloud: Cloud, tmp_path: Path, place: str, end: str, client: str
) -> None:
    code, csv, command = ENDS[end]
    with World(broker=secure_broker, cloud=cloud) as world:
        topic = world.create_topic()
        listener, given = PLACES[place](secure_broker, cloud, tmp_path)
        environment = {
            **os.environ,
            **world.environment(topic=topic, source=world.upload("rows.csv", csv), job_id=topic),
            **secure_broker.variables(listener),
            **AWS,
            **given,
            "KAFKA_CLIENT": client,
            "LOG_LEVEL": "debug",
            "METRICS": "emf",
        }
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        assert run.returncode == code, run.stderr
        assert '"_aws"' in run.stdout
        if end == "fails unexpectedly":
            assert "Traceback" in run.stderr
            assert "password=Secret(" in run.stderr, "the bug was not as unlucky as it was meant to be"
        said = f"{run.stdout} {run.stderr} {cloud.checkpoint_versions(topic)}"
    for secret in secrets_of(secure_broker):
        assert secret not in said, f"{place}, {end}: {secret!r} was said"


def test_secret_would_be_found(secure_broker: SecureBroker) -> None:
    secrets = secrets_of(secure_broker)
    assert len(secrets) > 20
    assert PASSWORD in secrets
    assert all(len(secret) > 3 for secret in secrets)
