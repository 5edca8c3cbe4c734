"""A task by its id, whatever has become of it."""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.errors import Conflict, NotFound
from poussetaches.model.expiries import expires_at
from poussetaches.model.groups import group_of
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State, Task

#: What a sentence says of a task.
IN_WORDS: Mapping[State, str] = {
    State.WAITING: "waits",
    State.LEASED: "is in flight",
    State.SUCCEEDED: "has succeeded",
    State.DEAD: "is dead",
    State.EXPIRED: "has expired",
    State.CANCELLED: "was cancelled",
}


def find(queue: TaskQueue, id: str) -> Task:
    """The live task of that id, or the last one that is remembered. Raises NotFound."""
    for tasks in (queue.tasks, queue.dead, queue.expired, queue.succeeded):
        if id in tasks:
            return tasks[id]
    raise NotFound(
        f"There is no task {id:.50}: there never was, or it is not remembered any more."
    )


def find_live(queue: TaskQueue, id: str) -> Task:
    """The same; raises Conflict for one that has ended."""
    task = find(queue, id)
    if id not in queue.tasks:
        raise Conflict(f"The task {IN_WORDS[task.state]} already.")
    return task


def find_runnable(queue: TaskQueue, id: str, now: float) -> Task:
    """The same; raises Conflict for one that may not begin now, whoever asks for it:
    what keeps it is more than a limit."""
    task = find(queue, id)
    if task.state is State.DEAD:
        raise Conflict("The task is dead: `retry` brings it back.")
    task = find_live(queue, id)
    if task.state is not State.WAITING:
        raise Conflict("An attempt at the task is under way.")
    if task.schedule:
        raise Conflict(
            "The task is a run of a schedule: POST /schedule/<id>/run runs that once"
            " more."
        )
    if expires_at(task) <= now + queue.skew:
        raise Conflict("The task has expired: nobody wants it any more.")
    head = queue.turns.groups.head(group_of(task.terms)) or task
    if head is not task:
        raise Conflict(f"Task {head.id} of its group comes first.")
    return task


def find_replaceable(queue: TaskQueue, id: str) -> Task:
    """The same; raises Conflict for one that waits no more, or not for itself alone."""
    task = find_live(queue, id)
    if task.schedule:
        raise Conflict("The task is a run of a schedule: change that one.")
    if task.state is not State.WAITING:
        raise Conflict("An attempt at the task is under way.")
    return task
