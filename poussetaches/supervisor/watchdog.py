"""The watchdog of the supervisor's loop: it shows where the loop is held up.

It ends nothing. A disk that takes a minute for a sync holds the loop up as well as a
bug does, and a restart would help neither the disk nor those who wait for it. Whether
the service has to go is for the service manager to say (see ``systemd.py``).
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import time

from poussetaches.log import fields

log = logging.getLogger(__name__)

NEVER = float("inf")


class Watchdog:
    """An alarm that the loop puts off with each turn, ``with`` it in the main thread.

    When the alarm comes, faulthandler writes all stacks to standard error: C code, that
    needs no turn of an interpreter which hangs. What they are is told by a line of ours
    as soon as the loop turns again.

    ``limit``: how long a turn may take, seconds.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        #: By how much the alarm is set too late.
        self._slack = limit / 10
        #: All moments are monotonic seconds. This one: when the alarm comes.
        self._alarm_at = 0.0
        #: Until when the loop has meant to sleep.
        self._until = NEVER
        self._woke_at = self._since = time.monotonic()
        #: What it is at since then, and what has taken longest in this turn.
        self._deed = self._longest_deed = "start"
        self._longest = 0.0

    def __enter__(self) -> None:
        faulthandler.register(signal.SIGALRM)
        self._woke_at = self._since = time.monotonic()
        self._put_off(self._since, self._since)

    def __exit__(self, *exc_info: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        faulthandler.unregister(signal.SIGALRM)

    def woke(self) -> None:
        """A turn begins."""
        now = time.monotonic()
        if now - self._until > self._limit:
            # Nobody let the process run: it, its container or its machine was stopped.
            self._tell("the loop was not woken in time", now, now - self._until)
        self._woke_at = self._since = now
        self._deed = "messages"
        self._longest = 0.0

    def at(self, deed: str) -> None:
        """The loop is at ``deed`` from now on."""
        now = time.monotonic()
        took = now - self._since
        if took > self._longest:
            self._longest, self._longest_deed = took, self._deed
        self._deed, self._since = deed, now

    def rest(self, until: float) -> None:
        """The turn is over; the loop sleeps until then at most."""
        self.at("rest")
        now = self._since
        if now - self._woke_at > self._limit:
            self._tell(
                "the loop was held up",
                now,
                now - self._woke_at,
                longest=self._longest_deed,
                took=round(self._longest, 1),
            )
        self._until = until = max(now, until)
        # It may be late, so that most turns need not set it, but not by much.
        if not self._limit <= self._alarm_at - until <= 2 * self._limit:
            self._put_off(now, until)

    def _put_off(self, now: float, until: float) -> None:
        if until == NEVER:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            self._alarm_at = 0.0
            return
        self._alarm_at = until + self._limit + self._slack
        signal.setitimer(signal.ITIMER_REAL, self._alarm_at - now)

    def _tell(self, what: str, now: float, seconds: float, **more: object) -> None:
        shown = 0.0 < self._alarm_at <= now
        log.warning(
            f"{what}: its stacks are above" if shown else what,
            extra=fields(seconds=round(seconds, 1), **more),
        )
