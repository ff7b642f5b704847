"""A peer that is one process: started for each run, and gone when the broker has acknowledged every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.peers.peer import Measured, Prepared
from benchmarks.peers.watch import Watch
from harness.target import Target

ENDED_WITHIN_S = 900.0


@dataclass(frozen=True, slots=True)
class ProcessPeer:
    """Keeps the contract of `Peer` for a command. `find` raises PeerUnavailable where the command cannot run."""

    name: str
    delivery: str
    bootstrap_servers: str
    find: Callable[[], object]
    command: Callable[[Prepared, str], Sequence[str]]
    in_order: bool = True

    def run(self, prepared: Prepared, topic: str) -> Measured:
        """Start the command, wait for its end, and return what was seen of it."""
        with Watch(self.bootstrap_servers, topic) as watch:
            target = Target(self.command(prepared, topic), {})
            ended = target.wait(within_s=ENDED_WITHIN_S)
            if ended.exit_code != 0:
                raise RuntimeError(f"{self.name} ended with {ended.ended}: {target.stderr}")
            return watch.measured(prepared.rows)

    def resume_s(self, prepared: Prepared, topic: str) -> None:
        """Return None: started again, it would send the file from its first row."""

    def __enter__(self) -> Self:
        self.find()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing of it runs between two runs."""
