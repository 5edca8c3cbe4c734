"""The history of a task: its attempts are noted as they end. Called by the mutators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poussetaches.model import events
from poussetaches.model.attempt import (
    LONGEST_EXCERPT,
    MOST_REMEMBERED,
    UNKNOWN,
    Attempt,
    remember,
)
from poussetaches.model.size import ATTEMPT_SIZE, size_of_attempt
from poussetaches.model.task import Task

#: Makes an Attempt in half the time that ``Attempt(...)`` takes: every end has one.
_new: Callable[..., Any] = tuple.__new__


def note_success(task: Task, event: events.Succeeded) -> int:
    """Note the attempt that ends; returns the bytes by which the task grows."""
    return _add(task, event, "succeeded", "", event.result or b"")


def note_failure(
    task: Task, event: events.Failed | events.Deferred | events.Died, outcome: str
) -> int:
    """The same. ``outcome``: unless nobody knows it."""
    error = event.error
    growth = len(error) - len(task.error or b"")
    task.last_run_at = event.at
    task.error_status = event.status
    task.error = error
    kind = event.kind
    if kind in UNKNOWN:
        outcome = kind
    # Of a short one this is no copy.
    return growth + _add(task, event, outcome, kind, error[:LONGEST_EXCERPT])


def _add(
    task: Task,
    event: events.Succeeded | events.Failed | events.Deferred | events.Died,
    outcome: str,
    kind: str,
    excerpt: bytes,
) -> int:
    """The attempt under way has ended, and waits for no other time yet."""
    attempt: Attempt = _new(
        Attempt,
        (
            event.attempt,
            task.eta,
            task.leased_at,
            event.at,
            task.worker,
            event.status,
            outcome,
            kind,
            excerpt,
            event.request,
        ),
    )
    growth = ATTEMPT_SIZE + len(excerpt)
    past = task.past
    if not past:
        task.past = (attempt,)
        return growth
    if len(past) == MOST_REMEMBERED:
        task.dropped += 1
        growth -= size_of_attempt(past[1])
    task.past = remember(past, attempt)
    return growth
