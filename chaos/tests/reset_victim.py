"""`csv-to-kafka reset` that kills itself at one of its writes: `python -m chaos.tests.reset_victim WHERE FLAG ...`.

WHERE is `restart` (the write to the checkpoint) or `commit` (that of the position), before or after its effect:
`before:restart`, `after:commit`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from processor.__main__ import main
from processor.ops import commands


def dies(make: Any, when: str, write: str) -> Any:
    def made(*arguments: Any) -> Any:
        part = make(*arguments)
        effect = getattr(part, write, None)

        def struck(*values: Any) -> None:
            if when == "after" and effect is not None:
                effect(*values)
            os.kill(os.getpid(), signal.SIGKILL)

        if effect is not None:
            setattr(part, write, struck)
        return part

    return made


if __name__ == "__main__":
    moment, what = sys.argv[1].split(":")
    if what == "restart":
        commands.build_checkpoints = dies(commands.build_checkpoints, moment, what)
    else:
        commands.build_secured_sink = dies(commands.build_secured_sink, moment, what)
    sys.exit(main(["reset", *sys.argv[2:]]))
