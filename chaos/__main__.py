"""`python -m chaos demo`: the demonstration; `python -m chaos run`: a campaign of kills."""

from __future__ import annotations

import argparse
import sys

from chaos import campaign, demo


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo.add_flags(commands.add_parser("demo", help="a real CSV, kills at random rows, and the verdict"))
    campaign.add_flags(commands.add_parser("run", help="seeded jobs, killed again and again, each judged"))
    chosen = parser.parse_args(arguments)
    return demo.demo(chosen) if chosen.command == "demo" else campaign.campaign(chosen)


if __name__ == "__main__":
    sys.exit(main())
