"""`python -m chaos.searching`: search for a story that goes wrong, draw many and count false alarms, or replay one."""

from __future__ import annotations

import argparse
import random
import sys
from contextlib import AbstractContextManager, nullcontext

from chaos.mutants import find
from chaos.searching.bulk import tell_in_bulk
from chaos.searching.machine import search
from chaos.searching.telling import tell

SHOWN = 5


def main(arguments: list[str] | None = None) -> int:
    """Print what was played and what is wrong; return 1 where something is, else 0."""
    asked = _parser().parse_args(arguments)
    broken: AbstractContextManager[None] = find(asked.mutant).planted() if asked.mutant else nullcontext()
    with broken:
        if asked.replay:
            return _replay(asked.replay)
        if asked.bulk:
            return _bulk(asked.bulk, asked.seed)
        searched = search(stories=asked.stories, parts=asked.parts, seed=asked.seed)
        print(searched)
        return 0 if searched.shortest is None else _replay(searched.shortest)


def _replay(line: str) -> int:
    wrong = tell(line)
    print(wrong or "nothing is wrong")
    if wrong:
        print(f"  replay: python -m chaos.searching --replay '{line}'")
    return 1 if wrong else 0


def _bulk(stories: int, seed: int) -> int:
    bulk = tell_in_bulk(stories, seed=seed)
    print(bulk)
    for what, lines in (("went wrong", bulk.wrong), ("false alarm", bulk.false_alarms)):
        print(*(f"{what}: {line}" for line in lines[:SHOWN]), sep="\n", end="\n" if lines else "")
    return 1 if bulk.wrong or bulk.false_alarms else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chaos.searching", description=__doc__)
    parser.add_argument(
        "--stories", type=int, default=1000, help="tell so many at most, chosen and shrunk by Hypothesis"
    )
    parser.add_argument("--parts", type=int, default=25, help="of at most so many parts each")
    parser.add_argument("--bulk", type=int, metavar="N", help="draw N stories in their place, and count false alarms")
    parser.add_argument("--seed", type=int, default=random.randrange(2**31), help="by default another one each time")
    parser.add_argument("--replay", metavar="STORY", help="play one story")
    parser.add_argument("--mutant", metavar="NAME", help="plant a bug of chaos.mutants first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
