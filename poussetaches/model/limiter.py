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
    """Counts from a moment on, as sums of many small intervals would go astray: at
    1000/s each is rounded by a ten thousandth of itself, which is 6000 attempts a day.
    So no moment is off by more than the timeline is coarse, a quarter of a microsecond.
    """

    __slots__ = ("_burst", "_interval", "_since", "_taken")

    def __init__(self, rate: Rate, burst: int, spent_until: float = 0.0) -> None:
        self._interval = rate.interval
        self._burst = burst
        #: The last moment at which nothing was spent, and what has begun since.
        self._since = spent_until
        self._taken = 0

    @property
    def spent_until(self) -> float:
        """When all that has begun would have been spread evenly, on the timeline."""
        return self._since + self._taken * self._interval

    @property
    def opens_at(self) -> float:
        """When the next attempt may begin, on the timeline."""
        return self._since + (self._taken - self._burst + 1) * self._interval

    def take(self, now: float) -> None:
        """An attempt began."""
        if now > self.spent_until:
            self._since, self._taken = now, 0
        self._taken += 1

    def become(self, rate: Rate, burst: int, now: float) -> Limiter:
        """Another one, of which as many attempts are spent."""
        if rate.interval == self._interval:
            return Limiter(rate, burst, self.spent_until)
        spent = max(self.spent_until - now, 0.0) / self._interval
        return Limiter(rate, burst, now + spent * rate.interval)
