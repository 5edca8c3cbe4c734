"""A task by its id, whatever has become of it."""

from __future__ import annotations

from poussetaches.errors import Conflict, NotFound
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State, Task


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
        raise Conflict(f"The task has ended already, as {task.state.value}.")
    return task


def find_replaceable(queue: TaskQueue, id: str) -> Task:
    """The same; raises Conflict for one that waits no more, or not for itself alone."""
    task = find_live(queue, id)
    if task.schedule:
        raise Conflict("The task is a run of a schedule: change that one.")
    if task.state is not State.WAITING:
        raise Conflict("An attempt at the task is under way.")
    return task
