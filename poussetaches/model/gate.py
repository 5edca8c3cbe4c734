"""The gate: what keeps attempts away from a target that is in trouble.

A target that cannot be reached is *held*: nothing is begun until a pause is over, then
one attempt is, the probe. If that is answered, more and more are let through, twice as
many each round; if it is not, the pause doubles. The same where a proxy says that the
target is not there (502, 503, 504), but not before as many attempts in a row have ended
so as are under way at once: one handler that answers so must not keep all the others.
A target that has enough (429) is *slowed*: half as many at once
after a pause, then one more each round (Chiu and Jain, "Analysis of the increase and
decrease algorithms for congestion avoidance in computer networks", 1989).

A server that is stopped closes the connections that it keeps, and the system resets
those that it has not yet taken: the request was sent, and not read. That alone is no
reason to hold the target, which may only have lost one of its processes. But it spends
no attempt, some times in a row; if the target is going away, one of them finds out.

What failed because of a hold spends no attempt: a deploy of the application costs
nothing. But one task whose handler answers 503 is no target in trouble, and a target
that is gone for good must not be waited for without an end; see ``is_to_blame``.

Kept in memory only: a restart finds out anew, at the price of a few attempts that do
not count.
"""

from __future__ import annotations

import math

#: What a proxy answers when the application behind it is not there.
ABSENT = frozenset({502, 503, 504})
TOO_MANY = 429

#: Seconds: the first pause of a hold, and what doubling it leads to.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
#: The same of a target that has enough, and the longest that it may ask for on behalf
#: of all its tasks.
FIRST_REST = 1.0
LONGEST_REST = 300.0
#: How long a probe is waited for before another one is made beside it, seconds.
PATIENCE = 30.0
#: Attempts at a task in a row that do not count because they were not read: one over
#: a connection that was kept, one that was never taken, and one that met with neither.
#: A task that ends whoever takes it gets no more than these for nothing.
MOST_SPARED = 3
#: Attempts at once at which the gate is gone: more than most targets ever see.
WIDE_OPEN = 64


class Gate:
    """Of one target. All times are on the queue's timeline."""

    __slots__ = (
        "_full_since",
        "_older",
        "_pause",
        "_probes",
        "is_probed",
        "limit",
        "opens_at",
        "since",
        "slows",
    )

    def __init__(self, now: float) -> None:
        #: Since when it has been absent; None: it has answered since, or is only slow.
        self.since: float | None = None
        #: Nothing is begun before.
        self.opens_at = now
        #: How many may be under way.
        self.limit = 1.0
        #: It is a slow target, not an absent one.
        self.slows = False
        #: The attempt that ended last began after the trouble did: only such a one
        #: tells how the target is.
        self.is_probed = False
        self._pause = 0.0
        #: Those under way that began after the trouble did, by their task.
        self._probes: set[str] = set()
        #: And how many that began before. Once the target is held they do not count, as
        #: nobody knows whether they will ever end.
        self._older = 0
        self._full_since = math.inf

    @property
    def is_full(self) -> bool:
        """Whether no further attempt may begin beside those under way."""
        return self._under_way >= self.limit

    @property
    def _under_way(self) -> int:
        return len(self._probes) + self._older

    @property
    def reopens_at(self) -> float:
        """When another attempt may begin whatever becomes of those under way; infinity:
        one may now, or from ``opens_at`` on."""
        return max(self.opens_at, self._full_since + PATIENCE)

    @property
    def is_sure(self) -> bool:
        """Whether the target is absent, and waited for."""
        return self.since is not None and self._pause > 0 and self.limit < math.inf

    def hold(
        self, now: float, in_flight: int, hold_limit: float, *, unreached: bool
    ) -> None:
        """The target is not there, an attempt found beside ``in_flight`` others. It is
        waited for ``hold_limit`` seconds at most; then each of its tasks fails as any
        task does."""
        if self.slows or self.since is None:
            self.slows = False
            self.since = now
            self._pause = 0.0
            self._probes.clear()
            self._older = in_flight
            self.limit = in_flight + 1.0
            if not unreached:
                self.opens_at = now
                return
        elif now < self.opens_at or not self.is_probed:
            return  # it was under way when that was found out
        elif now - self.since > hold_limit:
            self.limit = math.inf
            return
        self.limit -= 1
        if self.limit < 1 or unreached:
            self.limit = 1.0
            self._older = 0
            self._pause = min(2 * self._pause or FIRST_PAUSE, LONGEST_PAUSE)
            self.opens_at = now + self._pause
        self._note(now)

    def slow(self, now: float, in_flight: int, asked: float) -> None:
        """The target has enough of ``in_flight`` at once, and asked to be left alone
        for so many seconds (0.0: it did not say)."""
        asked = min(asked, LONGEST_REST)
        if self.slows and now < self.opens_at:
            self.opens_at = max(self.opens_at, now + asked)
            return
        if not self.slows:
            self.slows = True
            self.since = None
            self.limit = float(max(in_flight, 1))
            self._pause = 0.0
            self._older = max(in_flight - len(self._probes), 0)
        alone = self.limit < 2.0
        self.limit = max(self.limit / 2, 1.0)
        # Fewer than one at once can only be one now and then.
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if alone else 0.0
        self._pause = max(self._pause, FIRST_REST)
        self.opens_at = now + max(self._pause, asked)
        self._note(now)

    def answer(self, now: float) -> bool:
        """The target has answered an attempt. Returns whether the gate is needed no
        more.

        What began before a hold says nothing: in a deploy a server takes no new
        requests while it finishes the old ones.
        """
        if self.slows:
            self.limit += 1 / self.limit
        elif self.is_probed or self.since is None:
            self.since = None
            self.limit += 1
            self.opens_at = min(self.opens_at, now)
        self._note(now)
        return self.since is None and self.limit >= WIDE_OPEN

    def begin(self, id: str, now: float) -> None:
        """An attempt at task ``id`` began."""
        self._probes.add(id)
        self._note(now)

    def end(self, id: str, now: float) -> None:
        """An attempt at task ``id`` has ended."""
        self.is_probed = id in self._probes
        if self.is_probed:
            self._probes.remove(id)
        elif self._older:
            self._older -= 1
        self._note(now)

    def reopen(self, now: float) -> None:
        """Those under way take too long: another one may begin beside them."""
        if self.reopens_at <= now and self.is_full:
            self.limit = self._under_way + 1.0
            self._note(now)

    def _note(self, now: float) -> None:
        if not self.is_full:
            self._full_since = math.inf
        elif self._full_since == math.inf:
            self._full_since = now


def is_absent(status: int, *, unreached: bool) -> bool:
    """Whether an attempt that ended so says that the target is not there."""
    return unreached or status in ABSENT


def is_to_blame(
    gate: Gate | None,
    answered_at: float,
    *,
    status: int,
    unreached: bool,
    failed_before: tuple[int, float],
    now: float,
    hold_limit: float,
) -> bool:
    """Whether the failure of an attempt is that of its target as a whole, and not that
    of the task: then it does not count.

    ``answered_at``: when the target answered an attempt last (see Origin);
    ``failed_before``: what the task's last failure brought, and when. ``hold_limit``:
    seconds for which a target that is absent is waited for.
    """
    if not is_absent(status, unreached=unreached) or hold_limit <= 0:
        return False
    status_before, at = failed_before
    if (
        not unreached
        and status_before in ABSENT
        and answered_at > at
        and not (gate is not None and gate.is_sure)
    ):
        return False  # its handler alone answers so: others were answered meanwhile
    return gate is None or gate.since is None or now - gate.since <= hold_limit
