"""Only the jars on the committed list are ever run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.broker import BrokerUnavailable, jars


@pytest.fixture
def some_jars(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    for name in ("one.jar", "two.jar"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path, jars.sha256_sums(tmp_path)


def test_jars_as_listed_have_no_differences(some_jars: tuple[Path, dict[str, str]]) -> None:
    assert jars.differences(*some_jars) == []


def test_altered_missing_and_foreign_jars_are_named(some_jars: tuple[Path, dict[str, str]]) -> None:
    folder, listed = some_jars
    (folder / "one.jar").write_bytes(b"altered")
    (folder / "two.jar").rename(folder / "three.jar")
    assert jars.differences(folder, listed) == ["missing: two.jar", "not listed: three.jar", "other bytes: one.jar"]


@pytest.mark.parametrize(
    ("jar_set", "named"),
    [
        (jars.broker_of("4.3.1"), "kafka_2.13"),
        (jars.broker_of("3.9.2"), "kafka_2.13"),
        (jars.TOOLS, "connect-file"),
        (jars.TOOLS, "kafka-tools"),
    ],
)
def test_list_pins_every_jar_of_the_class_path_by_version(jar_set: jars.JarSet, named: str) -> None:
    lines = jar_set.list_path.read_text(encoding="ascii").splitlines()
    assert f"{named}-{jar_set.version}.jar" in [line.split()[1] for line in lines]
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.+-]+-\d[\w.]*(-GA)?\.jar", line) for line in lines), lines


def test_jar_altered_in_the_cache_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars.kafka_jars()
    shutil.copytree(jars.cache_folder() / f"kafka-{jars.kafka_version()}", tmp_path / f"kafka-{jars.kafka_version()}")
    next(tmp_path.glob("*/lz4*.jar")).write_bytes(b"altered")

    def no_network(jar_set: jars.JarSet, work: Path) -> Path:
        raise BrokerUnavailable(f"nothing to fetch from into {work.name} for {jar_set.name}")

    monkeypatch.setattr(jars, "_resolve", no_network)
    with pytest.raises(BrokerUnavailable, match="nothing to fetch from"):
        jars.kafka_jars(tmp_path)


def test_version_without_a_list_is_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_VERSION", "0.8.0")
    with pytest.raises(BrokerUnavailable, match=r"no list of the jars of kafka 0\.8\.0"):
        jars.kafka_jars(tmp_path)
    assert list(tmp_path.iterdir()) == []
