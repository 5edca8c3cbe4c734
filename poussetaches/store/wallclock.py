"""Times of tasks and schedules, from the timeline of their queue to the wall clock and
back.

Outside of its queue a task has nothing but the wall clock: another queue's timeline may
stand elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

from poussetaches.model.decisions import Policy
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import slots_behind
from poussetaches.model.task import Schedule, Task


def to_wall(task: Task, queue: TaskQueue, policy: Policy) -> Task:
    """A task of ``queue`` as the wall clock has it now."""
    return _moved(task, queue.skew, _slots_behind(task.schedule, queue, policy))


def to_timeline(task: Task, queue: TaskQueue, policy: Policy) -> Task:
    """A task with times of the wall clock as ``queue`` would have it."""
    return _moved(task, -queue.skew, -_slots_behind(task.schedule, queue, policy))


def schedule_to_wall(schedule: Schedule, queue: TaskQueue, policy: Policy) -> Schedule:
    """A schedule of ``queue`` as the wall clock has its last run now."""
    behind = _slots_behind(schedule.text, queue, policy)
    return _with_last(schedule, queue.skew, behind)


def schedule_to_timeline(
    schedule: Schedule, queue: TaskQueue, policy: Policy
) -> Schedule:
    """A schedule with times of the wall clock as ``queue`` would have it."""
    behind = _slots_behind(schedule.text, queue, policy)
    return _with_last(schedule, -queue.skew, -behind)


def _slots_behind(text: str, queue: TaskQueue, policy: Policy) -> float:
    """What the slots of a schedule lack to the wall clock."""
    return slots_behind(queue, text, policy.rules) if text else 0.0


def _moved(task: Task, seconds: float, slot_seconds: float) -> Task:
    if not seconds:
        return task
    return replace(
        task,
        slot=task.slot + slot_seconds,
        eta=task.eta + seconds,
        last_run_at=task.last_run_at + seconds if task.last_run_at else 0.0,
        begun_at=task.begun_at + seconds if task.begun_at else 0.0,
        pushed_at=task.pushed_at + seconds if task.pushed_at else 0.0,
        leased_at=task.leased_at + seconds if task.leased_at else 0.0,
        past=tuple([one.moved(seconds) for one in task.past]),
    )


def _with_last(schedule: Schedule, seconds: float, slot_seconds: float) -> Schedule:
    last = schedule.last
    if not seconds or last is None:
        return schedule
    moved = last._replace(slot=last.slot + slot_seconds, at=last.at + seconds)
    return replace(schedule, last=moved)
