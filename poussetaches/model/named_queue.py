"""A queue: tasks with a name in common, and with limits, retries and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from poussetaches.model.lane import Lane
from poussetaches.model.limiter import Limiter
from poussetaches.model.line import Line
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import DEFAULT_QUEUE, Task

#: The part of all slots that one origin alone gets is one of so many. The more there
#: are, the less one that hangs takes from the others; but together they are also what a
#: worker may have under way.
SHARES = 8
REST = SHARES - 1


class QueueRow(NamedTuple):
    """A queue as a dump holds it."""

    name: str
    #: See Queue.
    configured: Mapping[str, Any] | None
    changed: Mapping[str, Any]
    #: See Limiter.
    spent_until: float


class Queue:
    """Its lanes stand in lines by how many attempts are in flight to their origins,
    because equally many may or may not go on together. Of so different numbers there
    are few: less than the root of twice the slots. None of the lines is ever empty."""

    __slots__ = (
        "changed",
        "configured",
        "in_flight",
        "is_limited",
        "limiter",
        "lines",
        "name",
        "settings",
        "turn",
        "waiting",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        #: What its section in the configuration says; None: it has none.
        self.configured: Mapping[str, Any] | None = None
        #: What was said while running, which wins.
        self.changed: Mapping[str, Any] = {}
        #: Both together.
        self.settings = QueueSettings()
        self.limiter: Limiter | None = None
        #: Whether they let an attempt begin at some times only (see ``opens_at``).
        self.is_limited = False
        #: Tasks that wait, and attempts under way.
        self.waiting = 0
        self.in_flight = 0
        #: When its next turn among all queues is, counted in turns.
        self.turn = 0.0
        self.lines: dict[int, Line[Lane]] = {}

    def set(
        self,
        configured: Mapping[str, Any] | None,
        changed: Mapping[str, Any],
        now: float,
    ) -> None:
        """Its settings are these from now on; what its rate has let begin is not
        forgotten. Raises what QueueSettings does."""
        settings = QueueSettings.from_wire({**(configured or {}), **changed})
        self.configured, self.changed = configured, changed
        self.settings = settings
        if settings.rate is None:
            self.limiter = None
        elif self.limiter is None:
            self.limiter = Limiter(settings.rate, settings.burst)
        else:
            self.limiter = self.limiter.become(settings.rate, settings.burst, now)
        self.is_limited = (
            settings.paused
            or settings.concurrency is not None
            or self.limiter is not None
        )

    def resume(self, spent_until: float) -> None:
        """What its rate has let begin is what it was."""
        rate = self.settings.rate
        if rate is not None:
            self.limiter = Limiter(rate, self.settings.burst, spent_until)

    @property
    def row(self) -> QueueRow:
        """It as a dump holds it."""
        return QueueRow(self.name, self.configured, self.changed, self.spent_until)

    @property
    def is_set(self) -> bool:
        """Whether anything was said of it, in the configuration or while running."""
        return self.configured is not None or bool(self.changed)

    @property
    def is_known(self) -> bool:
        """Whether tasks may be pushed to it: it was not only left over by those that
        were, when its section in the configuration went."""
        return self.is_set or self.name == DEFAULT_QUEUE

    @property
    def spent_until(self) -> float:
        """See Limiter; 0.0 without a rate."""
        return 0.0 if self.limiter is None else self.limiter.spent_until

    @property
    def opens_at(self) -> float:
        """When its limits let an attempt begin, on the timeline; infinity: not before
        something else has happened."""
        settings = self.settings
        if settings.paused or (
            settings.concurrency is not None and self.in_flight >= settings.concurrency
        ):
            return math.inf
        return -math.inf if self.limiter is None else self.limiter.opens_at

    def first(self, free: float) -> Task | None:
        """Its next task, due or not, while so many slots are free; None if none may
        have one of them. The queue's own limits do not matter here."""
        best: Lane | None = None
        for in_flight, line in self.lines.items():
            if REST * in_flight < free:
                lane = line.first()
                assert lane is not None
                if (
                    best is None
                    or lane.eta < best.eta
                    or (lane.eta == best.eta and lane.order < best.order)
                ):
                    best = lane
        return None if best is None else best.first()

    def stand(self, lane: Lane, in_flight: int) -> None:
        """``lane``, in which something waits, stands where its first task says, among
        those with so many in flight."""
        first = lane.first()
        assert first is not None
        lane.eta, lane.order = first.eta, first.order
        lane.level = in_flight
        lane.stands = True
        if in_flight not in self.lines:
            self.lines[in_flight] = Line()
        self.lines[in_flight].add(lane)

    def move(self, lane: Lane, in_flight: int) -> None:
        """``lane``, which stands, may have another first task than before, and so many
        in flight now: it stands where that says."""
        line = self.lines[lane.level]
        if line.is_single and (in_flight == lane.level or in_flight not in self.lines):
            # Alone in its line, as it mostly is, it moves together with that.
            first = lane.first()
            assert first is not None
            lane.eta, lane.order = first.eta, first.order
            if in_flight != lane.level:
                self.lines[in_flight] = self.lines.pop(lane.level)
                lane.level = in_flight
            return
        self.step_down(lane)
        self.stand(lane, in_flight)

    def step_down(self, lane: Lane) -> None:
        """``lane``, which stands, does so no more."""
        line = self.lines[lane.level]
        line.remove(lane)
        if line.first() is None:
            del self.lines[lane.level]
        lane.stands = False
