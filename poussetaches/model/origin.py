"""The origin: scheme, host and port of targets, which have trouble and limits in
common."""

from __future__ import annotations

import math

from poussetaches.model.gate import Gate
from poussetaches.model.lane import Lane


class Origin:
    """What waits for one, and what is under way to it."""

    __slots__ = (
        "alarm_at",
        "answered_at",
        "cap",
        "gate",
        "in_flight",
        "lanes",
        "name",
        "reason",
        "rests",
        "spared",
    )

    def __init__(self, name: str, cap: int | None) -> None:
        self.name = name
        #: Attempts at once that it may ever see; None: its share of the slots.
        self.cap = cap
        #: The lanes of its tasks, by the name of their queue.
        self.lanes: dict[str, Lane] = {}
        #: Attempts under way.
        self.in_flight = 0
        #: None: it is not in trouble.
        self.gate: Gate | None = None
        #: What said last that it is away, in a few words; "": nothing has.
        self.reason = ""
        #: Its gate is shut for a while.
        self.rests = False
        #: When its gate is to be looked at again; infinity: no time is set.
        self.alarm_at = math.inf
        #: When it answered an attempt last that began after its last trouble, whatever
        #: the answer, on the timeline.
        self.answered_at = -math.inf
        #: By task, how many of its attempts in a row did not count because they were
        #: not read (see Gate).
        self.spared: dict[str, int] = {}

    @property
    def is_open(self) -> bool:
        """Whether another attempt may begin."""
        if self.cap is not None and self.in_flight >= self.cap:
            return False
        return self.gate is None or not (self.rests or self.gate.is_full)

    @property
    def is_held(self) -> bool:
        """Whether it is away, and waited for."""
        return self.gate is not None and self.gate.is_sure
