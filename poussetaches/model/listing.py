"""Pages of the queue's lists, for people: cheap, bounded, changing nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.line import Position, position
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Task

#: A page ends after the task that brings its specs and errors to this many bytes.
PAGE_BYTES = 1024 * 1024


class Page(NamedTuple):
    """Some tasks of a list, in order of their eta."""

    tasks: list[Task]
    #: How many the whole list has.
    total: int
    #: Where the next page begins; None: this is the last.
    cursor: Position | None


def page(queue: TaskQueue, which: str, *, limit: int, after: Position | None) -> Page:
    """A page of the list ``which``: the tasks whose position is beyond ``after``.

    "waiting" has every live task, in flight or not; "cron" the next runs of schedules.
    Raises InvalidInput for another ``which``.
    """
    total, beyond = _list(queue, which, limit + 1, after)
    chosen: list[Task] = []
    size = 0
    for task in islice(beyond, limit + 1):
        if len(chosen) == limit or size > PAGE_BYTES:
            return Page(chosen, total, position(chosen[-1]))
        chosen.append(task)
        size += len(task.spec) + len(task.error or b"")
    return Page(chosen, total, None)


def oldest_due(queue: TaskQueue, now: float) -> Task | None:
    """The task that has been due for the longest time and is not in flight."""
    task = queue.turns.first()
    return task if task is not None and task.eta <= now else None


def _list(
    queue: TaskQueue, which: str, most: int, after: Position | None
) -> tuple[int, Iterable[Task]]:
    """How many tasks a list has, and the first ``most`` (or more) beyond ``after``."""
    if which == "waiting":
        held = (
            t for t in queue.leased.values() if after is None or position(t) > after
        )
        leased = sorted(held, key=position)
        waiting = queue.turns.beyond(after, most)
        return len(queue.tasks), heapq.merge(leased, waiting, key=position)
    if which == "success":
        return len(queue.succeeded), queue.succeeded.beyond(after)
    if which == "dead":
        return len(queue.dead), queue.dead.beyond(after)
    if which == "expired":
        return len(queue.expired), queue.expired.beyond(after)
    if which == "cron":
        return len(queue.runs), queue.runs.beyond(after)
    raise InvalidInput(f"there is no list {which!r}")
