"""The supervisor's clock: nothing else in its world reads the wall clock."""

from __future__ import annotations

import time

#: Below this difference, seconds, the wall clock counts as not set.
STEP = 0.25


class Clock:
    """The queue's timeline (see ``TaskQueue``), carried on by a clock that nobody sets.

    ``skew`` is the queue's: what the wall clock was ahead of the timeline when the
    service last knew. ``not_before``: the last moment that the queue has seen. A
    machine that starts with its clock in 1970 goes on from there, and not from 1970.
    """

    def __init__(self, skew: float, *, not_before: float = 0.0) -> None:
        self._offset = max(time.time() - skew, not_before) - self._even()

    @staticmethod
    def _even() -> float:
        # Unlike the monotonic clock this one goes on while the machine is suspended: a
        # delay of an hour ends an hour later, asleep or not.
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> float:
        """This moment on the timeline, seconds."""
        return self._offset + self._even()

    def skew(self) -> float:
        """How far the wall clock is ahead of the timeline, seconds."""
        return time.time() - self.now()

    def stepped(self, skew: float) -> bool:
        """Whether the wall clock was set since it was ``skew`` ahead."""
        return abs(self.skew() - skew) > STEP
