"""Saving in turn and beside: the same saves in the same order, never two at once, none left behind."""

from __future__ import annotations

import threading

import pytest

from processor.errors import SinkFailed, Superseded
from processor.model import Position
from processor.save_beside import beside, in_turn

BOTH = pytest.mark.parametrize("saving", [in_turn, beside], ids=["in_turn", "beside"])
SUPERSEDED = Superseded("another run owns the job", hint="")


def at(row: int) -> Position:
    return Position(row, 10 * row)


@BOTH
def test_every_save_is_made_in_order_before_the_block_ends(saving: object) -> None:
    saved: list[tuple[Position, int | None]] = []
    with saving(lambda *what: saved.append(what)) as save:  # type: ignore[operator]
        for row in range(1, 6):
            save(at(row), row + 100)
    assert saved == [(at(row), row + 100) for row in range(1, 6)]


def test_a_save_runs_while_the_caller_goes_on_and_the_next_one_waits_for_it() -> None:
    let_go, began, under_way = threading.Event(), threading.Event(), []

    def slow(position: Position, _next_offset: int | None) -> None:
        under_way.append(position.row)
        began.set()
        assert let_go.wait(10)
        under_way.remove(position.row)

    with beside(slow) as save:
        save(at(1), None)
        assert began.wait(10)
        assert under_way == [1]  # and this thread is here, not in it
        asking = threading.Thread(target=save, args=(at(2), None))
        asking.start()
        asking.join(0.05)
        assert asking.is_alive()
        assert under_way == [1]
        let_go.set()
        asking.join(10)
        assert not asking.is_alive()
    assert under_way == []


@BOTH
def test_what_a_save_raises_reaches_the_caller_at_the_latest_when_the_block_ends(saving: object) -> None:
    def refused(_position: Position, _next_offset: int | None) -> None:
        raise SUPERSEDED

    with pytest.raises(Superseded), saving(refused) as save:  # type: ignore[operator]
        save(at(1), None)


def test_a_refused_save_counts_more_than_what_ended_the_block() -> None:
    """A run that lost its lease must end with that, whatever its sink says meanwhile."""

    def refused(_position: Position, _next_offset: int | None) -> None:
        raise SUPERSEDED

    with pytest.raises(Superseded) as raised, beside(refused) as save:
        save(at(1), None)
        raise SinkFailed("fenced", hint="")
    assert isinstance(raised.value.__context__, SinkFailed)
