"""Kafka's jars: resolved once by jgo, each one checked against a committed list of sha256 sums.

`python -m harness.broker.jars kafka` prints a new list for the pinned versions of that set; commit it as
`jars.sha256` after an upgrade, that of `tools` as `tools.sha256`.
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

KAFKA_VERSION = "4.3.1"
# Kafka's own poms leave the logging backend to the distribution; without one every log would be empty. It is resolved
# apart: together, the versions that log4j's pom recommends would replace Kafka's own (3.9.1 clients).
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"


@dataclass(frozen=True, slots=True)
class JarSet:
    """Jars that make one class path. `coordinates` are resolved one after the other, those joined by `+` together."""

    name: str
    coordinates: tuple[str, ...]
    listing: str

    @property
    def list_path(self) -> Path:
        """Return the committed list of sums."""
        return Path(__file__).with_name(self.listing)


KAFKA = JarSet("kafka", (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", _LOGGING), "jars.sha256")
_TOOLS = "+".join(
    f"org.apache.kafka:{part}:{KAFKA_VERSION}" for part in ("connect-runtime", "connect-file", "kafka-tools")
)
TOOLS = JarSet("tools", (_TOOLS, _LOGGING), "tools.sha256")


def cache_folder() -> Path:
    """Where downloads are kept between runs: `CSV_TO_KAFKA_CACHE`, else the user's cache folder."""
    given = os.environ.get("CSV_TO_KAFKA_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "csv-to-kafka"


def kafka_jars(cache: Path | None = None) -> list[Path]:
    """Return the jars of the pinned broker. Raises BrokerUnavailable, as `fetch` does."""
    return fetch(KAFKA, cache)


def fetch(jar_set: JarSet, cache: Path | None = None) -> list[Path]:
    """Return the jars of a set, downloaded on first use, all of them checked on every use.

    Raises BrokerUnavailable when they cannot be fetched or are not the ones listed.
    """
    listed = _listed(jar_set)
    folder = (cache or cache_folder()) / f"{jar_set.name}-{KAFKA_VERSION}"
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


def _listed(jar_set: JarSet) -> dict[str, str]:
    """Read the committed list, in the format of sha256sum."""
    lines = [line.split() for line in jar_set.list_path.read_text(encoding="ascii").splitlines() if line]
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
    builder = EnvironmentBuilder(
        MavenContext(repo_cache=work / "repository"),
        cache_dir=work / "environments",
        link_strategy=LinkStrategy.HARD,  # the repository is thrown away afterwards
    )
    flat = work / "jars"
    flat.mkdir()
    try:
        for coordinate in jar_set.coordinates:
            for jar in sorted(Path(builder.from_endpoint(coordinate).path).rglob("*.jar")):
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


def _print_list(name_of_set: str) -> None:
    jar_set = {each.name: each for each in (KAFKA, TOOLS)}[name_of_set]
    with tempfile.TemporaryDirectory() as work:
        for name, sha256 in sha256_sums(_resolve(jar_set, Path(work))).items():
            sys.stdout.write(f"{sha256}  {name}\n")


if __name__ == "__main__":
    _print_list(*sys.argv[1:])
