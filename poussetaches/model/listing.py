"""The queue's lists, for people: a slice at a time, so that no look at a million tasks
keeps the deliveries waiting. Changes nothing.

A list is named by what its tasks are: by the value of their State, or "runs" for the
next runs of schedules. Lists are read together in one order, that of their tasks'
positions; a task keeps its own for as long as it waits for the same moment, begins and
ends. So whoever goes on from slice to slice sees every task that stays, and none twice
that does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.filter import ALL, Filter
from poussetaches.model.line import Position, position
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Task

#: A slice ends after the task that brings its specs and errors, or the errors that were
#: searched, to this many bytes, or after so many were looked at: a millisecond or so.
SLICE_BYTES = 256 * 1024
SLICE_TASKS = 1000

LIVE = ("waiting", "leased")
RUNS = "runs"
#: The names of all lists.
LISTS = (*LIVE, "succeeded", "dead", "expired", RUNS)


class Slice(NamedTuple):
    """Some tasks of lists, in order of their eta."""

    tasks: list[Task]
    #: Where the next one begins; None: this is the last.
    cursor: Position | None


def tasks(
    queue: TaskQueue,
    lists: Collection[str],
    *,
    limit: int,
    after: Position | None,
    filter: Filter = ALL,
    fits: Callable[[Task], bool] | None = None,
) -> Slice:
    """Those of ``lists`` whose position is beyond ``after`` and that fit (None: all
    do): ``limit`` at most, and not more than are found with little trouble.

    ``fits`` says what ``filter`` does (see ``Filter.test``). Raises InvalidInput for a
    list that does not exist.
    """
    most = SLICE_TASKS if fits is not None else min(limit, SLICE_TASKS)
    return cut(_beyond(queue, lists, filter, after, most + 1), limit, filter, fits)


def cut(
    beyond: Iterable[Task],
    limit: int,
    filter: Filter,
    fits: Callable[[Task], bool] | None,
) -> Slice:
    """A slice of what stands ``beyond`` the one before."""
    chosen: list[Task] = []
    size = 0
    last: Position | None = None
    for looked_at, task in enumerate(beyond):
        if len(chosen) == limit or size > SLICE_BYTES or looked_at == SLICE_TASKS:
            return Slice(chosen, last)
        last = filter.position(task)
        if fits is None or fits(task):
            chosen.append(task)
            size += len(task.spec) + len(task.error or b"")
        else:
            size += filter.weight(task)
    return Slice(chosen, None)


class Count(NamedTuple):
    """How many tasks of a slice fit."""

    number: int
    #: See Slice.
    cursor: Position | None


def count(
    queue: TaskQueue,
    lists: Collection[str],
    *,
    after: Position | None,
    filter: Filter,
    fits: Callable[[Task], bool],
) -> Count:
    """As ``tasks``, but only how many."""
    number = size = 0
    last: Position | None = None
    beyond = _beyond(queue, lists, filter, after, SLICE_TASKS + 1)
    for looked_at, task in enumerate(beyond):
        if looked_at == SLICE_TASKS or size > SLICE_BYTES:
            return Count(number, last)
        last = (task.eta, task.order)
        number += fits(task)
        size += filter.weight(task)
    return Count(number, None)


def total(queue: TaskQueue, lists: Collection[str], filter: Filter) -> int | None:
    """How many tasks of ``lists`` fit ``filter``; None if that takes a search."""
    if filter.is_wide:
        return sum(_length(queue, name) for name in set(lists))
    if filter == ALL._replace(queue=filter.queue) and set(lists) <= set(LIVE):
        one = queue.turns.queues.get(filter.queue or "")
        if one is None:
            return 0
        numbers = {"waiting": one.waiting, "leased": one.in_flight}
        return sum(numbers[name] for name in set(lists))
    return None


def oldest_due(queue: TaskQueue, now: float) -> Task | None:
    """The task that has been due for the longest time and is not in flight."""
    task = queue.turns.first()
    return task if task is not None and task.eta <= now else None


def _length(queue: TaskQueue, name: str) -> int:
    lengths: dict[str, Callable[[], int]] = {
        "waiting": lambda: queue.waiting,
        "leased": lambda: len(queue.leased),
        "succeeded": lambda: len(queue.succeeded),
        "dead": lambda: len(queue.dead),
        "expired": lambda: len(queue.expired),
        RUNS: lambda: len(queue.runs),
    }
    if name not in lengths:
        raise _no_list(name)
    return lengths[name]()


def _beyond(
    queue: TaskQueue,
    lists: Collection[str],
    filter: Filter,
    after: Position | None,
    most: int,
) -> Iterable[Task]:
    """The first ``most`` (or more) of ``lists`` beyond ``after``, in order; of those
    that wait not many more than may fit ``filter``."""
    parts = [_part(queue, name, filter, after, most) for name in dict.fromkeys(lists)]
    return parts[0] if len(parts) == 1 else heapq.merge(*parts, key=position)


def _part(
    queue: TaskQueue, name: str, filter: Filter, after: Position | None, most: int
) -> Iterable[Task]:
    if name == "waiting":
        return queue.turns.beyond(after, most, queue=filter.queue, origin=filter.origin)
    if name == "leased":
        held = queue.leased.values()
        return sorted(
            (t for t in held if after is None or position(t) > after), key=position
        )
    if name == "succeeded":
        return queue.succeeded.beyond(after)
    if name == "dead":
        return queue.dead.beyond(after)
    if name == "expired":
        return queue.expired.beyond(after)
    if name == RUNS:
        return queue.runs.beyond(after)
    raise _no_list(name)


def _no_list(name: str) -> InvalidInput:
    return InvalidInput(f"there is no list {name!r:.50}")
