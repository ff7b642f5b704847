# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.11"]
# ///
"""What there is to run: `python3 noxfile.py -s demo`, `-s tests`, `-s lint`, `-s types`; `-l` lists them.

Needs Python 3.11 or later with pip, nothing else: run as a script, it puts nox into `.nox/start` and goes on there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
START = ROOT / ".nox" / "start"


def start_again_with_nox() -> None:
    """Make an environment that has nox, and run this script in it.

    Also where the system's Python refuses installs and has no venv module (Debian): pip may always install into a
    folder, and virtualenv runs from there.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pinned = ["--constraint", str(ROOT / "constraints.txt")]
    if not (START / "bin" / "nox").exists():
        print("Preparing nox ...", flush=True)  # noqa: T201
        seed = ROOT / ".nox" / "virtualenv"
        subprocess.run([*pip, *pinned, "--upgrade", "--target", str(seed), "virtualenv"], check=True)
        with_seed = {**os.environ, "PYTHONPATH": str(seed)}
        subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", str(START)], check=True, env=with_seed)
        subprocess.run([str(START / "bin" / "python"), *pip[1:], *pinned, "nox"], check=True)
    python = str(START / "bin" / "python")
    os.execv(python, [python, __file__, *sys.argv[1:]])  # noqa: S606  # no shell wanted


try:
    import nox
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    start_again_with_nox()

PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
nox.needs_version = ">=2025.11"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["lint", "types", "tests", "demo"]
WORKERS = ("-n", "2", "--dist", "worksteal")  # each has a broker of its own
# A broker that does not answer is of no version.
ON_OLDER = ("harness/tests/contracts", "-k", "not fake and not does_not_answer")
ON_DOCKER = ("harness/tests/test_broker.py", "harness/tests/contracts", "chaos/tests/test_kills.py", "-k", "not fake")


def install(session: nox.Session, group: str) -> None:
    """Install the project with its extras and one dependency group, at the pinned versions."""
    needed = nox.project.dependency_groups(PYPROJECT, group)
    session.install("--quiet", "--constraint", "constraints.txt", "--editable", ".[fast,msk-iam]", *needed)


@nox.session
def demo(session: nox.Session) -> None:
    """Send a real CSV to a real broker while the processor is killed again and again, then prove the result."""
    install(session, "demo")
    session.run("python", "-m", "chaos", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite against a real broker; minutes."""
    install(session, "tests")
    chosen = ["-m", "not slow and not strike and not cluster and not secure"]
    session.run("python", "-m", "pytest", *chosen, *WORKERS, *session.posargs)


@nox.session(default=False)
def strikes(session: nox.Session) -> None:
    """Strike process, network, S3, DynamoDB and state, on a real broker; minutes."""
    install(session, "tests")
    bound = "--session-timeout=1200"  # twice what two cores take: a session that hangs is a failure
    chosen = ["-m", "strike and not slow and not cluster", bound]
    session.run("python", "-m", "pytest", *chosen, *WORKERS, *session.posargs)


@nox.session(default=False)
def secure(session: nox.Session) -> None:
    """Over TLS, mTLS and SCRAM: the contract tests of both clients, kills, and being refused in every way; minutes."""
    install(session, "tests")
    session.run("python", "-m", "pytest", "-m", "secure and not slow", *WORKERS, *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Run the tests that take long because something has to time out, or a broker to come back."""
    install(session, "tests")
    install(session, "flink")
    session.run("python", "-m", "pytest", "-m", "slow and not cluster and not secure", *WORKERS, *session.posargs)


@nox.session(default=False)
def cluster(session: nox.Session) -> None:
    """Fell leader and coordinators of three brokers, replication 3, min.insync.replicas 2; 1.0 to 1.4 GB of memory."""
    install(session, "tests")
    session.run("python", "-m", "pytest", "-m", "cluster", *session.posargs)


@nox.session(default=False)
def older(session: nox.Session) -> None:
    """Run what speaks of delivery against Kafka 3.9: the contract tests of both clients, and a short campaign."""
    install(session, "tests")
    old = {"BROKER": "jvm", "KAFKA_VERSION": "3.9.2"}
    session.run("python", "-m", "pytest", "-m", "not secure", *ON_OLDER, *WORKERS, *session.posargs, env=old)
    session.run("python", "-m", "chaos", "run", "--broker", "jvm", "--rounds", "4", "--kills", "10", env=old)


@nox.session(default=False)
def record(session: nox.Session) -> None:
    """Replay every bug that was found in this program, or those that are named: `-- NAME ...`; minutes."""
    install(session, "tests")
    session.run("python", "-m", "chaos.track_record", *session.posargs)


@nox.session(default=False)
def chaos(session: nox.Session) -> None:
    """Kill the processor on a real broker, again and again, and judge: `-- --seed N --rounds K --kills M`.

    With `--broker jvm3`, kill the brokers too: the leader and the coordinator of three, in turn.
    """
    install(session, "harness")
    session.run("python", "-m", "chaos", "run", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Kill for hours, with a new seed each time: `-- --minutes 240`."""
    install(session, "harness")
    minutes = [] if "--minutes" in session.posargs else ["--minutes", "240"]
    session.run("python", "-m", "chaos", "run", "--kills", "25", *minutes, *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure everything, about an hour; `-- --quick` minutes; `-- compare OLD.json NEW.json` names what got worse."""
    install(session, "tests")
    if not {"--quick", "compare", "page"} & set(session.posargs):
        install(session, "flink")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def docker(session: nox.Session) -> None:
    """Run everything that speaks of delivery against Kafka in a container; needs a Docker engine."""
    install(session, "tests")
    session.run("python", "-m", "harness", "image")
    chosen = ["-m", "not slow and not cluster and not secure", *ON_DOCKER]
    session.run("python", "-m", "pytest", *chosen, *session.posargs, env={"BROKER": "docker"})


@nox.session(default=False)
def terraform(session: nox.Session) -> None:
    """Apply each way to run it on AWS to an emulator, look at it, plan again, run its container, destroy; minutes."""
    install(session, "terraform")
    session.run("python", "-m", "terraform.tests.images")
    apart = ("-n", "3", "--dist", "loadfile", "--timeout=600")  # an option is applied once for all tests of its file
    session.run("python", "-m", "pytest", "terraform/tests", *apart, "--durations=15", *session.posargs)


@nox.session(default=False)
def checkov(session: nox.Session) -> None:
    """Look for what is unsafe in the Terraform configuration, and in the Dockerfile."""
    session.install("--quiet", "checkov==3.3.30")  # by itself: it pins an old boto3
    session.run("checkov", "--config-file", "terraform/.checkov.yaml", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, and who imports whom."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "types")
    session.run("mypy", *session.posargs)


if __name__ == "__main__":
    nox.main()
