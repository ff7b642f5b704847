"""Terraform as a process: on a copy of the configuration, with a provider from wherever this machine has one."""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
ROOTS = ("ecs-fargate", "batch-spot", "ec2-spot", "msk")
MIRROR_VARIABLE = "TERRAFORM_MIRROR"
PROVIDER = Path("registry.terraform.io/hashicorp/aws")
# Terraform's own folders for it, then those for add-on software and shared data.
OWN_FOLDERS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins")
SYSTEM_FOLDERS = ("/usr/local/share", "/usr/share", "/usr/local/lib", "/usr/lib", "/opt", "/srv", "/var/lib")
HINT = f"install Terraform 1.9 or later; without the registry, set {MIRROR_VARIABLE} to a filesystem mirror"
WITHIN_S = 300


class TerraformUnavailable(Exception):  # a state of the machine
    """Why Terraform cannot run here; the text follows `NOT RUN: <what>,`."""


class TerraformFailed(Exception):
    """Terraform ended with an error; the text is what it printed."""


def find_mirror() -> Path | None:
    """Return the mirror that `TERRAFORM_MIRROR` names, or one in the usual folders; None means the registry."""
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        if not (Path(named) / PROVIDER).is_dir():
            raise TerraformUnavailable(f"{MIRROR_VARIABLE}={named} holds no {PROVIDER}")
        return Path(named)
    return next((folder for folder in _usual_folders() if (folder / PROVIDER).is_dir()), None)


def _usual_folders() -> Iterator[Path]:
    yield from (Path(folder).expanduser() for folder in OWN_FOLDERS)
    for folder in map(Path, SYSTEM_FOLDERS):
        yield folder
        for pattern in ("*", "*/*"):
            yield from sorted(folder.glob(pattern))


@functools.cache
def require_terraform() -> str:
    """Return the path of the binary. Raises TerraformUnavailable, also where no provider can be had."""
    found = shutil.which(os.environ.get("TERRAFORM", "terraform"))
    if found is None:
        raise TerraformUnavailable(f"there is no Terraform; {HINT}")
    return found


class Terraform:
    """One root of a private copy of `terraform/`: its state, its provider and its lock file live and die with it."""

    def __init__(self, folder: Path, root: str, environment: Mapping[str, str] | None = None) -> None:
        """Copy and initialise. `environment` is added to this process's own. Raises TerraformUnavailable."""
        self.binary = require_terraform()
        shutil.copytree(
            HERE, folder / "terraform", ignore=shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
        )
        shutil.copy2(HERE.parent / "constraints.txt", folder)
        self.root = folder / "terraform" / root
        self.environment = {
            **os.environ,
            **_from_mirror(folder / "terraform.rc"),
            "TF_IN_AUTOMATION": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            **(environment or {}),
        }
        try:
            self.run("init", "-input=false")
        except TerraformFailed as failure:
            raise TerraformUnavailable(f"the provider cannot be had: {failure}; {HINT}") from failure

    def run(self, *arguments: str, expected: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a command. Raises TerraformFailed for any other exit code than the expected ones."""
        command, *rest = arguments
        done = subprocess.run(
            [self.binary, f"-chdir={self.root}", command, *rest],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        if done.returncode not in expected:
            raise TerraformFailed(_plain(done.stdout[-2000:] + done.stderr))
        return done

    def set_variables(self, variables: Mapping[str, object]) -> None:
        """Set the root's variables for every command to come."""
        (self.root / "given.auto.tfvars.json").write_text(json.dumps(variables), encoding="utf-8")

    def apply(self) -> dict[str, Any]:
        """Make everything; return the outputs."""
        self.run("apply", "-auto-approve", "-input=false", "-no-color")
        shown = json.loads(self.run("output", "-json").stdout)
        return {name: output["value"] for name, output in shown.items()}

    def destroy(self) -> None:
        """Remove everything."""
        self.run("destroy", "-auto-approve", "-input=false", "-no-color")

    def drift(self) -> set[str]:
        """Plan again; return what would change, as `type.attribute`, or `type: action` where it is not an update."""
        self.run("plan", "-input=false", "-out=again")
        plan = json.loads(self.run("show", "-json", "again").stdout)
        return {difference for change in plan.get("resource_changes", []) for difference in _differences(change)}


def _from_mirror(rc: Path) -> dict[str, str]:
    """Return the variable that sends Terraform to a mirror; without one, nothing: this machine's own settings count."""
    mirror = find_mirror()
    if mirror is None:
        return {}
    rc.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n', encoding="utf-8")
    return {"TF_CLI_CONFIG_FILE": str(rc)}


def _differences(change: Mapping[str, Any]) -> Iterator[str]:
    actions = change["change"]["actions"]
    if actions == ["update"]:
        before, after = change["change"]["before"], change["change"]["after"]
        yield from _leaves(change["type"], before, after, change["change"].get("after_unknown", {}))
    elif actions not in (["no-op"], ["read"]):
        yield f"{change['type']}: {'+'.join(actions)}"


def _leaves(path: str, before: Any, after: Any, unknown: Any) -> Iterator[str]:
    """Yield the paths at which two values differ, without the numbers of list elements."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        unknown = unknown if isinstance(unknown, list) else [unknown] * len(after)
        for old, new, hidden in itertools.zip_longest(before, after, unknown):
            yield from _leaves(path, old, new, hidden)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            hidden = unknown.get(name) if isinstance(unknown, dict) else unknown
            yield from _leaves(f"{path}.{name}", before.get(name), after.get(name), hidden)
    elif before != after or unknown is True:
        yield path


def _plain(text: str) -> str:
    """Return Terraform's words without its frames and line breaks, so that a search finds a sentence."""
    return " ".join(text.replace("│", " ").replace("╷", " ").replace("╵", " ").split())
