"""Programs of the usual kind, for the judge to judge: `python -m chaos run -- python -m chaos.outsiders.naive`."""
