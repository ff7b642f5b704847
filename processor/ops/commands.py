"""The commands for operators: their flags, and what carries them out. Imported when one of them is asked for."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from processor.assembly import build_checkpoints, build_secured_sink, build_source
from processor.aws import aws_client
from processor.csv_source import BatchLimits
from processor.errors import EXIT_DONE, BadSetting, PlaceMissing
from processor.opening import JobRules
from processor.ops.dry_run import DryRun
from processor.ops.help_texts import HELP
from processor.ops.jobs_dynamodb import JobsTable
from processor.ops.looks import Looks
from processor.ops.reset import Reset
from processor.ops.status import Job, page, report, table
from processor.ops.verify import Verify
from processor.ports import Checkpoints, Sink, Source
from processor.settings import Settings, add_flags, derive_job_id, load, take
from processor.stop import Clock, StopSignal

Flags = Mapping[str, Any]

# How rows are sent; a command that sends none has no use for it.
ABOUT_SENDING = (
    "--compression",
    "--checkpoint-interval",
    "--batch-bytes",
    "--commit-interval-s",
    "--max-rows-per-s",
    "--max-bytes-per-s",
    "--transaction-timeout-ms",
    "--on-bad-row",
    "--dead-letter-topic",
    "--metrics",
    "--log-level",
    "--spot-notice",
)
# What a row is; a command that looks at none has no use for it.
ABOUT_ROWS = (
    "--delivery",
    "--format",
    "--max-row-bytes",
    "--delimiter",
    "--quote",
    "--escape",
    "--comment",
    "--encoding",
    "--columns",
    "--key",
    "--record-headers",
    "--timestamp",
)


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Give the parser of a command its description, and its flags; `run` has its own."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = f"csv-to-kafka {name} [FLAG ...]"
    parser.description, parser.epilog = HELP[name]
    if name in ADD_ARGUMENTS:
        ADD_ARGUMENTS[name](parser)


def carry_out(flags: Flags, environment: Mapping[str, str]) -> int:
    """Do what the command says; return the exit code. Raises ProcessorError."""
    return CARRY_OUT[flags["command"]](flags, environment)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    add_flags(parser, without=ABOUT_SENDING)


def _verify(flags: Flags, environment: Mapping[str, str]) -> int:
    settings = _for_reading(load(flags, environment))
    Verify(*_parts(settings), rules=_rules(settings), name=settings.job_id, out=sys.stdout).run()
    return EXIT_DONE


def _dry_run(flags: Flags, environment: Mapping[str, str]) -> int:
    settings = load(flags, environment)
    DryRun(
        *_parts(replace(_for_reading(settings), sink=settings.sink)),
        rules=_rules(settings),
        clock=Clock(StopSignal()),
        out=sys.stdout,
    ).run()
    return EXIT_DONE


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="every job of the table, a line each")
    parser.add_argument("--json", action="store_true", help="a JSON object a line; what is unknown is null")
    add_flags(parser, without=(*ABOUT_SENDING, *ABOUT_ROWS), optional=("--source", "--topic", "--bootstrap-servers"))


def _status(flags: Flags, environment: Mapping[str, str]) -> int:
    name = take("--checkpoint-table", flags, environment)
    if name is None:
        raise BadSetting("--checkpoint-table is missing", hint="give it, or set CHECKPOINT_TABLE")
    jobs, looks = JobsTable(aws_client("dynamodb"), name), Looks(flags, environment)
    found = list(jobs.all()) if flags["all"] else [_named_job(jobs, name, flags, environment)]
    looked = [looks.at(job) for job in found]
    now = datetime.now(UTC)
    reports = [report(job, look, now) for job, look in zip(found, looked, strict=True)]
    if flags["json"]:
        lines = [json.dumps(asdict(one), ensure_ascii=False) for one in reports]
    else:
        lines = table(reports, looked) if flags["all"] else page(reports[0], looked[0])
    sys.stdout.write("".join(line + "\n" for line in lines))
    return EXIT_DONE


def _named_job(jobs: JobsTable, name: str, flags: Flags, environment: Mapping[str, str]) -> Job:
    """Return the job that flags or variables name."""
    job_id = take("--job-id", flags, environment)
    if job_id is None:
        source, topic = take("--source", flags, environment), take("--topic", flags, environment)
        if source is None or topic is None:
            raise BadSetting("no job is named", hint="give --all, or --job-id, or --source and --topic of its run")
        job_id = derive_job_id(source, topic, take("--partition", flags, environment))
    job = jobs.read(job_id)
    if job is None:
        raise PlaceMissing(f"there is no job {job_id!r} in table {name!r}", hint="see `csv-to-kafka status --all`")
    return job


def _parts(settings: Settings) -> tuple[Source, Sink, Checkpoints]:
    return build_source(settings), build_secured_sink(settings), build_checkpoints(settings)


def _rules(settings: Settings) -> JobRules:
    return JobRules(settings.sink.delivery, settings.shape, settings.bad_rows)


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.usage = "csv-to-kafka completion SHELL"
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="the shell that is to complete")


def _completion(flags: Flags, _environment: Mapping[str, str]) -> int:
    if importlib.util.find_spec("shtab") is None:
        raise BadSetting("shtab is not installed", hint="pip install 'csv-to-kafka[completion]'")
    import shtab  # noqa: PLC0415  # no other command has a use for it

    from processor.__main__ import parser_for  # noqa: PLC0415  # which imports this module for some commands

    sys.stdout.write(shtab.complete(parser_for(tuple(HELP)), shell=flags["shell"]))
    return EXIT_DONE


def _for_reading(settings: Settings) -> Settings:
    """Let batches be as large as by default: how the job sends, and where bad rows go, is no matter."""
    sink = replace(settings.sink, dead_letter_topic="")
    return replace(settings, limits=BatchLimits(max_row_bytes=settings.limits.max_row_bytes), sink=sink)


def _add_reset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to-row", metavar="N", default="0", help="the next row to send, from 0 (default 0)")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_flags(parser, without=ABOUT_SENDING)


def _reset(flags: Flags, environment: Mapping[str, str]) -> int:
    settings = _for_reading(load(flags, environment))
    if not flags["to_row"].isdecimal():
        raise BadSetting(f"--to-row={flags['to_row']!r} is no row", hint="rows count from 0")
    if not flags["yes"] and not sys.stdin.isatty():
        raise BadSetting("nobody can be asked here whether to reset", hint="give --yes")
    Reset(
        *_parts(settings),
        rules=_rules(settings),
        clock=Clock(StopSignal()),
        confirm=lambda what: bool(flags["yes"]) or _ask(what),
        out=sys.stdout,
    ).run(int(flags["to_row"]))
    return EXIT_DONE


def _ask(what: str) -> bool:
    try:
        return input(f"{what}\nReset? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


ADD_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "completion": _add_completion,
    "reset": _add_reset,
    "status": _add_status,
    "verify": _add_verify,
}
CARRY_OUT: dict[str, Callable[[Flags, Mapping[str, str]], int]] = {
    "completion": _completion,
    "run": _dry_run,
    "reset": _reset,
    "status": _status,
    "verify": _verify,
}
