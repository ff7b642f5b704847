"""How another value format is plugged in: an entry point of the group `csv_to_kafka.encoders`.

The entry point's name is what `--format` takes; what it names is called once with the header and returns the function
that encodes rows::

    def make(names: tuple[str, ...]) -> Encode

Both have to be pure: the same rows give the same bytes, in every process, on every day, whatever other rows are given
with them. A run that goes on after a death may find rows in the partition and has to recognise them by their bytes, and
so has `verify`; how many rows are given in one call depends on the chunks in which S3 answers. A job keeps the name of
its format, not the code behind it: an encoder that changes its bytes needs a new name.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Protocol

from processor.errors import BadSetting, NeedsPerson

GROUP = "csv_to_kafka.encoders"


class Unencodable(ValueError):
    """Raised by an encoder for the first row, by its index in the call, that has no encoding: a bad row, with why."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index
        self.why = why


class Encode(Protocol):
    """Turns rows into Kafka values."""

    def __call__(self, rows: Sequence[Sequence[str]]) -> Sequence[bytes]:
        """Return one value for each row; a row is its cells, as many as there are names. Raises Unencodable."""


class MakeEncode(Protocol):
    """What an entry point names."""

    def __call__(self, names: tuple[str, ...]) -> Encode:
        """Return the encoder for rows with these columns. Raises ValueError for columns that it cannot take."""


def installed() -> tuple[str, ...]:
    """Return the names of the encoders that are installed, without importing them."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def find_encoder(name: str) -> MakeEncode:
    """Return the encoder of this name, its failures translated. Raises BadSetting where there is not just one."""
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if len(found) != 1:
        several = f"{len(found)} encoders are called {name!r}: {', '.join(found)}"
        raise BadSetting(
            f"--format: {several if found else f'no encoder is called {name!r}'}",
            hint=f"install one package with that name in the entry points {GROUP}",
        )
    (point,) = found.values()
    try:
        make = point.load()
    except Exception as error:
        raise BadSetting(
            f"--format: the encoder {point.value} cannot be imported: {error!r}", hint="mend it, or what it needs"
        ) from error

    def made(names: tuple[str, ...]) -> Encode:
        try:
            encode = make(names)
        except Exception as error:
            raise _failed(point.value, repr(error)) from error
        return _checked(encode, point.value)

    return made


def _checked(encode: Encode, where: str) -> Encode:
    """Hold an encoder to its contract: one value of type bytes for each row."""

    def checked(rows: Sequence[Sequence[str]]) -> list[bytes]:
        try:
            values = list(encode(rows))
        except Unencodable as why:
            if not 0 <= why.index < len(rows):
                raise _failed(where, f"of {len(rows)} rows it cannot encode number {why.index}") from why
            raise
        except Exception as error:
            raise _failed(where, repr(error)) from error
        if len(values) != len(rows) or any(type(value) is not bytes for value in values):
            raise _failed(where, f"it made {len(values)} values of {len(rows)} rows, or values that are no bytes")
        return values

    return checked


def _failed(where: str, why: str) -> NeedsPerson:
    return NeedsPerson(f"the encoder {where} failed: {why}", hint="mend the encoder; the rows before are committed")
