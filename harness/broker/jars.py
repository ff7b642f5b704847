"""The broker's jars: resolved once by jgo, each one checked against a committed list of sha256 sums.

`python -m harness.broker.jars` prints a new list for the pinned versions; commit it as `jars.sha256` after an upgrade.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.broker.unavailable import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

KAFKA_VERSION = "4.3.1"
# Kafka's own pom leaves the logging backend to the distribution; without one the broker's log would be empty. The two
# are resolved apart: together, the versions that log4j's pom recommends would replace Kafka's own (3.9.1 clients).
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
LIST = Path(__file__).with_name("jars.sha256")


def cache_folder() -> Path:
    """Where downloads are kept between runs: `CSV_TO_KAFKA_CACHE`, else the user's cache folder."""
    given = os.environ.get("CSV_TO_KAFKA_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "csv-to-kafka"


def kafka_jars(cache: Path | None = None) -> list[Path]:
    """Return the jars of the pinned broker, downloaded on first use, all of them checked on every use.

    Raises BrokerUnavailable when they cannot be fetched or are not the ones listed.
    """
    listed = _listed()
    folder = (cache or cache_folder()) / f"kafka-{KAFKA_VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir() or differences(folder, listed):
            _replace(folder, listed)
    return sorted(folder.glob("*.jar"))


def differences(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """Name every jar that is missing, not listed, or not the listed bytes; an empty list means all is well."""
    found = sha256_sums(folder)
    return (
        [f"missing: {name}" for name in sorted(listed.keys() - found.keys())]
        + [f"not listed: {name}" for name in sorted(found.keys() - listed.keys())]
        + [f"other bytes: {name}" for name in sorted(listed.keys() & found.keys()) if listed[name] != found[name]]
    )


def sha256_sums(folder: Path) -> dict[str, str]:
    """Return the sum of each jar in the folder and below, by file name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.jar"))}


def _listed() -> dict[str, str]:
    """Read the committed list, in the format of sha256sum."""
    lines = [line.split() for line in LIST.read_text(encoding="ascii").splitlines() if line]
    return {name: sha256 for sha256, name in lines}


def _replace(folder: Path, listed: Mapping[str, str]) -> None:
    """Resolve the jars anew, and move them into place only once every sum is right."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        resolved = _resolve(Path(work))
        wrong = differences(resolved, listed)
        if wrong:
            raise BrokerUnavailable(f"the Kafka jars are not the listed ones: {', '.join(wrong)}")
        resolved.rename(folder)


def _resolve(work: Path) -> Path:
    """Let jgo fetch the jars into `work`, and nowhere else; return the folder that holds them, and only them."""
    try:
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415  # an extra: asked for only when needed
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError as missing:
        raise BrokerUnavailable(f"the Python package jgo is not installed: {missing}") from missing
    builder = EnvironmentBuilder(
        MavenContext(repo_cache=work / "repository"),
        cache_dir=work / "environments",
        link_strategy=LinkStrategy.HARD,  # the repository is thrown away afterwards
    )
    flat = work / "jars"
    flat.mkdir()
    try:
        for coordinate in COORDINATES:
            for jar in sorted(Path(builder.from_endpoint(coordinate).path).rglob("*.jar")):
                jar.replace(flat / jar.name)
    except Exception as failure:  # whatever network or resolver says: the broker cannot be had here
        raise BrokerUnavailable(f"the Kafka jars cannot be fetched: {failure}") from failure
    return flat


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time download; the others find the jars in place."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _print_list() -> None:
    with tempfile.TemporaryDirectory() as work:
        for name, sha256 in sha256_sums(_resolve(Path(work))).items():
            sys.stdout.write(f"{sha256}  {name}\n")


if __name__ == "__main__":
    _print_list()
