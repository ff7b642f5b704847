"""`python -m benchmarks`: measures, and writes results.json and report.html into a folder of its own; `--quick`: soon.

`python -m benchmarks compare OLD.json NEW.json` sets two runs against each other; `page RESULTS.json` writes the page
of a saved run again.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import compare
from benchmarks.report import write_page
from benchmarks.results import NoResults, load
from benchmarks.scale import VARIABLE
from benchmarks.words import first_line, further_lines

RUNS = Path("runs") / "bench"
SUITE = Path(__file__).parent / "suite"
EXIT_DONE, EXIT_NO_RESULTS = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some minutes instead of an hour")
    parser.add_argument("--folder", type=Path, help=f"where the results go; by default a new one in {RUNS}")
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="only the benchmarks that match, as in pytest")
    commands = parser.add_subparsers(dest="command")
    compare_command = commands.add_parser("compare", help="name what got worse by more than the noise")
    compare_command.add_argument("old", type=Path)
    compare_command.add_argument("new", type=Path)
    page_command = commands.add_parser("page", help="write the page of a saved run again, beside it")
    page_command.add_argument("results", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "compare":
            return compare.main(chosen.old, chosen.new)
        if chosen.command == "page":
            return page(chosen.results)
        return run("quick" if chosen.quick else "full", chosen.folder or RUNS / stamp(), expression=chosen.k)
    except (NoResults, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_NO_RESULTS


def run(scale: str, folder: Path, *, expression: str) -> int:
    """Measure, then write the page; return pytest's exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.json"
    os.environ[VARIABLE] = scale
    chosen = [str(SUITE), "-k", expression, "--capture=no", "-q", "--timeout=0", "-p", "no:cacheprovider"]
    chosen += ["--benchmark-enable", f"--benchmark-json={results}", "--benchmark-columns=median,min,max,rounds"]
    code = int(pytest.main([*chosen, "--durations=8"]))
    page(results, failed=code != 0)
    return code


def page(results: Path, *, failed: bool = False) -> int:
    """Write the page beside the results, and say in words what they say."""
    found = load(results)
    written = write_page(found, results.parent / "report.html", failed=failed)
    print("\n".join((first_line(found), *further_lines(found), f"{results}\n{written}")))
    return EXIT_DONE


def stamp() -> str:
    """Return a name for a run's folder that sorts by time."""
    return datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")


if __name__ == "__main__":
    sys.exit(main())
