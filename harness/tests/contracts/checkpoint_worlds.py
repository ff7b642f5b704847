"""The worlds of a checkpoint: a table, and what other runs, operators and the network do to it. The fake's half."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from harness.fakes import FakeCheckpoints, FakeCheckpointTable, Fault, Faults
from processor.ports import Checkpoints

Attributes = Mapping[str, int | str]
JOB = "rows.csv-0a1b2c3d"


class CheckpointWorld(ABC):
    """A table without the job. `run(owner)` is a new run of the job each time."""

    @abstractmethod
    def run(self, owner: str) -> Checkpoints:
        """Make one run's view of the job."""

    @abstractmethod
    def run_that_loses(self, owner: str, *, answer: str) -> tuple[Checkpoints, Callable[[], None]]:
        """Make a run, and the act that makes its next request `answer` take effect with the answer lost.

        `answer` is an operation of DynamoDB; the client sends the request again.
        """

    @property
    @abstractmethod
    def answers_lost(self) -> int:
        """How many answers were lost so far: a fault that missed proves nothing."""

    @abstractmethod
    def run_raced(self, owner: str, *, before: str, nth: int, rival: Callable[[], object]) -> Checkpoints:
        """Make a run; `rival` acts just before its nth request of the operation `before` is sent."""

    @abstractmethod
    def unreachable(self) -> Checkpoints:
        """Return a run whose table does not answer."""

    @abstractmethod
    def without_table(self) -> Checkpoints:
        """Return a run whose table does not exist."""

    @abstractmethod
    def stored(self) -> Attributes | None:
        """Return the job's attributes as they are stored, numbers as int and strings as str."""

    @abstractmethod
    def put(self, attributes: Attributes) -> None:
        """Store these attributes for the job without any condition."""

    @abstractmethod
    def delete(self) -> None:
        """Delete the job's item."""


class FakeCheckpointWorld(CheckpointWorld):
    """In memory."""

    def __init__(self) -> None:
        self.table = FakeCheckpointTable()
        self._struck: list[Fault] = []

    def run(self, owner: str) -> Checkpoints:
        return self._run(owner, Faults())

    def run_that_loses(self, owner: str, *, answer: str) -> tuple[Checkpoints, Callable[[], None]]:
        call = {"UpdateItem": "table.update_item"}[answer]
        faults = Faults()
        self._struck = faults.struck
        return self._run(owner, faults), lambda: faults.strike_next(call, "fails after")

    @property
    def answers_lost(self) -> int:
        return len(self._struck)

    def run_raced(self, owner: str, *, before: str, nth: int, rival: Callable[[], object]) -> Checkpoints:
        faults = Faults()
        faults.before({"UpdateItem": "table.update_item", "GetItem": "table.get_item"}[before], nth, rival)
        return self._run(owner, faults)

    def unreachable(self) -> Checkpoints:
        self.table.reachable = False
        return self.run("me")

    def without_table(self) -> Checkpoints:
        self.table.exists = False
        return self.run("me")

    def stored(self) -> Attributes | None:
        return self.table.get(JOB)

    def put(self, attributes: Attributes) -> None:
        self.table.put(JOB, {"job_id": JOB, **attributes})

    def delete(self) -> None:
        self.table.delete(JOB)

    def _run(self, owner: str, faults: Faults) -> Checkpoints:
        return FakeCheckpoints(self.table, job_id=JOB, owner=owner, faults=faults)
