"""What is started and closed: as a context manager it is up inside, and nothing of it is left behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Startable(ABC):
    """Starts on entry, closes at the end, and closes too where the start failed."""

    @abstractmethod
    def start(self) -> None:
        """Return once it serves."""

    @abstractmethod
    def close(self) -> None:
        """End it for good. May be called again."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
