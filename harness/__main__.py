"""`python -m harness up`: broker, S3 and DynamoDB on loopback; `python -m harness image`: the local broker image."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys

from harness.broker import BrokerKind, BrokerUnavailable
from harness.cloud import Cloud
from harness.wait import TimedOut
from harness.world import World

BUCKET = "csv-to-kafka"
EXIT_DONE = 0
EXIT_NOT_RUN = 2


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up_command = commands.add_parser("up", help="start broker, S3 and DynamoDB, print their variables, stay")
    up_command.add_argument("--broker", choices=["auto", "jvm", "docker", "external"], default="auto")
    commands.add_parser("image", help="build the small local image for the docker broker")
    chosen = parser.parse_args(arguments)
    # A shell starts background jobs with SIGINT ignored; and whoever ends us by SIGTERM wants nothing left behind.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.command == "image":
            image()
        else:
            up(chosen.broker)
    except KeyboardInterrupt:
        return EXIT_DONE
    except (BrokerUnavailable, TimedOut) as why:
        sys.stderr.write(f"NOT RUN: {chosen.command}, {why}\n")
        return EXIT_NOT_RUN
    return EXIT_DONE


def up(kind: BrokerKind) -> None:
    """Print the variables once everything is ready, and stay until Ctrl-C."""
    with Cloud(bucket=BUCKET) as cloud, World(kind=kind, cloud=cloud) as world:
        for name, value in world.environment().items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.flush()
        sys.stderr.write(f"{world.broker.kind} broker, bucket s3://{cloud.bucket}; Ctrl-C ends it\n")
        sys.stderr.flush()
        while True:
            signal.pause()


def image() -> None:
    """Build the local image and print its name."""
    from harness.broker.image import build_image  # noqa: PLC0415  # needs Docker's client, which `up` may not have

    sys.stdout.write(f"{build_image()}\n")


if __name__ == "__main__":
    sys.exit(main())
