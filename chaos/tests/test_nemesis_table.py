"""Every nemesis has its row in the table of strikes, and every row tests that are there and use it."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chaos import nemesis
from chaos.nemesis.base import Nemesis
from chaos.nemesis.network import Reset
from chaos.nemesis.storage import BodyCut

TESTS = Path(__file__).parent
HEAD = "| strike | what must hold | shown by |"


@dataclass(frozen=True, slots=True)
class Row:
    """One strike of the table."""

    title: str
    holds: str
    tests: tuple[str, ...]


def read_table(text: str) -> list[Row]:
    lines = text[text.index(HEAD) :].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(title, holds, tuple(re.findall(r"`(\w+)`", tests))) for title, holds, tests in cells]


def walk_nemeses() -> list[type[Nemesis]]:
    """Every class of the package that strikes: it has a title of its own, or nothing is derived from it."""
    for module in pkgutil.iter_modules(nemesis.__path__):
        importlib.import_module(f"{nemesis.__name__}.{module.name}")
    found, waiting = [], [Nemesis]
    while waiting:
        derived = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith(nemesis.__name__)]
        found += [kind for kind in derived if "title" in vars(kind) or not kind.__subclasses__()]
        waiting += derived
    return found


def names_used() -> dict[str, frozenset[str]]:
    """Of each test the names that it uses, by way of its module's functions, fixtures and tables too."""
    used: dict[str, frozenset[str]] = {}
    for path in TESTS.glob("test_*.py"):
        defined = dict(definitions(ast.parse(path.read_text(encoding="utf-8"))))
        for name in defined:
            if name.startswith("test_"):
                used[name] = used.get(name, frozenset()) | reachable(name, defined)
    return used


def definitions(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, frozenset[str]]]:
    for node in tree.body:
        names = frozenset(
            found.id if isinstance(found, ast.Name) else found.arg
            for found in ast.walk(node)
            if isinstance(found, ast.Name | ast.arg)
        )
        if isinstance(node, ast.FunctionDef):
            yield node.name, names
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from ((found.id, names) for found in ast.walk(target) if isinstance(found, ast.Name))
        elif isinstance(node, ast.ClassDef):
            yield from definitions(node)


def reachable(name: str, defined: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found, waiting = {name}, [name]
    while waiting:
        new = defined.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return frozenset(found)


def complaints(
    table: Sequence[Row], nemeses: Sequence[type[Nemesis]], used: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    rows = {row.title: row for row in table}
    if len(rows) < len(table):
        yield "two rows have one title"
    for row in table:
        yield from (f"{row.title}: there is no {test}" for test in row.tests if test not in used)
        if not row.tests:
            yield f"{row.title}: no test shows it"
    for kind in nemeses:
        if "title" not in vars(kind) or "holds" not in vars(kind):
            yield f"{kind.__name__} has no words of its own"
        elif kind.title not in rows:
            yield f"{kind.__name__} has no row: {kind.title}"
        elif rows[kind.title].holds != kind.holds:
            yield f"{kind.title}: the table says something else than {kind.__name__}"
        else:
            tests = [test for test in rows[kind.title].tests if test in used]
            yield from (f"{test} does not use {kind.__name__}" for test in tests if kind.__name__ not in used[test])


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return read_table((TESTS.parent / "README.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def used() -> dict[str, frozenset[str]]:
    return names_used()


def test_every_nemesis_has_a_row_and_every_row_its_tests(table: list[Row], used: dict[str, frozenset[str]]) -> None:
    assert len(walk_nemeses()) > 30
    assert list(complaints(table, walk_nemeses(), used)) == []


class Nameless(BodyCut):
    """What somebody may add: it strikes like another one, and no test knows it."""


def test_whatever_is_forgotten_is_found(table: list[Row], used: dict[str, frozenset[str]]) -> None:
    nemeses = walk_nemeses()

    def says(complaint: str, *, rows: Sequence[Row] = table, kinds: Sequence[type[Nemesis]] = nemeses) -> bool:
        return any(complaint in line for line in complaints(rows, kinds, used))

    row = next(row for row in table if row.title == Reset.title)
    others = [other for other in table if other is not row]
    assert says("Reset has no row", rows=others)
    assert says("no test shows it", rows=[*others, replace(row, tests=())])
    assert says("there is no test_gone", rows=[*others, replace(row, tests=("test_gone",))])
    unrelated = "test_an_expired_transactional_id_is_taken_anew"
    assert says(f"{unrelated} does not use Reset", rows=[*others, replace(row, tests=(unrelated,))])
    assert says("the table says something else than Reset", rows=[*others, replace(row, holds="nothing")])
    assert says("two rows have one title", rows=[*table, row])
    assert says("Nameless has no words of its own", kinds=[Nameless])
