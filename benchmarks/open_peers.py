"""The peers that are up, and the rows that they read, for as long as a stage is."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.made_csv import Cursor, MadeCsv
from benchmarks.peers.peer import Peer, Prepared
from benchmarks.peers.rows import prepare


@dataclass(slots=True)
class OpenPeers:
    """Opens each peer and writes each object once, at first use; a context manager that closes them all."""

    bootstrap_servers: str
    _peers: dict[str, Peer] = field(default_factory=dict)
    _prepared: dict[str, Prepared] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def peer(self, name: str, make: Callable[[str], Peer]) -> Peer:
        """Return the peer of this name, started at its first use. Raises PeerUnavailable."""
        if name not in self._peers:
            self._peers[name] = self._opened.enter_context(make(self.bootstrap_servers))
        return self._peers[name]

    def prepared(self, made: MadeCsv) -> Prepared:
        """Return the rows of an object as files, written at their first use."""
        if made.key not in self._prepared:
            folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory()))
            csv = b"".join(bytes(span) for span in Cursor(made).spans(0, made.size_bytes))
            self._prepared[made.key] = prepare(csv, folder)
        return self._prepared[made.key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
