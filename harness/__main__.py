"""`python -m harness up`: broker, S3 and DynamoDB on loopback; `image`: the local broker image; `report`: a page.

`python -m harness report FOLDER` judges a saved run again and writes FOLDER/report.html.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.broker import KINDS, BrokerKind, BrokerUnavailable
from harness.checker import Validity, judge
from harness.cloud import Cloud
from harness.history import Evidence
from harness.wait import TimedOut
from harness.world import World

if TYPE_CHECKING:
    from harness.broker.secure import Listener, SecureBroker

BUCKET = "csv-to-kafka"
SECURITY = ("tls", "mtls", "scram", "scram-plain")
EXIT_DONE = 0
EXIT_NOT_VALID = 1
EXIT_NOT_RUN = 2
REPLAY = "replay.txt"  # the command that makes a saved run happen again, beside its evidence


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up_command = commands.add_parser("up", help="start broker, S3 and DynamoDB, print their variables, stay")
    up_command.add_argument("--broker", choices=KINDS, default="auto")
    up_command.add_argument("--security", choices=SECURITY, help="secured connections, and their variables too; jvm")
    commands.add_parser("image", help="build the small local image for the docker broker")
    report_command = commands.add_parser("report", help="judge a saved run again and write its report.html")
    report_command.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "up" and chosen.security and chosen.broker not in ("auto", "jvm"):
        parser.error("--security is for the jvm broker")
    # A shell starts background jobs with SIGINT ignored; and whoever ends us by SIGTERM wants nothing left behind.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.command == "image":
            image()
        elif chosen.command == "report":
            return report(chosen.folder)
        else:
            up(chosen.broker, chosen.security)
    except KeyboardInterrupt:
        return EXIT_DONE
    except (BrokerUnavailable, TimedOut, FileNotFoundError) as why:
        sys.stderr.write(f"NOT RUN: {chosen.command}, {why}\n")
        return EXIT_NOT_RUN
    return EXIT_DONE


def up(kind: BrokerKind, security: Listener | None = None) -> None:
    """Print the variables once everything is ready, and stay until Ctrl-C."""
    with ExitStack() as opened:
        secured = opened.enter_context(_secure_broker()) if security is not None else None
        cloud = opened.enter_context(Cloud(bucket=BUCKET))
        world = opened.enter_context(World(kind=kind, broker=secured, cloud=cloud))
        ours = secured.variables(security) if secured is not None and security is not None else {}
        for name, value in (world.environment() | ours).items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.flush()
        sys.stderr.write(f"{world.broker.kind} broker, bucket s3://{cloud.bucket}; Ctrl-C ends it\n")
        sys.stderr.flush()
        while True:
            signal.pause()


def _secure_broker() -> SecureBroker:
    from harness.broker.secure import SecureBroker  # noqa: PLC0415  # makes certificates, which few need

    return SecureBroker()


def image() -> None:
    """Build the local image and print its name."""
    from harness.broker.image import build_image  # noqa: PLC0415  # needs Docker's client, which `up` may not have

    sys.stdout.write(f"{build_image()}\n")


def report(folder: Path) -> int:
    """Judge the run in `folder` again, write the page beside its evidence; 0 if it is valid, else 1."""
    from harness.report import write_report  # noqa: PLC0415  # needs jinja2, which `up` may not have

    evidence = Evidence.load(folder)
    verdict = judge(evidence)
    recorded = folder / REPLAY
    replay = recorded.read_text(encoding="utf-8").strip() if recorded.exists() else ""
    page = write_report(evidence, verdict, folder / "report.html", title=folder.resolve().name, replay=replay)
    sys.stdout.write(f"{verdict.summary}\n{page}\n")
    return EXIT_DONE if verdict.validity is Validity.VALID else EXIT_NOT_VALID


if __name__ == "__main__":
    sys.exit(main())
