"""A task's times, from the timeline of its queue to the wall clock and back.

Outside of its queue a task has nothing but the wall clock: another queue's timeline may
stand elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

from poussetaches.errors import InvalidInput
from poussetaches.model.decisions import Policy
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import slots_ahead
from poussetaches.model.task import Task


def to_wall(task: Task, queue: TaskQueue, policy: Policy) -> Task:
    """A task of ``queue`` as the wall clock has it now."""
    return _moved(task, queue.skew, _slots_behind(task, queue, policy))


def to_timeline(task: Task, queue: TaskQueue, policy: Policy) -> Task:
    """A task with times of the wall clock as ``queue`` would have it."""
    return _moved(task, -queue.skew, -_slots_behind(task, queue, policy))


def _slots_behind(task: Task, queue: TaskQueue, policy: Policy) -> float:
    """What its slot lacks to the wall clock."""
    if not task.schedule:
        return 0.0
    try:
        return queue.skew - slots_ahead(queue, task.schedule, policy.rules)
    except InvalidInput:
        # It was readable once, and only rules of fields have ever ceased to be.
        return 0.0


def _moved(task: Task, seconds: float, slot_seconds: float) -> Task:
    if not seconds:
        return task
    return replace(
        task,
        slot=task.slot + slot_seconds,
        eta=task.eta + seconds,
        last_run_at=task.last_run_at + seconds if task.last_run_at else 0.0,
        begun_at=task.begun_at + seconds if task.begun_at else 0.0,
    )
