"""`python -m chaos.interleave`: explore, or draw at random, or replay one schedule; exits 1 at a violation."""

from __future__ import annotations

import argparse
import sys

from chaos.interleave.board import Limits
from chaos.interleave.explore import Explored, Explorer
from chaos.interleave.replay import replay
from chaos.interleave.runs import Parts
from chaos.interleave.schedule import Schedule
from chaos.interleave.walk import Walker


def main() -> int:
    """Print the numbers, and a violation with its trace."""
    asked = _parser().parse_args()
    if asked.replay:
        return _replay(Schedule.parse(asked.replay))
    limits = Limits(asked.processors, asked.faults, asked.preemptions, asked.hold)
    found = _explore(asked, limits)
    print(found)
    if found.violation is None:
        return 0
    print(found.violation)
    return _replay(found.violation.schedule)


def _explore(asked: argparse.Namespace, limits: Limits) -> Explored:
    parts = Parts(asked.interval)
    if asked.random:
        print(f"seed {asked.seed}")
        return Walker(asked.rows, parts, limits, seed=asked.seed).explore(asked.random)
    return Explorer(asked.rows, parts, limits).explore()


def _replay(schedule: Schedule) -> int:
    played = replay(schedule)
    print("\n".join(played.trace))
    print(played.wrong or "every rule was kept")
    return 1 if played.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos.interleave", description=__doc__)
    parser.add_argument("--processors", type=int, default=2, help="runs that are started at first")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--interval", type=int, default=1, help="rows of one transaction")
    parser.add_argument("--faults", type=int, default=0, help="at most so many in one schedule")
    parser.add_argument("--preemptions", type=int, help="at most so many in one schedule; any number by default")
    parser.add_argument("--hold", action="store_true", help="faults in which a request is held up and arrives later")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="draw N schedules in the place of all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", metavar="SCHEDULE", help="play one schedule with live runs, and print its calls")
    return parser


if __name__ == "__main__":
    sys.exit(main())
