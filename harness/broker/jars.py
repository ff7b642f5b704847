"""Kafka's jars: resolved once by jgo, each one checked against a committed list of sha256 sums.

`KAFKA_VERSION` chooses one of the brokers that have a list; `python -m harness.broker.jars kafka` prints a new one for
it, to be committed as `kafka-VERSION.sha256`, and that of `tools` as `tools-VERSION.sha256`.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.broker.unavailable import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

NEWEST = "4.3.1"
# Kafka's own poms leave the logging backend to the distribution; without one every log would be empty. It is resolved
# apart: together, the versions that log4j's pom recommends would replace Kafka's own (3.9.1 clients).
_LOGGING = {"4": "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4", "3": "org.slf4j:slf4j-reload4j:1.7.36"}


@dataclass(frozen=True, slots=True)
class JarSet:
    """Jars of one version that make one class path.

    `coordinates` are resolved one after the other, each with all that it depends on; those in `alone` are fetched
    without. The list of their sums lies in the folder `lists`.
    """

    name: str
    version: str
    coordinates: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    lists: Path = Path(__file__).parent

    @property
    def list_path(self) -> Path:
        """Return the committed list of sums. Raises BrokerUnavailable when this version has none."""
        path = self.lists / f"{self.name}-{self.version}.sha256"
        if not path.exists():
            known = sorted(other.stem.partition("-")[2] for other in path.parent.glob(f"{self.name}-*.sha256"))
            raise BrokerUnavailable(
                f"there is no list of the jars of {self.name} {self.version}, only of {', '.join(known)}"
            )
        return path


def _of_kafka(name: str, version: str, *artifacts: str) -> JarSet:
    together = "+".join(f"org.apache.kafka:{artifact}:{version}" for artifact in artifacts)
    return JarSet(name, version, (together, _LOGGING.get(version.partition(".")[0], "")))  # such have no list


TOOLS = _of_kafka("tools", NEWEST, "connect-runtime", "connect-file", "kafka-tools")


def kafka_version() -> str:
    """Return the version of the brokers that are made here: `KAFKA_VERSION`, else the newest."""
    return os.environ.get("KAFKA_VERSION") or NEWEST


def broker_of(version: str) -> JarSet:
    """Return the jars of a broker."""
    return _of_kafka("kafka", version, "kafka_2.13")


def cache_folder() -> Path:
    """Where downloads are kept between runs: `CSV_TO_KAFKA_CACHE`, else the user's cache folder."""
    given = os.environ.get("CSV_TO_KAFKA_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "csv-to-kafka"


def kafka_jars(cache: Path | None = None) -> list[Path]:
    """Return the jars of the chosen broker. Raises BrokerUnavailable, as `fetch` does."""
    return fetch(broker_of(kafka_version()), cache)


def fetch(jar_set: JarSet, cache: Path | None = None) -> list[Path]:
    """Return the jars of a set, downloaded on first use, all of them checked on every use.

    Raises BrokerUnavailable when they cannot be fetched or are not the ones listed.
    """
    listed = _listed(jar_set.list_path)
    folder = (cache or cache_folder()) / f"{jar_set.name}-{jar_set.version}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir() or differences(folder, listed):
            _replace(jar_set, folder, listed)
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


def _listed(path: Path) -> dict[str, str]:
    """Read a committed list, in the format of sha256sum."""
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line]
    return {name: sha256 for sha256, name in lines}


def _replace(jar_set: JarSet, folder: Path, listed: Mapping[str, str]) -> None:
    """Resolve the jars anew, and move them into place only once every sum is right."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        resolved = _resolve(jar_set, Path(work))
        wrong = differences(resolved, listed)
        if wrong:
            raise BrokerUnavailable(f"the {jar_set.name} jars are not the listed ones: {', '.join(wrong)}")
        resolved.rename(folder)


def _resolve(jar_set: JarSet, work: Path) -> Path:
    """Let jgo fetch the jars into `work`, and nowhere else; return the folder that holds them, and only them."""
    try:
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415  # an extra: asked for only when needed
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError as missing:
        raise BrokerUnavailable(f"the Python package jgo is not installed: {missing}") from missing
    maven = MavenContext(repo_cache=work / "repository")
    builder = EnvironmentBuilder(
        maven,
        cache_dir=work / "environments",
        link_strategy=LinkStrategy.HARD,  # the repository is thrown away afterwards
    )
    flat = work / "jars"
    flat.mkdir()
    try:
        for coordinate in jar_set.coordinates:
            for jar in sorted(Path(builder.from_endpoint(coordinate).path).rglob("*.jar")):
                jar.replace(flat / jar.name)
        for coordinate in jar_set.alone:
            group, artifact, version = coordinate.split(":")
            jar = maven.project(group, artifact).at_version(version).artifact().resolve()
            jar.replace(flat / jar.name)
    except Exception as failure:  # whatever network or resolver says: the broker cannot be had here
        raise BrokerUnavailable(f"the {jar_set.name} jars cannot be fetched: {failure}") from failure
    return flat


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time download; the others find the jars in place."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def print_list(jar_set: JarSet) -> None:
    """Print a new list of sums, to be committed."""
    with tempfile.TemporaryDirectory() as work:
        for name, sha256 in sha256_sums(_resolve(jar_set, Path(work))).items():
            sys.stdout.write(f"{sha256}  {name}\n")


if __name__ == "__main__":
    print_list({each.name: each for each in (broker_of(kafka_version()), TOOLS)}[sys.argv[1]])
