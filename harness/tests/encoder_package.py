"""The README's encoder as a package that is installed: its module, and the metadata that pip would have written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def readme_block(language: str, begins: str) -> str:
    """Return the README's block of this language that holds a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (found,) = [block for block in blocks if begins in block]
    return str(found)


def install(folder: Path, *, module: str, code: str, entry_points: dict[str, str]) -> Path:
    """Install a package into a folder that is, or will be, on the path; return the folder."""
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[csv_to_kafka.encoders]", *lines, ""]), encoding="utf-8")
    return folder


def install_the_readmes(folder: Path) -> Path:
    """Install the README's encoder, under the entry point that the README names."""
    groups = tomllib.loads(readme_block("toml", "entry-points"))["project"]["entry-points"]
    return install(
        folder,
        module="our_encoders",
        code=readme_block("python", "def tabs"),
        entry_points=groups["csv_to_kafka.encoders"],
    )
