"""`python -m chaos demo`: the demonstration."""

from __future__ import annotations

import argparse
import sys

from chaos import demo


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_flags(commands.add_parser("demo", help="a real CSV, kills at random rows, and the verdict"))
    return demo.demo(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
