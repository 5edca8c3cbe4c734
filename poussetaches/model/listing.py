"""Pages of the queue's lists, for people: cheap, bounded, changing nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.queue import Entry, TaskQueue
from poussetaches.model.task import State, Task

#: A page ends after the task that brings its specs and errors to this many bytes.
PAGE_BYTES = 4 * 1024 * 1024

#: Position of a task in a list: its eta, its order.
Position = tuple[float, int]


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
    tasks, total = _list(queue, which)
    chosen: list[Task] = []
    size = 0
    for task in tasks:
        if after is not None and (task.eta, task.order) <= after:
            continue
        if len(chosen) == limit or size > PAGE_BYTES:
            last = chosen[-1]
            return Page(chosen, total, (last.eta, last.order))
        chosen.append(task)
        size += len(task.spec) + len(task.error or b"")
    return Page(chosen, total, None)


def oldest_due(queue: TaskQueue, now: float) -> Task | None:
    """The task that has been due for the longest time and is not in flight."""
    task = queue.next_waiting()
    return task if task is not None and task.eta <= now else None


def _list(queue: TaskQueue, which: str) -> tuple[Iterable[Task], int]:
    if which == "waiting":
        leased = sorted(queue.leased.values(), key=_position)
        waiting = _waiting_in_order(queue)
        return heapq.merge(leased, waiting, key=_position), len(queue.tasks)
    if which == "success":
        return sorted(queue.succeeded.values(), key=_position), len(queue.succeeded)
    if which == "dead":
        return sorted(queue.dead.values(), key=_position), len(queue.dead)
    if which == "cron":
        runs = [queue.tasks[id] for id in queue.schedules if id in queue.tasks]
        return sorted(runs, key=_position), len(runs)
    raise InvalidInput(f"there is no list {which!r}")


def _position(task: Task) -> Position:
    return (task.eta, task.order)


def _waiting_in_order(queue: TaskQueue) -> Iterator[Task]:
    """The waiting tasks by eta, as far as somebody asks, from a heap left as it is.

    A heap's smallest entry is at its root, and each entry is not greater than its two
    children: so the next smallest is always among the children of those seen so far.
    """
    entries = queue.entries()
    frontier: list[tuple[Entry, int]] = [(entries[0], 0)] if entries else []
    while frontier:
        (_, order, task), index = heapq.heappop(frontier)
        if task.order == order and task.state is State.WAITING:
            yield task
        for child in (2 * index + 1, 2 * index + 2):
            if child < len(entries):
                heapq.heappush(frontier, (entries[child], child))
