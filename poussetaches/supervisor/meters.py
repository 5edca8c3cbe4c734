"""The meters: how many, how long and how late, since the service started.

Kept by queue and by origin, and only of as many as a page of numbers can show. A task
costs about a microsecond here; what is asked for seldom is worked out when it is asked.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from poussetaches.model.events import (
    Cancelled,
    Died,
    Event,
    Expired,
    Leased,
    Pushed,
    QueueDropped,
    Recurred,
    Revived,
)
from poussetaches.model.histogram import Histogram
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Task

#: Queues and origins that have meters of their own; the rest of them share one.
MOST_QUEUES = 100
MOST_ORIGINS = 100
#: An origin makes room for another when nothing was sent to it for so long, seconds.
IDLE = 600.0

#: Seconds: from what an attempt takes next door to how long a task may wait.
BOUNDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0),
)

#: The windows of rates by their public names, seconds; and how exactly they end.
WINDOWS = {"1m": 60.0, "5m": 300.0}
SLOT = 5.0
_SLOTS = int(max(WINDOWS.values()) / SLOT) + 1

#: What there are rates of.
RATED = ("accepted", "attempts", "succeeded", "failed")


class QueueMeter:
    """What was counted in one queue."""

    __slots__ = (
        "_past",
        "accepted",
        "cancelled",
        "dead",
        "durations",
        "end_to_end",
        "expired",
        "lateness",
        "outcomes",
        "revived",
        "statuses",
        "turns_at",
    )

    def __init__(self) -> None:
        #: Tasks: that came, also back from the dead letters, and by what ended them;
        #: what succeeded is what an attempt has done.
        self.accepted = 0
        self.revived = 0
        self.dead = 0
        self.expired = 0
        self.cancelled = 0
        #: Attempts that ended, by what they brought ...
        self.outcomes = {
            "succeeded": 0,
            "failed": 0,
            "deferred": 0,
            "lost": 0,
            "cancelled": 0,
        }
        #: ... and by the first digit of their status; the last: no answer.
        self.statuses = [0] * 11
        #: How long attempts took, seconds.
        self.durations = Histogram(BOUNDS)
        #: From when a task was due to its success, seconds.
        self.end_to_end = Histogram(BOUNDS)
        #: From when a task was due to its first attempt, seconds.
        self.lateness = Histogram(BOUNDS)
        #: When ``turn`` is next to be called, on the timeline.
        self.turns_at = -math.inf
        #: What was counted when a slot of time began, and when it did. A slot in which
        #: nothing happened has none.
        self._past: deque[tuple[float, tuple[int, ...]]] = deque(maxlen=_SLOTS)

    def turn(self, now: float) -> None:
        """Something is to be counted for the first time in a slot of time."""
        begun_at = now // SLOT * SLOT
        self._past.append((begun_at, self._counted()))
        self.turns_at = begun_at + SLOT

    def _counted(self) -> tuple[int, ...]:
        outcomes = self.outcomes
        succeeded = outcomes["succeeded"]
        failed = outcomes["failed"] + outcomes["lost"]
        return self.accepted, sum(outcomes.values()), succeeded, failed

    def since(self, moment: float) -> Iterable[int]:
        """How many of each of RATED were counted since ``moment``, in which a slot
        began."""
        counted = self._counted()
        before = counted
        for begun_at, past in reversed(self._past):
            if begun_at < moment:
                break
            before = past
        return (now - then for now, then in zip(counted, before, strict=True))


class Tally:
    """What was counted in all queues together, also in those that are gone: none of it
    ever goes back."""

    __slots__ = ("buckets", "dead", "failed", "lost", "pushed", "succeeded")

    def __init__(self) -> None:
        #: Tasks that came, and that died.
        self.pushed = 0
        self.dead = 0
        #: Attempts that ended: well; badly, and it counts; with their worker.
        self.succeeded = 0
        self.failed = 0
        self.lost = 0
        #: All but the last, by how long they took, as in a Histogram of BOUNDS.
        self.buckets = [0] * (len(BOUNDS) + 1)

    @property
    def attempts(self) -> int:
        """All that ended."""
        return sum(self.buckets) + self.lost


class Meters(dict[str, QueueMeter]):
    """By the name of the queue; those of a queue are gone with it. ``now``: when they
    begin, on the timeline of ``queue``."""

    def __init__(self, queue: TaskQueue, now: float) -> None:
        super().__init__()
        self._queue = queue
        self._began_at = now
        self.tally = Tally()
        #: Of all queues that came when there were enough.
        self.others: QueueMeter | None = None
        #: Attempts that succeeded and that did not, by origin, and when the last one
        #: ended, on the timeline.
        self.origins: dict[str, list[float]] = {}
        #: The same of those that came when there were enough.
        self.other_origins: list[float] = [0, 0, now]
        self._idle_not_before = -math.inf
        self._counting: dict[type[Event], Callable[[Any], None]] = {
            Pushed: self._pushed,
            Recurred: self._recurred,
            Revived: self._revived,
            Leased: self._leased,
            Died: self._died,
            Expired: self._expired,
            Cancelled: self._cancelled,
            QueueDropped: self._dropped,
        }

    def __missing__(self, name: str) -> QueueMeter:
        if len(self) < MOST_QUEUES:
            meter = self[name] = QueueMeter()
            return meter
        if self.others is None:
            self.others = QueueMeter()
        return self.others

    # --- what is counted --------------------------------------------------------------

    def note(self, event: Event) -> None:
        """``event`` is about to be applied."""
        count = self._counting.get(type(event))
        if count is not None:
            count(event)

    def ended(
        self, task: Task, attempt: int, succeeded: bool, status: int, duration: float
    ) -> None:
        """An attempt at ``task`` has ended, and the task is what has become of it;
        ``duration``: seconds."""
        meter, tally = self[task.terms.queue], self.tally
        at = task.last_run_at
        if at >= meter.turns_at:
            meter.turn(at)
        meter.statuses[status // 100] += 1
        tally.buckets[meter.durations.add(duration)] += 1
        if succeeded:
            tally.succeeded += 1
            meter.outcomes["succeeded"] += 1
            # It may have been due before it was there, or be done before it was due:
            # some jump the queue.
            due_at = max(task.past[0].due_at, task.pushed_at)
            meter.end_to_end.add(max(0.0, at - due_at))
            which = 0
        else:
            # What does not count is taken back.
            if task.attempts == attempt:
                meter.outcomes["failed"] += 1
                tally.failed += 1
            else:
                meter.outcomes["deferred"] += 1
            which = 1
        counts = self.origins.get(task.terms.origin) or self._origin(task, at)
        counts[which] += 1
        counts[2] = at

    def came_to_nothing(self, task: Task, status: int, duration: float) -> None:
        """An attempt has ended whose task was cancelled meanwhile."""
        meter = self[task.terms.queue]
        meter.statuses[status // 100] += 1
        self.tally.buckets[meter.durations.add(duration)] += 1
        meter.outcomes["cancelled"] += 1

    def lost(self, task: Task) -> None:
        """An attempt has ended with its worker."""
        meter = self[task.terms.queue]
        if task.last_run_at >= meter.turns_at:
            meter.turn(task.last_run_at)
        meter.statuses[NO_ANSWER] += 1
        meter.outcomes["lost"] += 1
        self.tally.lost += 1

    def _pushed(self, event: Pushed) -> None:
        self._accepted(event.terms.queue, event.at)

    def _recurred(self, event: Recurred) -> None:
        schedule = self._queue.schedules[event.id]
        self._accepted(schedule.terms.queue, event.at)

    def _revived(self, event: Revived) -> None:
        task = self._queue.dead[event.id]
        self[task.terms.queue].revived += 1

    def _accepted(self, queue: str, at: float) -> None:
        meter = self[queue]
        if at >= meter.turns_at:
            meter.turn(at)
        meter.accepted += 1
        self.tally.pushed += 1

    def _leased(self, event: Leased) -> None:
        if event.attempt != 1:
            return
        task = self._queue.tasks[event.id]
        # One that did not count was the first one, and so was that of another life.
        if not task.past:
            due_at = max(task.eta, task.pushed_at)
            self[task.terms.queue].lateness.add(max(0.0, event.at - due_at))

    def _died(self, event: Died) -> None:
        self._meter_of(event).dead += 1
        self.tally.dead += 1

    def _expired(self, event: Expired) -> None:
        self._meter_of(event).expired += 1

    def _cancelled(self, event: Cancelled) -> None:
        self._meter_of(event).cancelled += 1

    def _meter_of(self, event: Died | Expired | Cancelled) -> QueueMeter:
        return self[self._queue.tasks[event.id].terms.queue]

    def _dropped(self, event: QueueDropped) -> None:
        self.pop(event.name, None)

    def _origin(self, task: Task, now: float) -> list[float]:
        """What is counted where ``task`` goes, which has none of its own yet."""
        if not self._has_room(now):
            return self.other_origins
        counts = self.origins[task.terms.origin] = [0, 0, now]
        return counts

    def _has_room(self, now: float) -> bool:
        """Whether another origin can have meters of its own."""
        origins = self.origins
        if len(origins) < MOST_ORIGINS:
            return True
        if now < self._idle_not_before:
            return False
        name = min(origins, key=lambda name: origins[name][2])
        idle_at = origins[name][2] + IDLE
        if idle_at > now:
            self._idle_not_before = idle_at
            return False
        del origins[name]
        return True

    # --- what is shown ----------------------------------------------------------------

    def all(self) -> Iterator[QueueMeter]:
        """Also that of the other queues."""
        yield from self.values()
        if self.others is not None:
            yield self.others

    def rates(
        self, meters: Iterable[QueueMeter], now: float
    ) -> dict[str, dict[str, float]]:
        """How many of each of RATED there were a second, all ``meters`` together, by
        window."""
        found = {}
        meters = list(meters)
        for window, seconds in WINDOWS.items():
            begun_at = math.ceil((now - seconds) / SLOT) * SLOT
            counted = [meter.since(begun_at) for meter in meters]
            # In its first minute, a service was not idle before.
            lasted = max(1.0, min(now - begun_at, now - self._began_at))
            sums = map(sum, zip(*counted, strict=True)) if counted else [0] * len(RATED)
            found[window] = {
                name: round(total / lasted, 3)
                for name, total in zip(RATED, sums, strict=True)
            }
        return found
