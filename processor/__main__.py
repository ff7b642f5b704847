"""The command line: settings, then adapters, then the run, then an exit code and one line on stderr."""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn, TypeAlias

from processor import __version__
from processor.assembly import build_processor
from processor.errors import EXIT_DONE, EXIT_UNEXPECTED, ProcessorError
from processor.model import Position
from processor.observers import observer_for
from processor.ports import Observer
from processor.processor import CSVToKafkaProcessor
from processor.settings import Settings, add_flags, load
from processor.stop import StopSignal

Assemble: TypeAlias = Callable[[Settings, Observer, StopSignal], CSVToKafkaProcessor]

DRAIN_WITHIN_S = 20.0  # Fargate kills 30 s after SIGTERM
WRAP_UP_WITHIN_S = 5.0  # beyond the commit at hand: the last save, and what the checkpoint says of the end
LOOK_AGAIN_S = 0.1
HELP_FLAGS = {"-h", "--help"}
COMMANDS = {
    "run": "move the rows; goes on where an earlier run ended",
    "status": "say how far a job is, or all of them",
    "verify": "compare the partition with the object, row by row",
    "reset": "let a job go on from its start, or from another row",
    "completion": "print what makes a shell complete these commands",
}
GARBAGE_OBJECTS = 200_000  # alive and new, before a search for cycles


def main(arguments: Sequence[str] | None = None, assemble: Assemble = build_processor) -> int:
    """Run the command; return its exit code. `assemble` turns settings into a run that is ready to start."""
    given = sys.argv[1:] if arguments is None else arguments
    flags = vars(parser_for(given).parse_args(given))
    logging.getLogger().addHandler(logging.NullHandler())  # libraries stay silent: the step lines are the log
    try:
        if flags["command"] == "run" and not flags["dry_run"]:
            return run(flags, os.environ, assemble)
        from processor.ops.commands import carry_out  # noqa: PLC0415  # `run` needs nothing of it

        return carry_out(flags, os.environ)
    except ProcessorError as error:
        print("csv-to-kafka:", *str(error).split(), file=sys.stderr)  # one line, whatever a vendor's message holds
        return error.exit_code
    except KeyboardInterrupt:  # `run` has a handler of its own
        print("csv-to-kafka: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001  # the last resort: a bug gets its own exit code
        traceback.print_exc()
        print(f"csv-to-kafka: unexpected, please report: {error!r}", file=sys.stderr)
        return EXIT_UNEXPECTED


def run(flags: Mapping[str, str | None], environment: Mapping[str, str], assemble: Assemble) -> int:
    """Move the rows. Raises ProcessorError."""
    settings = load(flags, environment)
    stop = StopSignal()
    _listen(stop)
    if settings.spot_notice == "imds":
        from processor.aws import metadata_endpoint  # noqa: PLC0415  # botocore takes its time
        from processor.spot import watch_for_notice  # noqa: PLC0415  # and this one brings an HTTP client

        watch_for_notice(stop, metadata_endpoint())
    processor = assemble(settings, observer_for(settings, sys.stdout, sys.stderr), stop)
    _collect_less_garbage()
    end = _beside_signals(processor.run, stop)
    if end.row == 0:
        print(f"csv-to-kafka: {settings.source} has no rows; nothing was sent", file=sys.stderr)
    if end.skipped:
        print(f"csv-to-kafka: {end.skipped:,} of {end.row:,} rows were bad and are skipped", file=sys.stderr)
    return EXIT_DONE


def _collect_less_garbage() -> None:
    """Look for cycles once in a batch or so, not hundreds of times, and not among what was imported.

    Rows make objects by the thousand and no cycles; by default the search for some took a third of the time.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def parser_for(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for these words: a command for operators gets its flags only where it is one of them."""
    parser = argparse.ArgumentParser(
        prog="csv-to-kafka",
        description="Move the rows of one CSV object in S3 into one Kafka partition, in file order, each exactly once.",
    )
    parser.epilog = "csv-to-kafka COMMAND --help explains a command. Every flag has an environment variable."
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, meaning in COMMANDS.items():
        command = commands.add_parser(name, help=meaning)
        if name == "run":
            command.add_argument(
                "--dry-run", action="store_true", help="look at everything, name bad rows, send nothing"
            )
            add_flags(command)
        if name in given and (name != "run" or not HELP_FLAGS.isdisjoint(given)):
            from processor.ops.commands import add_arguments  # noqa: PLC0415  # as above

            add_arguments(name, command)
    return parser


def _beside_signals(work: Callable[[], Position], stop: StopSignal) -> Position:
    """Run `work` in a thread, so that a signal is heard at once, however long a vendor's call holds that thread.

    Once a signal has asked for the end, the run has WRAP_UP_WITHIN_S for it beyond the commit at hand, and
    DRAIN_WITHIN_S in all. What is half done then is what a SIGKILL would have left, and the next run copes with it.
    """
    done: queue.SimpleQueue[Position | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except BaseException as error:  # noqa: BLE001  # carried over to the main thread, whatever it is
            done.put(error)

    threading.Thread(target=run, name="run", daemon=True).start()
    while time.monotonic() < stop.deadline(drain_s=DRAIN_WITHIN_S, wrap_up_s=WRAP_UP_WITHIN_S):
        with contextlib.suppress(queue.Empty):
            end = done.get(timeout=LOOK_AGAIN_S)
            if isinstance(end, BaseException):
                raise end
            return end
    where = "in the middle of a batch" if stop.is_commit_at_hand else "while it waited"
    print(
        f"csv-to-kafka: stopped by signal {stop.number}, {where} (start the same command again to go on)",
        file=sys.stderr,
        flush=True,
    )
    os._exit(128 + stop.number)


def _listen(stop: StopSignal) -> None:
    """SIGTERM and SIGINT end the run after the batch at hand, a second one ends it at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.ask(number):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def leave(code: int) -> NoReturn:
    """End the process with this code, at once: no vendor's thread or finaliser may hold it back."""
    with contextlib.suppress(OSError):  # whoever read the lines has gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def entry() -> NoReturn:
    """Be the console script."""
    leave(main())


if __name__ == "__main__":
    entry()
