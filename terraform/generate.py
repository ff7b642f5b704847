"""Writes what would be told twice: the settings that Terraform takes, and the tables of inputs and outputs.

`python -m terraform.generate`, after a change of the processor's settings or of a root's variables.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from processor.settings import SETTINGS

HERE = Path(__file__).resolve().parent
ROOTS = ("ecs-fargate", "batch-spot", "ec2-spot", "msk")
SETTINGS_FILE = HERE / "modules" / "job" / "settings.json"
BEGIN, END = "<!-- generated: python -m terraform.generate -->", "<!-- end of what is generated -->"
_BLOCK = re.compile(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_DESCRIPTION = re.compile(r'^  description += "(.*)"$', re.MULTILINE)
_TYPE = re.compile(r"^  type += (\w+)", re.MULTILINE)
_DEFAULT = re.compile(r"^  default += (.+)$", re.MULTILINE)


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file that is generated, in whole or in part, and the text that it has to have."""
    module = (HERE / "modules" / "job" / "main.tf").read_text(encoding="utf-8")
    own = set(re.findall(r"^    ([A-Z_]+) += ", module, re.MULTILINE))
    rest = sorted(setting.variable for setting in SETTINGS if setting.variable not in own)
    yield SETTINGS_FILE, json.dumps(rest, indent=2) + "\n"
    for root in ROOTS:
        readme = HERE / root / "README.md"
        before, _, after = readme.read_text(encoding="utf-8").partition(BEGIN)
        yield readme, f"{before}{BEGIN}\n{_tables(root)}\n{END}{after.partition(END)[2]}"


def stale() -> list[str]:
    """Return the names of files that are not what they have to be."""
    return [str(path.relative_to(HERE)) for path, text in files() if path.read_text(encoding="utf-8") != text]


def _tables(root: str) -> str:
    lines = ["", "| input | type | default | meaning |", "|---|---|---|---|"]
    for name, body in _blocks(HERE / root / "variables.tf"):
        found = _DEFAULT.search(body)
        default = "required" if found is None else "" if found[1] == "null" else f"`{found[1]}`"
        kind = _TYPE.search(body)
        lines.append(f"| `{name}` | {kind[1] if kind else ''} | {default} | {_description(body)} |")
    lines += ["", "| output | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {_description(body)} |" for name, body in _blocks(HERE / root / "outputs.tf")]
    return "\n".join(lines) + "\n"


def _blocks(path: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall(path.read_text(encoding="utf-8"))


def _description(body: str) -> str:
    found = _DESCRIPTION.search(body)
    return found[1].replace('\\"', '"').replace("|", "\\|") if found else ""


if __name__ == "__main__":
    for written, wanted in files():
        written.write_text(wanted, encoding="utf-8")
    sys.stdout.write("written\n")
