"""What is shown of a task: the first ancestor's words, in its order."""

from __future__ import annotations

from typing import Any, NamedTuple

from poussetaches.model.task import Spec
from poussetaches.schema.json import readable
from poussetaches.schema.payload import base64

NANOSECONDS = 1_000_000_000


class TaskView(NamedTuple):
    """A task as the supervisor shows it; times in seconds of the wall clock."""

    id: str
    spec: Spec
    schedule: str
    #: 0.0: no slot.
    slot: float
    eta: float
    attempts: int
    #: 0.0: never.
    last_run_at: float
    error: bytes | None
    error_status: int
    state: str


def task_json(task: TaskView) -> dict[str, Any]:
    """A task as the first ancestor lists it, field by field in its order."""
    spec = task.spec
    return {
        "id": task.id,
        "url": spec.url,
        "payload": base64(spec.payload),
        "expected": spec.expected,
        "schedule": task.schedule,
        "next_scheduled_run": _nanoseconds(task.slot),
        "next_run": _nanoseconds(task.eta),
        "tries": task.attempts,
        "last_run": _nanoseconds(task.last_run_at),
        "last_error_body": base64(_text(task.error)),
        "last_error_status_code": task.error_status,
    }


def _nanoseconds(seconds: float) -> int:
    # Split, because a float of this size has no room for nanoseconds.
    whole = int(seconds // 1)
    return whole * NANOSECONDS + round((seconds - whole) * NANOSECONDS)


def _text(data: bytes | None) -> bytes | None:
    """As valid UTF-8: the ancestor's client breaks on anything else."""
    return None if data is None else readable(data).encode()
