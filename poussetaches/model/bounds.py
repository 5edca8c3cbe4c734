"""Bounds: how much the queue may hold, and which dead letters it keeps.

Pure, as the decisions: from the queue and the moment to a sentence, or to events.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from poussetaches.model.events import (
    Cancelled,
    Event,
    Forgotten,
    Pushed,
    Recurred,
    Revived,
)
from poussetaches.model.queue import TaskQueue

#: The most dead letters that are forgotten in one record.
FORGOTTEN_AT_ONCE = 500

#: By how many each makes the live tasks more.
_GROWTH: dict[type[Event], int] = {Pushed: 1, Recurred: 1, Revived: 1, Cancelled: -1}


class Bounds(NamedTuple):
    """``None``: there is no such bound."""

    #: Live tasks.
    max_tasks: int | None = None
    #: What all tasks and keys may take in memory, bytes.
    max_memory: int | None = None
    #: How many dead letters are kept, and for how long, seconds.
    retain_dead: int | None = None
    retain_dead_for: float | None = None


UNBOUNDED = Bounds()


def fullness(queue: TaskQueue, bounds: Bounds, *, further: int = 1) -> str | None:
    """Why no ``further`` tasks can be accepted now; None if they can."""
    if bounds.max_tasks is not None and len(queue.tasks) + further > bounds.max_tasks:
        more = f"{further} " if further > 1 else ""
        return f"{len(queue.tasks)} tasks wait, and max_tasks allows no {more}more"
    if bounds.max_memory is not None and queue.memory >= bounds.max_memory:
        return (
            f"tasks fill {queue.memory // 1024**2} MiB of memory, dead letters and "
            "keys included, and max_memory allows no more"
        )
    return None


def growth(events: Iterable[Event]) -> int:
    """How many live tasks there are more after ``events``."""
    return sum(_GROWTH.get(type(event), 0) for event in events)


def fullness_for(
    queue: TaskQueue, bounds: Bounds, events: Sequence[Event]
) -> str | None:
    """Why ``events``, of which more tasks come, cannot happen; None if they can."""
    if any(isinstance(event, Revived | Forgotten) for event in events):
        # What comes back takes no more memory than it did when it was dead.
        bounds = bounds._replace(max_memory=None)
    return fullness(queue, bounds, further=growth(events))


def forget(queue: TaskQueue, bounds: Bounds, now: float) -> list[Event]:
    """Drop the dead letters that need not be kept any more, the oldest first."""
    if forget_at(queue, bounds) > now:
        return []
    surplus = _surplus(queue, bounds)
    events: list[Event] = []
    for number, task in enumerate(islice(queue.dead.values(), FORGOTTEN_AT_ONCE)):
        if number >= surplus and task.last_run_at + _longest(bounds) > now:
            break
        events.append(Forgotten(task.id, now))
    return events


def forget_at(queue: TaskQueue, bounds: Bounds) -> float:
    """When ``forget`` has something to do, on the queue's timeline."""
    if not queue.dead:
        return math.inf
    if _surplus(queue, bounds) > 0:
        return -math.inf
    oldest = next(iter(queue.dead.values()))
    return oldest.last_run_at + _longest(bounds)


def _surplus(queue: TaskQueue, bounds: Bounds) -> int:
    most = bounds.retain_dead
    return 0 if most is None else len(queue.dead) - most


def _longest(bounds: Bounds) -> float:
    longest = bounds.retain_dead_for
    return math.inf if longest is None else longest
