"""An encoder that is installed is found by its name and held to its contract; the README's one works as it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.tests.encoder_package import install, install_the_readmes
from processor.encoders import Unencodable, find_encoder, installed
from processor.errors import BadSetting, NeedsPerson
from processor.settings import load

REQUIRED = {
    "CSV_SOURCE": "s3://bucket/in/rows.csv",
    "KAFKA_TOPIC": "rows",
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "CHECKPOINT_TABLE": "checkpoints",
}
ODD = """
calls = []
def lazy(names): return lambda rows: [b"%d" % len(row) for row in rows]
def short(names): return lambda rows: [b"" for row in rows][1:]
def texts(names): return lambda rows: ["" for row in rows]
def nothing(names): return lambda rows: None
def raises(names): return lambda rows: 1 / 0
def refuses(names): raise ValueError("no column is called id")
def astray(names):
    from processor.encoders import Unencodable
    def encode(rows): raise Unencodable(len(rows), "why")
    return encode
"""
ODD_NAMES = ("lazy", "short", "texts", "nothing", "raises", "refuses", "astray", "gone")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what makes a folder of the path."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.syspath_prepend(folder)
        return folder

    return make


@pytest.fixture
def odd(path: Callable[[str], Path]) -> None:
    points = {name: f"odd_encoders:{name}" for name in ODD_NAMES}
    install(path("odd"), module="odd_encoders", code=ODD, entry_points={**points, "broken": "no_such_module:make"})


def test_the_readmes_encoder_is_found_and_encodes(path: Callable[[str], Path]) -> None:
    assert "tabs" not in installed()
    install_the_readmes(path("readme"))
    assert "tabs" in installed()
    assert load({"format": "tabs"}, REQUIRED).value_format == "tabs"
    encode = find_encoder("tabs")(("id", "name"))
    assert encode([["7", "Zürich"], ["", ""]]) == ["7\tZürich".encode(), b"\t"]
    assert encode([]) == []
    for cells in (["a\tb", "c"], ["a", "b\nc"]):
        with pytest.raises(Unencodable, match="a cell holds a tab or a line feed") as refused:
            encode([["x", "y"], cells])
        assert refused.value.index == 1


def test_a_job_with_an_encoder_has_a_shape_of_its_own(odd: None) -> None:
    assert len({load({"format": name}, REQUIRED).shape for name in ("json", "raw", "lazy", "short")}) == 4


def test_a_name_that_nobody_gives_is_refused_with_those_that_there_are(odd: None) -> None:
    with pytest.raises(BadSetting, match="not one of json, raw, astray, broken, gone, lazy"):
        load({"format": "avro"}, REQUIRED)
    with pytest.raises(BadSetting, match="no encoder is called 'avro'"):
        find_encoder("avro")


def test_a_name_that_two_packages_give_is_refused_with_both(odd: None, path: Callable[[str], Path]) -> None:
    install(path("rival"), module="rival", code="make = None", entry_points={"lazy": "rival:make"})
    with pytest.raises(BadSetting, match="2 encoders are called 'lazy'") as refused:
        find_encoder("lazy")
    assert "odd_encoders:lazy" in refused.value.what
    assert "rival:make" in refused.value.what


@pytest.mark.parametrize("name", ["broken", "gone"])
def test_one_that_cannot_be_imported_is_refused(odd: None, name: str) -> None:
    with pytest.raises(BadSetting, match="cannot be imported"):
        find_encoder(name)


def test_one_that_keeps_its_contract_may_be_called_with_any_rows(odd: None) -> None:
    assert find_encoder("lazy")(("a",))([["x"], ["y", "z"]]) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("short", "it made 1 values of 2 rows"),
        ("texts", "values that are no bytes"),
        ("nothing", "TypeError"),
        ("raises", "ZeroDivisionError"),
        ("refuses", "no column is called id"),
        ("astray", "of 2 rows it cannot encode number 2"),
    ],
)
def test_one_that_breaks_its_contract_is_a_persons_matter(odd: None, name: str, says: str) -> None:
    with pytest.raises(NeedsPerson, match=says) as refused:
        find_encoder(name)(("a",))([["x"], ["y"]])
    assert f"odd_encoders:{name}" in refused.value.what
