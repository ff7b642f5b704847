"""The processor's image as the tests run it: the Dockerfile, on a base from a registry or one made on the spot.

`python -m terraform.tests.images` builds both and prints the name.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound

from harness.broker.image import engine
from harness.broker.unavailable import BrokerUnavailable

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = "csv-to-kafka:tests"
PUBLIC_BASE = "python:3.12-slim"
LOCAL_BASE = "csv-to-kafka-base:bookworm"
LABEL = {"csv-to-kafka.part": "terraform"}
PACKAGES = "python3,python3-venv,ca-certificates,curl"
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
BASE_WITHIN_S = 300


def build() -> str:
    """Build the image and return its name. Raises BrokerUnavailable where there is no engine, or no base."""
    client = engine()
    _build_image(client, IMAGE, REPOSITORY, {"BASE": base(client)})
    return IMAGE


def present(name: str = IMAGE) -> str:
    """Return the name of an image that was built before. Raises BrokerUnavailable."""
    try:
        engine().images.get(name)
    except ImageNotFound as missing:
        raise BrokerUnavailable(
            f"image {name} was not built; `python -m terraform.tests.images` builds it"
        ) from missing
    return name


def base(client: docker.DockerClient) -> str:
    """Return an image with Python: one that is here, else one from a registry, else Debian made on the spot."""
    for name in (PUBLIC_BASE, LOCAL_BASE):
        try:
            client.images.get(name)
        except ImageNotFound:
            continue
        return name
    try:
        client.images.pull(PUBLIC_BASE)
    except DockerException as refused:
        return _make_base(client, refused)
    return PUBLIC_BASE


def _make_base(client: docker.DockerClient, why: Exception) -> str:
    debootstrap = shutil.which("debootstrap")
    if debootstrap is None:
        raise BrokerUnavailable(f"no base image: {why}; with debootstrap (Debian: apt-get install) one can be made")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        made = subprocess.run(
            [debootstrap, "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)],
            capture_output=True,
            text=True,
            timeout=BASE_WITHIN_S,
            check=False,
        )
        if made.returncode:
            raise BrokerUnavailable(f"no base image: debootstrap said {made.stdout[-300:]}{made.stderr[-300:]}")
        for left_out in LEFT_OUT:
            shutil.rmtree(root / left_out, ignore_errors=True)
        _trust_as_here(root)
        archive = Path(folder) / "root.tar"
        subprocess.run(["tar", "--create", "--file", archive, "--directory", root, "."], check=True)
        repository, _, tag = LOCAL_BASE.partition(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag)
    return LOCAL_BASE


def _trust_as_here(root: Path) -> None:
    """Have the base trust whom this machine trusts: its package index may be a mirror with a certificate of its own."""
    here = ssl.get_default_verify_paths().cafile
    if here is not None:
        shutil.copyfile(here, root / BUNDLE)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = /{BUNDLE}\n", encoding="ascii")


def build_recorder(client: docker.DockerClient, context: Path, name: str) -> None:
    """Build the image that user data runs in, from the Dockerfile in `context`."""
    _build_image(client, name, context, {"BASE": base(client)})


def _build_image(client: docker.DockerClient, name: str, context: Path, arguments: dict[str, str]) -> None:
    try:
        # The host's network: a package index may be known there and nowhere else.
        client.images.build(
            path=str(context), tag=name, buildargs=arguments, network_mode="host", rm=True, labels=LABEL
        )
    except DockerException as failure:
        raise BrokerUnavailable(f"image {name} cannot be built: {failure}") from failure


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except BrokerUnavailable as why_not:
        sys.stderr.write(f"NOT RUN: the processor's container, {why_not}\n")
