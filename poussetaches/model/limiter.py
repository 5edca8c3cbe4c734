"""The limiter: when the next attempt of a queue with a rate may begin.

The generic cell rate algorithm (ITU-T I.371), which is a token bucket in one number: in
any window of ``t`` seconds no more than ``burst + t * rate`` attempts begin. Pure, and
told of every attempt by the events, so that a restart begins no second burst.
"""

from __future__ import annotations

from typing import NamedTuple

#: Seconds of each unit of a rate.
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Rate(NamedTuple):
    """So many attempts in a unit of time, evenly spread."""

    #: More than 0; need not be whole.
    attempts: float
    #: A key of UNITS.
    unit: str

    @property
    def interval(self) -> float:
        """Seconds from one attempt to the next."""
        return UNITS[self.unit] / self.attempts

    def __str__(self) -> str:
        attempts = f"{self.attempts:.6f}".rstrip("0").rstrip(".")
        return f"{attempts}/{self.unit}"


class Limiter:
    """``interval``: seconds; ``burst``: attempts."""

    __slots__ = ("_interval", "_slack", "spent_until")

    def __init__(self, rate: Rate, burst: int, spent_until: float = 0.0) -> None:
        self._interval = rate.interval
        self._slack = (burst - 1) * rate.interval
        #: When all that has begun would have been spread evenly, on the timeline.
        self.spent_until = spent_until

    @property
    def opens_at(self) -> float:
        """When the next attempt may begin, on the timeline."""
        return self.spent_until - self._slack

    def take(self, now: float) -> None:
        """An attempt began."""
        self.spent_until = max(self.spent_until, now) + self._interval
