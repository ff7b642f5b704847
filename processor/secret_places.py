"""Reads the secrets of a connection from where the settings say they stand: a variable, a file, Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from processor.errors import BadSetting
from processor.security import NO_SECRET, Secret, Security


def read_secrets(security: Security, places: Mapping[str, str], environment: Mapping[str, str]) -> Security:
    """Return the security with every secret that it needs, checked as far as that goes without a broker.

    `places` has `password`, `key` and `key_password`; see `security.secret_place`. Raises BadSetting, AccessDenied,
    PlaceMissing; Temporary when Secrets Manager does not answer.
    """
    if security.scram:
        security = _with_password(security, _read(places["password"], environment, "the SASL password"))
    if security.certificate_file:
        key = _read(places["key"], environment, "the key of the TLS certificate")
        kind, _, name = places["key_password"].partition(":")
        locked = kind != "env" or environment.get(name)
        password = _read(places["key_password"], environment, "the password of the TLS key") if locked else NO_SECRET
        security = replace(security, key=key, key_password=password)
    if security.tls:
        from processor.tls import tls_context  # noqa: PLC0415  # takes its time, and a plaintext connection needs none

        tls_context(security)
    if security.msk_iam:
        from processor.aws import msk_token  # noqa: PLC0415

        msk_token()
    return security


def _with_password(security: Security, secret: Secret) -> Security:
    """Take the secret for the password, or for a JSON object of user name and password, as MSK wants it."""
    try:
        parts = json.loads(secret)
    except ValueError:
        parts = None
    if isinstance(parts, dict) and {"username", "password"} <= parts.keys():
        security = replace(
            security, username=security.username or str(parts["username"]), password=Secret(parts["password"])
        )
    else:
        security = replace(security, password=secret)
    if not security.username:
        raise BadSetting(
            "--sasl-username is missing", hint="give it, or set KAFKA_SASL_USERNAME, or keep it in the secret"
        )
    return security


def _read(place: str, environment: Mapping[str, str], what: str) -> Secret:
    """Return the secret without the line end that an editor leaves. No error holds any of it."""
    kind, _, name = place.partition(":")
    if kind == "arn":
        from processor.aws import stored_secret  # noqa: PLC0415  # boto3 takes its time

        secret = stored_secret(place, what)
    elif kind == "file":
        try:
            secret = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise BadSetting(f"{what}: {name}: {error.strerror}", hint="check the file and who may read it") from error
        except UnicodeDecodeError:
            raise BadSetting(f"{what}: {name} is no text", hint="it must be UTF-8; a key must be PEM") from None
    else:
        secret = environment.get(name, "")
    secret = secret.rstrip("\r\n")
    if not secret:
        raise BadSetting(f"{what} is missing: {place} is empty", hint="set it, or say where it stands: see --help")
    return Secret(secret)
