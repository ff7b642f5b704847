"""The world between calls as one value, and the stage on which a call is played from such a value.

`World` is everything that outlives a process: the log, the coordinator, the group offset, the checkpoint item, and
who fenced last. It can be compared, and put back on the stage as often as there are calls to try from it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chaos.on_fakes import GROUP, JOB_ID
from harness.fakes import Entry, FakeCheckpointTable, FakeKey, FakePartition, GroupOffset
from harness.fakes.entries import Marker
from harness.fakes.partition import Coordinated, Producer
from harness.fakes.partition import Stage as TransactionStage

Attributes = tuple[tuple[str, int | str], ...]
Offsets = tuple[tuple[str, GroupOffset], ...]
TIMEOUT_MS = 60_000
NOBODY = 0
RUN = "run-"  # and its number: the name under which it claims
EXPIRE, SHOW_ROWS, SHOW_POSITION = "expire", "rows", "position"


class Transaction(NamedTuple):
    """What the coordinator knows under one transactional id."""

    transactional_id: str
    producer: Producer
    stage: TransactionStage
    has_records: bool
    offsets: Offsets


class Fencer(NamedTuple):
    """Which run fenced last, and whether it held the lease at that moment."""

    run: int = NOBODY
    held_lease: bool = False


class World(NamedTuple):
    """Everything that outlives a process, at one moment."""

    log: tuple[Entry, ...] = ()
    aborted: frozenset[int] = frozenset()
    undecided: tuple[tuple[int, int], ...] = ()
    offsets: Offsets = ()
    transactions: tuple[Transaction, ...] = ()
    last_producer_id: int = 0
    checkpoint: Attributes = ()
    fencer: Fencer = Fencer()

    @property
    def attributes(self) -> dict[str, int | str]:
        """The checkpoint item; empty where there is none."""
        return dict(self.checkpoint)

    def free_number(self, alive: Collection[int] = ()) -> int:
        """Return the first number that no run alive has, and none has left here.

        A run looks for its own name only, so a new one may take that of one which nothing remembers.
        """
        owner = int(str(self.attributes.get("owner", NOBODY)).removeprefix(RUN))
        number = 1
        while number in alive or number in (owner, self.fencer.run):
            number += 1
        return number

    @property
    def visible(self) -> list[tuple[int, bytes]]:
        """Offset and value of what a committed reader sees."""
        stable = min((offset for _, offset in self.undecided), default=len(self.log))
        kept = self.log[:stable]
        return [(e.offset, e.value) for e in kept if e.marker is None and e.offset not in self.aborted]

    @property
    def position(self) -> int:
        """The group offset, 0 where there is none."""
        return max((offset.offset for group, offset in self.offsets if group == GROUP), default=0)

    @property
    def is_open(self) -> bool:
        """Whether a transaction with records is undecided or half shown."""
        return any(t.has_records for t in self.transactions)

    @property
    def is_decided(self) -> bool:
        """Whether a commit is decided of which not everything shows yet."""
        return any(t.stage is TransactionStage.PREPARED_COMMIT for t in self.transactions)


class Stage:
    """The fakes that all runs share. A world is put on, a call is played, the world after it is taken off."""

    def __init__(self, csv: bytes) -> None:
        self.key = FakeKey(csv)
        self.partition = FakePartition(markers_lag=True)  # how long they lag is the schedule's choice
        self.table = FakeCheckpointTable()
        self.fencer = Fencer()

    def put_on(self, world: World) -> None:
        """Make the fakes as `world` says."""
        vars(self.partition).update(
            _log=list(world.log),
            _aborted=set(world.aborted),
            _undecided=dict(world.undecided),
            group_offsets=dict(world.offsets),
            _coordinated={
                t.transactional_id: Coordinated(t.producer, TIMEOUT_MS, t.stage, 0, t.has_records, dict(t.offsets))
                for t in world.transactions
            },
            _last_producer_id=world.last_producer_id,
        )
        vars(self.table).update(_stored={JOB_ID: world.attributes} if world.checkpoint else {}, versions=[])
        self.fencer = world.fencer

    def take_off(self) -> World:
        """Return the world as the fakes now are."""
        partition = vars(self.partition)
        return World(
            # Nobody looks at an entry's epoch again: the coordinator refused or took it when it came.
            tuple(entry._replace(producer_epoch=0) if entry.producer_epoch else entry for entry in partition["_log"]),
            frozenset(partition["_aborted"]),
            tuple(sorted(partition["_undecided"].items())),
            tuple(sorted(partition["group_offsets"].items())),
            tuple(_transaction(name, known) for name, known in sorted(partition["_coordinated"].items())),
            partition["_last_producer_id"],
            self._attributes(),
            self.fencer,
        )

    def settled(self, world: World) -> World:
        """Return the world in which every decided commit has reached its readers."""
        if not world.is_decided:
            return world
        self.put_on(world)
        self.partition.finish_commits()
        return self.take_off()

    def note_fence(self, run: int, owner: str) -> None:
        """Remember who fenced."""
        self.fencer = Fencer(run, dict(self._attributes()).get("owner") == owner)

    def act(self, event: str) -> None:
        """Let the cluster do what it does on its own; see `events_of`."""
        partition = self.partition
        if event == EXPIRE:
            partition.clock_ms = TIMEOUT_MS
            partition.expire_transactions()
            partition.clock_ms = 0
            return
        for known in vars(partition)["_coordinated"].values():
            if known.stage is TransactionStage.PREPARED_COMMIT:
                _show(partition, known, event)

    def _attributes(self) -> Attributes:
        stored = self.table.get(JOB_ID) or {}
        # What an error said is for people: two worlds that differ in nothing else are one.
        return tuple(sorted((name, "why" if name == "error" else value) for name, value in stored.items()))


def events_of(world: World) -> list[str]:
    """Return what the cluster may do by itself: a commit's markers, which arrive in either order, and a timeout."""
    events: list[str] = []
    for transaction in world.transactions:
        if transaction.stage is TransactionStage.ONGOING:
            events.append(EXPIRE)
        elif transaction.stage is TransactionStage.PREPARED_COMMIT:
            events += [SHOW_ROWS] if transaction.has_records else []
            events += [SHOW_POSITION] if transaction.offsets else []
    return events


def _show(partition: FakePartition, known: Coordinated, event: str) -> None:
    """Deliver one of a commit's two markers; the second one settles the transaction."""
    if (event == SHOW_ROWS and not known.offsets) or (event == SHOW_POSITION and not known.has_records):
        partition.finish_commits()
    elif event == SHOW_ROWS:
        partition._mark_records(known, Marker.COMMIT)  # noqa: SLF001  # the fake itself writes both markers at once
    else:
        partition.group_offsets.update(known.offsets)
        known.offsets = {}


def _transaction(name: str, known: Coordinated) -> Transaction:
    return Transaction(name, known.producer, known.stage, known.has_records, tuple(sorted(known.offsets.items())))
