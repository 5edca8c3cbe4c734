"""Pages of the queue's lists, for people: cheap, bounded, changing nothing."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State, Task
from poussetaches.model.turns import Entry

#: A page ends after the task that brings its specs and errors to this many bytes.
PAGE_BYTES = 1024 * 1024

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
    tasks = _tasks(queue, which)
    chosen: list[Task] = []
    size = 0
    for task in _in_order(queue, which, tasks, limit + 1, after):
        if len(chosen) == limit or size > PAGE_BYTES:
            return Page(chosen, len(tasks), _position(chosen[-1]))
        chosen.append(task)
        size += len(task.spec) + len(task.error or b"")
    return Page(chosen, len(tasks), None)


def oldest_due(queue: TaskQueue, now: float) -> Task | None:
    """The task that has been due for the longest time and is not in flight."""
    task = queue.next_waiting()
    return task if task is not None and task.eta <= now else None


def _tasks(queue: TaskQueue, which: str) -> Collection[Task]:
    if which == "waiting":
        return queue.tasks.values()
    if which == "success":
        return queue.succeeded.values()
    if which == "dead":
        return queue.dead.values()
    if which == "cron":
        return [queue.tasks[id] for id in queue.schedules if id in queue.tasks]
    raise InvalidInput(f"there is no list {which!r}")


def _in_order(
    queue: TaskQueue,
    which: str,
    tasks: Collection[Task],
    most: int,
    after: Position | None,
) -> Iterable[Task]:
    """The first ``most`` (or more) of ``tasks`` that are beyond ``after``."""
    if which == "waiting" and after is None:
        # What people look at most, again and again: it costs the same at any length.
        leased = sorted(queue.leased.values(), key=_position)
        return heapq.merge(leased, _waiting_in_order(queue), key=_position)
    beyond = (task for task in tasks if after is None or _position(task) > after)
    return heapq.nsmallest(most, beyond, key=_position)


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
