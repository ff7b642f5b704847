"""The command line: settings, then adapters, then the run, then an exit code and one line on stderr."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import TypeAlias

from processor import __version__
from processor.assembly import build_processor
from processor.errors import EXIT_DONE, EXIT_UNEXPECTED, ProcessorError
from processor.ports import Observer
from processor.processor import CSVToKafkaProcessor
from processor.settings import Settings, add_flags, load
from processor.step_lines import StepLines
from processor.stop import StopSignal

Assemble: TypeAlias = Callable[[Settings, Observer, StopSignal], CSVToKafkaProcessor]


def main(arguments: Sequence[str] | None = None, assemble: Assemble = build_processor) -> int:
    """Run the command; return its exit code. `assemble` turns settings into a run that is ready to start."""
    flags = vars(_parser().parse_args(arguments))
    logging.getLogger().addHandler(logging.NullHandler())  # libraries stay silent: the step lines are the log
    try:
        return run(flags, os.environ, assemble)
    except ProcessorError as error:
        print("csv-to-kafka:", *str(error).split(), file=sys.stderr)  # one line, whatever a vendor's message holds
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the last resort: a bug gets its own exit code
        traceback.print_exc()
        print(f"csv-to-kafka: unexpected, please report: {error!r}", file=sys.stderr)
        return EXIT_UNEXPECTED


def run(flags: Mapping[str, str | None], environment: Mapping[str, str], assemble: Assemble) -> int:
    """Move the rows. Raises ProcessorError."""
    settings = load(flags, environment)
    stop = StopSignal()
    _listen(stop)
    end = assemble(settings, StepLines(settings.job_id, sys.stdout), stop).run()
    if end.row == 0:
        print(f"csv-to-kafka: {settings.source} has no rows; nothing was sent", file=sys.stderr)
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="csv-to-kafka",
        description="Move the rows of one CSV object in S3 into one Kafka partition, in file order, each exactly once.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    add_flags(commands.add_parser("run", help="move the rows; goes on where an earlier run ended"))
    return parser


def _listen(stop: StopSignal) -> None:
    """SIGTERM and SIGINT end the run after the batch at hand, a second one ends it at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.ask(number):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


if __name__ == "__main__":
    sys.exit(main())
