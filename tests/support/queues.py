"""Queues for the tests of the model and the store: how to fill and to compare them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from poussetaches.model.backoff import Backoff
from poussetaches.model.decisions import Outcome, Policy
from poussetaches.model.events import Event
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules

#: 2026-01-01T00:00Z, where the timelines of tests begin.
NOW = 1_767_225_600.0

#: Three attempts; a draw of 0.5 waits 10 and 100 seconds.
POLICY = Policy(Backoff((10.0, 100.0), jitter=0.3), Rules("UTC"))

OK = Outcome(True, 200, b"")
FAILURE = Outcome(False, 500, b"no")


def state(queue: TaskQueue) -> dict[str, Any]:
    """Everything that a queue is, to compare with another one or with an earlier self.

    Lists where the order is part of it. Stale entries of the heap are not part of it.
    """
    return {
        "tasks": {id: asdict(task) for id, task in queue.tasks.items()},
        "leased": {id: id in queue.tasks for id in queue.leased},
        "turns": sorted(
            (eta, order, task.id)
            for eta, order, task in queue.entries()
            if task.order == order and task.state.value == "waiting"
        ),
        "schedules": {id: asdict(one) for id, one in queue.schedules.items()},
        "succeeded": [asdict(task) for task in queue.succeeded.values()],
        "dead": [asdict(task) for task in queue.dead.values()],
        "counts": asdict(queue.counts),
        "paused": queue.paused,
        "skew": queue.skew,
    }


def replayed(events: Iterable[Event], *, retain_succeeded: int = 1000) -> TaskQueue:
    """A new queue to which ``events`` have happened."""
    queue = TaskQueue(retain_succeeded=retain_succeeded)
    apply(queue, events)
    return queue


def apply(queue: TaskQueue, events: Iterable[Event]) -> None:
    """Let ``events`` happen."""
    for event in events:
        queue.apply(event)
