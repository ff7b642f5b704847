"""Secrets: read from where the settings say, refused with one clear line, and shown nowhere."""

from __future__ import annotations

import logging
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.broker.secure import KEY_PASSWORD, Certificates
from harness.cloud import Cloud
from processor import __main__, aws, tls
from processor.errors import AccessDenied, BadSetting, PlaceMissing, ProcessorError, Temporary
from processor.model import SinkSettings
from processor.secret_places import read_secrets
from processor.security import Secret, Security
from processor.settings import SETTINGS, Setting, load

PLANTED = "planted-hunter2"
REQUIRED = {
    "CSV_SOURCE": "s3://bucket/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "CHECKPOINT_TABLE": "checkpoints",
}
SCRAM = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_USERNAME": "job"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def mtls(certificates: Certificates) -> dict[str, str]:
    return {
        "KAFKA_SECURITY_PROTOCOL": "SSL",
        "KAFKA_TLS_CA": str(certificates.ca),
        "KAFKA_TLS_CERTIFICATE": str(certificates.certificate("client")),
        "KAFKA_TLS_KEY_FROM": f"file:{certificates.key('client')}",
    }


@pytest.fixture
def in_cloud(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    aws.aws_session.cache_clear()
    yield cloud
    aws.aws_session.cache_clear()


def read(environment: dict[str, str]) -> Security:
    settings = load({}, {**REQUIRED, **environment})
    return read_secrets(settings.sink.security, settings.secret_places, environment)


class TestPlaces:
    def test_variable(self) -> None:
        assert read({**SCRAM, "KAFKA_SASL_PASSWORD": PLANTED}).password.reveal() == PLANTED
        named = read({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": "env:OTHER", "OTHER": PLANTED})
        assert named.password.reveal() == PLANTED

    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_file_without_the_line_end_of_an_editor(self, tmp_path: Path, end: str) -> None:
        (tmp_path / "password").write_text(f" {PLANTED} {end}", newline="")
        found = read({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": f"file:{tmp_path / 'password'}"})
        assert found.password.reveal() == f" {PLANTED} "

    def test_secrets_manager(self, in_cloud: Cloud) -> None:
        arn = in_cloud.keep_secret("password", PLANTED)
        assert read({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": arn}).password.reveal() == PLANTED
        assert [request.operation for request in in_cloud.requests].count("GetSecretValue") == 1

    def test_object_of_user_and_password_as_msk_wants_it(self, in_cloud: Cloud) -> None:
        arn = in_cloud.keep_secret("AmazonMSK_job", f'{{"username": "msk-job", "password": "{PLANTED}"}}')
        nameless = {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_PASSWORD_FROM": arn}
        found = read(nameless)
        assert (found.username, found.password.reveal()) == ("msk-job", PLANTED)
        assert read({**nameless, **SCRAM}).username == "job"

    @pytest.mark.parametrize("password", ["{", "[1]", "17", '{"password": "x"}', '"quoted"'])
    def test_password_that_looks_like_json_is_a_password(self, password: str) -> None:
        assert read({**SCRAM, "KAFKA_SASL_PASSWORD": password}).password.reveal() == password

    def test_key_and_its_password(self, mtls: dict[str, str], certificates: Certificates) -> None:
        assert read({**mtls, "KAFKA_TLS_KEY_PASSWORD": ""}).key.reveal() == certificates.key(
            "client"
        ).read_text().rstrip("\n")
        locked = {
            **mtls,
            "KAFKA_TLS_KEY_FROM": "env:KEY",
            "KEY": certificates.key("client", encrypted=True).read_text(),
        }
        assert read({**locked, "KAFKA_TLS_KEY_PASSWORD": KEY_PASSWORD}).key_password.reveal() == KEY_PASSWORD

    def test_nothing_is_read_that_is_not_needed(self) -> None:
        nowhere = {
            f"{name}_FROM": "file:/nowhere"
            for name in ("KAFKA_SASL_PASSWORD", "KAFKA_TLS_KEY", "KAFKA_TLS_KEY_PASSWORD")
        }
        assert read(nowhere) == Security()
        assert read({**nowhere, "KAFKA_SECURITY_PROTOCOL": "SSL"}).key == ""

    def test_key_is_on_no_disk_and_where_it_must_be_it_is_removed(
        self, mtls: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tls.tempfile, "tempdir", str(tmp_path / "read-only"))
        if sys.platform == "linux":
            read(mtls)
        monkeypatch.setattr(tls.tempfile, "tempdir", str(tmp_path))
        monkeypatch.delattr(tls.os, "memfd_create", raising=False)
        read(mtls)
        assert list(tmp_path.iterdir()) == []


REFUSALS: dict[str, tuple[dict[str, str], str]] = {
    "no password": (SCRAM, "the SASL password is missing: env:KAFKA_SASL_PASSWORD"),
    "an empty password": ({**SCRAM, "KAFKA_SASL_PASSWORD": "\n"}, "the SASL password is missing"),
    "no such file": ({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": "file:/nowhere"}, "/nowhere: No such file"),
    "a folder": ({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": "file:/"}, "/: Is a directory"),
    "no user": ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_PASSWORD": PLANTED}, "--sasl-username is missing"),
    "no key": ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CERTIFICATE": "/c"}, "the key of the TLS certificate is"),
    "no authorities": ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA": "/nowhere"}, "--tls-ca: /nowhere: No such"),
    "authorities in no PEM": ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_TLS_CA": __file__}, "--tls-ca: "),
    "a user without a login": ({"KAFKA_SASL_USERNAME": "job"}, "--sasl-username has no effect"),
    "authorities without TLS": ({"KAFKA_TLS_CA": "/ca"}, "--tls-ca has no effect"),
    "a certificate without TLS": ({**SCRAM, "KAFKA_TLS_CERTIFICATE": "/c"}, "--tls-certificate has no effect"),
    "a user of IAM": (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM", "KAFKA_SASL_USERNAME": "job"},
        "--sasl-username has no effect: --security-protocol is SASL_SSL with --sasl-mechanism AWS_MSK_IAM",
    ),
}


@pytest.mark.parametrize(("environment", "says"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_used_is_refused_before_a_connection_is_made(environment: dict[str, str], says: str) -> None:
    with pytest.raises(BadSetting) as refused:
        read(environment)
    assert says in refused.value.what
    assert PLANTED not in str(refused.value)


@pytest.mark.parametrize("wrong", ["another's key", "a locked key", "a locked key, wrong password", "no key at all"])
def test_key_that_does_not_fit_is_refused(mtls: dict[str, str], certificates: Certificates, wrong: str) -> None:
    key = {
        "another's key": certificates.key("foreign").read_text(),
        "no key at all": PLANTED,
    }.get(wrong, certificates.key("client", encrypted=True).read_text())
    given = {**mtls, "KAFKA_TLS_KEY_FROM": "env:KEY", "KEY": key}
    if "wrong password" in wrong:
        given["KAFKA_TLS_KEY_PASSWORD"] = PLANTED
    with pytest.raises(BadSetting, match="--tls-certificate and its key") as refused:
        read(given)
    assert PLANTED not in str(refused.value)


def test_password_of_a_key_is_not_asked_for_at_the_terminal(mtls: dict[str, str], certificates: Certificates) -> None:
    locked = {**mtls, "KAFKA_TLS_KEY_FROM": f"file:{certificates.key('client', encrypted=True)}"}
    at_a_terminal = "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'processor', 'run']) >> 8)"
    run = subprocess.run(
        [sys.executable, "-c", at_a_terminal],
        check=False,
        env={**os.environ, **REQUIRED, **locked},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == 2, run.stdout
    assert "--tls-certificate and its key" in run.stdout
    assert "pass phrase" not in run.stdout


class TestSecretsManager:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [("AccessDeniedException", AccessDenied), ("ResourceNotFoundException", PlaceMissing), ("Oops", Temporary)],
    )
    def test_refusals(self, in_cloud: Cloud, code: str, kind: type[ProcessorError]) -> None:
        arn = in_cloud.keep_secret("password", PLANTED)
        in_cloud.fail("GetSecretValue", status=400, code=code, times=math.inf)
        with pytest.raises(kind, match="the SASL password"):
            read({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": arn})

    def test_answer_is_in_no_log(self, in_cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
        arn = in_cloud.keep_secret("password", PLANTED)
        with caplog.at_level(logging.DEBUG):
            read({**SCRAM, "KAFKA_SASL_PASSWORD_FROM": arn})
            logging.getLogger("after").debug("heard")
        assert PLANTED not in caplog.text
        assert "heard" in caplog.text


class TestSecret:
    def test_shows_itself_nowhere(self) -> None:
        secret = Secret(PLANTED)
        settings = SinkSettings("b:1", "t", 0, "id", security=Security("SASL_SSL", username="job", password=secret))
        shown = [repr(secret), str(secret), f"{secret} {secret:>40}", "{}".format(secret)]  # noqa: UP032
        shown += ["%s %r" % (secret, secret), repr(settings), str({"password": secret})]  # noqa: UP031
        shown += [repr(BadSetting(f"no {secret}", hint=f"{settings}"))]
        assert all(PLANTED not in text for text in shown)

    def test_is_whole_where_it_is_used(self) -> None:
        assert Secret(PLANTED).encode() == PLANTED.encode()
        assert Secret(PLANTED).reveal() == PLANTED
        assert type(Secret(PLANTED).reveal()) is str


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.quiet], ids=lambda s: s.flag)
def test_secret_in_the_place_of_its_place_is_not_repeated(
    enough: None, setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = f"-----BEGIN {PLANTED}\n"
    assert __main__.main(["run", setting.flag, planted]) == 2
    monkeypatch.setenv(setting.variable, planted)
    assert __main__.main(["run"]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 2
    assert setting.flag in told.err
    assert setting.variable in told.err
    assert PLANTED not in told.err + told.out


@pytest.mark.parametrize("flag", ["--sasl-password", "--tls-key-password", "--tls-key"])
def test_secret_given_by_a_flag_that_could_be_one_is_refused_and_not_repeated(
    enough: None, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = __main__.main(["run", flag, PLANTED])
    except SystemExit as refused:
        code = refused.code
    told = capsys.readouterr()
    assert code == 2
    assert flag in told.err
    assert PLANTED not in told.err + told.out


def test_settings_hold_no_secret() -> None:
    settings = load({}, {**REQUIRED, **SCRAM, "KAFKA_SASL_PASSWORD": PLANTED})
    assert PLANTED.encode() not in pickle.dumps(settings)
