"""`python -m chaos.track_record [NAME ...]`: replay every bug or those named; exits 1 if one has come back."""

from __future__ import annotations

import argparse
import sys

from chaos.track_record.bug import Bug, NotRun
from chaos.track_record.bugs import BUGS


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each bug, and what did not run once more at the end; return the exit code."""
    bugs = {bug.name: bug for bug in BUGS}
    parser = argparse.ArgumentParser(prog="python -m chaos.track_record", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(bugs)}")
    names = parser.parse_args(arguments).names or list(bugs)
    if unknown := set(names) - bugs.keys():
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    back, not_run = 0, list[str]()
    for name in names:
        try:
            back += _tell(bugs[name])
        except NotRun as why:
            not_run.append(f"{name}: {why}")
            print(not_run[-1], flush=True)
    print(f"{len(names)} bugs, {back} came back, {len(not_run)} not run", *not_run, sep="\n")
    return 1 if back else 0


def _tell(bug: Bug) -> bool:
    """Replay it and print its line; return whether it is back."""
    symptom = bug.symptom()
    print(f"{bug.name}: {'stayed away' if symptom is None else 'CAME BACK'}", flush=True)
    if symptom is not None:
        print(f"  {bug.what}\n  {symptom}\n  replay: python -m chaos.track_record {bug.name}", flush=True)
    return symptom is not None


if __name__ == "__main__":
    sys.exit(main())
