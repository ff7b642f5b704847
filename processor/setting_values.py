"""What was given for a setting, as text, to its value; ValueError says what is wrong with it. Pure."""

from __future__ import annotations

import csv
import re

from processor.encoders import installed
from processor.model import SHORTEST_TRANSACTION_MS, ValueFormat
from processor.source_url import parse_url

MIB = 2**20
# Kafka's own rule for topic names; a job id becomes a group and a transactional.id, which may hold more, but a log
# line, a path and an alarm name may not.
NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
TABLE = re.compile(r"[A-Za-z0-9._:/-]{3,1024}")


def positive(text: str) -> int:
    """Return a whole number from 1 on."""
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number


def from_zero(text: str) -> int:
    """Return a whole number from 0 on."""
    number = int(text)
    if number < 0:
        raise ValueError("it must be 0 or more")
    return number


def seconds(text: str) -> float:
    """Return seconds, an hour at most."""
    found = float(text)
    if not 0 < found <= 3600:  # noqa: PLR2004  # an hour is longer than any broker's transaction.max.timeout.ms
        raise ValueError("it must be above 0 and at most 3600")
    return found


def transaction_ms(text: str) -> int:
    """Return the milliseconds of a transaction."""
    number = int(text)
    if number < SHORTEST_TRANSACTION_MS:
        raise ValueError(f"it must be {SHORTEST_TRANSACTION_MS} or more")
    return number


def table(text: str) -> str:
    """Return a table's name or ARN."""
    if not TABLE.fullmatch(text):
        raise ValueError("it is no name or ARN of a DynamoDB table")
    return text


def name(text: str) -> str:
    """Return a name for topics and jobs."""
    if not NAME.fullmatch(text):
        raise ValueError("it may hold letters, digits, '.', '_' and '-', 200 at most")
    return text


def source(text: str) -> str:
    """Return an s3:// URL."""
    parse_url(text)
    return text


def sign(text: str) -> str:
    """Return the one character."""
    found = "\t" if text == "tab" else text
    if len(found) != 1 or not found.isascii() or (found < " " and found != "\t"):
        raise ValueError("it must be one ASCII character, or `tab`")
    return found


def sign_or_none(text: str) -> str | None:
    """Return the one character, None for `none`."""
    return None if text == "none" else sign(text)


def columns(text: str) -> tuple[str, ...]:
    """Return the names, none of them for `numbered`."""
    if text == "numbered":
        return ()
    names = tuple(text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise ValueError("each name must be there, and once")
    return names


def column_names(text: str) -> tuple[str, ...]:
    """Return the names as a row of CSV gives them: one that holds a comma stands in quotes."""
    try:
        (names,) = csv.reader([text], strict=True)
    except csv.Error as error:
        raise ValueError(f"it is no row of CSV: {error}") from error
    if not names or "" in names or len(set(names)) < len(names):
        raise ValueError("each name must be there, and once")
    return tuple(names)


def column_name(text: str) -> str:
    """Return the name of a column."""
    if not text:
        raise ValueError("it must be the name of a column")
    return text


def value_format(text: str) -> str:
    """Return the name of a value format."""
    known = (*ValueFormat, *installed())
    if text not in known:
        raise ValueError(f"it is not one of {', '.join(known)}; others come with packages, see Records in the README")
    return text


def line(text: str) -> str:
    """Return one line of text."""
    if not text or "\n" in text:
        raise ValueError("it must be one line")
    return text


def servers(text: str) -> str:
    """Return host:port, several of them with commas."""
    for server in text.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not (host and colon and port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"{server!r} is not host:port")
    return ",".join(server.strip() for server in text.split(","))
