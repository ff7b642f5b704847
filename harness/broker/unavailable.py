"""The one error that says: this broker, or this fault, cannot be had on this machine."""

from __future__ import annotations


class BrokerUnavailable(Exception):  # a state of the machine rather than a mistake
    """Why a broker cannot run here, or cannot do what was asked of it; the text follows `NOT RUN: <what>,`."""
