"""What is shown of a task: the first ancestor's words in its order, then ours."""

from __future__ import annotations

from typing import Any, NamedTuple

from poussetaches.model.task import DEFAULT_QUEUE, PLAIN, Spec, State, Terms
from poussetaches.schema.attempt import History, attempts_json, under_way_json
from poussetaches.schema.how import how_json
from poussetaches.schema.json import readable
from poussetaches.schema.mask import shown_url
from poussetaches.schema.payload import base64
from poussetaches.schema.report import report_json
from poussetaches.schema.special import special_json

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
    terms: Terms = PLAIN
    #: Where one task is shown; None: where many are.
    history: History | None = None


def task_json(task: TaskView) -> dict[str, Any]:
    """A task as the first ancestor lists it, field by field in its order; then its
    queue, its state, and what else was asked for, in the words of a push; at last what
    has become of it, where it is shown alone."""
    spec, terms = task.spec, task.terms
    shown: dict[str, Any] = {
        "id": task.id,
        "url": shown_url(spec.url),
        "payload": base64(_payload(spec)),
        "expected": spec.expected,
        "schedule": task.schedule,
        "next_scheduled_run": _nanoseconds(task.slot),
        "next_run": _nanoseconds(task.eta),
        "tries": task.attempts,
        "last_run": _nanoseconds(task.last_run_at),
        "last_error_body": base64(_text(task.error)),
        "last_error_status_code": task.error_status,
        "queue": terms.queue,
        "state": task.state,
    }
    if terms.max_retries is not None:
        shown["max_retries"] = terms.max_retries
    if terms.key:
        shown["key"] = terms.key
    shown |= how_json(spec)
    shown |= special_json(terms.special)
    if task.history is not None:
        shown |= _history_json(task, task.history)
    return shown


def push_json(spec: Spec, terms: Terms, schedule: str = "") -> dict[str, Any]:
    """What a push must say for a task of these, or for a ``schedule``; of when, only
    its eta. Secrets are masked."""
    said: dict[str, Any] = {
        "url": shown_url(spec.url),
        "payload": base64(_payload(spec)),
        **how_json(spec),
        "queue": None if terms.queue == DEFAULT_QUEUE else terms.queue,
        "expected": None if spec.expected == 200 else spec.expected,
        "max_retries": terms.max_retries,
        "key": terms.key or None,
        **special_json(terms.special),
        "schedule": schedule or None,
    }
    if "json" in said:
        del said["payload"]
    return {name: value for name, value in said.items() if value is not None}


def _history_json(task: TaskView, history: History) -> dict[str, Any]:
    attempts = [*attempts_json(history)]
    if task.state == State.LEASED.value:
        attempts.append(under_way_json(history, task.attempts, task.eta))
    how = task.spec.how
    keeps = how is not None and how.keep_result
    return {
        "pushed": history.pushed_at or None,
        "attempts": attempts,
        "attempts_dropped": history.dropped,
        "result": base64(history.result) if keeps else None,
    }


def _payload(spec: Spec) -> bytes | None:
    """What is delivered as one."""
    if spec.how is not None and spec.how.report is not None:
        return report_json(spec.how.report)
    return spec.payload


def _nanoseconds(seconds: float) -> int:
    # Split, because a float of this size has no room for nanoseconds.
    whole = int(seconds // 1)
    return whole * NANOSECONDS + round((seconds - whole) * NANOSECONDS)


def _text(data: bytes | None) -> bytes | None:
    """As valid UTF-8: the ancestor's client breaks on anything else."""
    return None if data is None else readable(data).encode()
