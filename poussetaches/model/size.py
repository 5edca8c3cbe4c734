"""The size: what a task takes in memory, an estimate."""

from __future__ import annotations

from poussetaches.model.attempt import Attempt
from poussetaches.model.task import Task

#: What a task takes beside its spec and its error, bytes: measured, with its places in
#: the lists.
TASK_SIZE = 440
#: What one takes beyond that which asked for something special, bytes: measured.
SPECIAL_SIZE = 400
#: What an attempt that is remembered takes beside its excerpt, bytes: measured.
ATTEMPT_SIZE = 320


def size_of(task: Task) -> int:
    """Bytes."""
    size = TASK_SIZE + len(task.spec) + len(task.error or b"")
    for attempt in task.past:
        size += ATTEMPT_SIZE + len(attempt.excerpt)
    return size if task.terms.special is None else size + SPECIAL_SIZE


def size_of_attempt(attempt: Attempt) -> int:
    """Bytes."""
    return ATTEMPT_SIZE + len(attempt.excerpt)
