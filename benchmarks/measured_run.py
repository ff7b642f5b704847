"""The processor as it is, with one more line on stdout at its end: `measured`, its peak memory and its CPU time.

`python -m benchmarks.measured_run run` takes what `python -m processor run` takes, and so with every other command.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from processor.__main__ import leave, main

STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int:
    """Return the most memory this process has had resident.

    Linux keeps it for each program in VmHWM; what getrusage says there includes the parent that started it.
    """
    if STATUS.exists():
        fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def tell_measures() -> None:
    """Write the line."""
    times = os.times()
    measures = {"peak_memory_bytes": peak_memory_bytes(), "cpu_s": round(times.user + times.system, 3)}
    print(json.dumps({"step": "measured", **measures}), flush=True)


if __name__ == "__main__":
    code = main()
    tell_measures()
    leave(code)
