"""The size: what a task takes in memory, an estimate."""

from __future__ import annotations

from poussetaches.model.task import Task

#: What a task takes beside its spec and its error, bytes: measured, with its places in
#: the lists.
TASK_SIZE = 400
#: What one takes beyond that which asked for something special, bytes: measured.
SPECIAL_SIZE = 400


def size_of(task: Task) -> int:
    """Bytes."""
    size = TASK_SIZE + len(task.spec) + len(task.error or b"")
    return size if task.terms.special is None else size + SPECIAL_SIZE
