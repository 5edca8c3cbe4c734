"""Queues for the tests of the model and the store: how to fill and to compare them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import fields
from operator import itemgetter
from typing import Any

from poussetaches.channel.messages import seal
from poussetaches.model.backoff import Backoff
from poussetaches.model.counts import Counts
from poussetaches.model.decisions import Policy, lease, push
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Event
from poussetaches.model.groups import group_of
from poussetaches.model.named_queue import Queue
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Schedule, Submission, Task

#: 2026-01-01T00:00Z, where the timelines of tests begin.
NOW = 1_767_225_600.0

#: Three attempts; a draw of 0.5 waits 10 and 100 seconds.
POLICY = Policy(Backoff((10.0, 100.0), jitter=0.3), Rules("UTC"), seal)

#: Slots enough for everybody.
FREE = 10**9

OK = Outcome(True, 200, b"")
FAILURE = Outcome(False, 500, b"no")


def state(queue: TaskQueue) -> dict[str, Any]:
    """Everything that a queue is, to compare with another one or with an earlier self.

    Lists where the order is part of it.
    """
    assert all(queue.tasks[id] is task for id, task in queue.leased.items())
    waiting = [*queue.turns.beyond(None, len(queue.tasks))]
    assert len(waiting) == queue.waiting
    assert all(queue.tasks[task.id] is task for task in waiting)
    return {
        "tasks": {id: _values(task) for id, task in queue.tasks.items()},
        "leased": set(queue.leased),
        "turns": [(task.eta, task.order, task.id) for task in waiting],
        "runs": [task.id for task in queue.runs.beyond(None)],
        "schedules": {id: _values(one) for id, one in queue.schedules.items()},
        "succeeded": [_values(task) for task in queue.succeeded.values()],
        "dead": [_values(task) for task in queue.dead.values()],
        "expired": [_values(task) for task in queue.expired.values()],
        "expiries": queue.turns.expiries.due(math.inf, len(queue.tasks)),
        "groups": _groups(queue),
        "queues": {name: _queue(one) for name, one in queue.turns.queues.items()},
        "counts": _values(queue.counts),
        "paused": queue.paused,
        "skew": queue.skew,
        "latest": queue.latest,
        "ended keys": list(queue.keys.ended()),
        "size": queue.size,
        "memory": queue.memory,
    }


def _queue(one: Queue) -> tuple[Any, ...]:
    # A float that was on disk and one that was summed up may differ in its last digit.
    spent_until = round(one.spent_until, 3)
    return one.settings, one.is_set, one.waiting, one.in_flight, spent_until


def _groups(queue: TaskQueue) -> dict[str, list[str]]:
    """The tasks of each group, in the order in which they will be delivered."""
    groups: dict[str, list[str]] = {}
    for task in queue.tasks.values():
        if group := group_of(task.terms):
            groups.setdefault(group, []).append(task.id)
    assert groups == {
        name: list(members) for name, members in queue.turns.groups._members.items()
    }
    return groups


def ranked(queue: TaskQueue) -> dict[str, Any]:
    """As ``state``, but of the order only which is before which.

    A queue that comes from a dump has forgotten the orders of those that are gone.
    """
    everything = state(queue)
    tasks = [*everything["tasks"].values()]
    tasks += everything["succeeded"] + everything["dead"] + everything["expired"]
    for rank, task in enumerate(sorted(tasks, key=itemgetter("order"))):
        task["order"] = rank
    everything["turns"] = [id for _, _, id in everything["turns"]]
    return everything


def reloaded(queue: TaskQueue, again: TaskQueue) -> TaskQueue:
    """``again``, a new one, as it comes from a dump of ``queue``."""
    then = copy.deepcopy(queue)
    again.load(
        tasks=list(then.tasks.values()),
        schedules=list(then.schedules.values()),
        succeeded=list(then.succeeded.values()),
        dead=list(then.dead.values()),
        counts=then.counts,
        paused=then.paused,
        skew=then.skew,
        latest=then.latest,
        keys=list(then.keys.ended()),
        expired=list(then.expired.values()),
        queues=[one.row for one in then.turns.queues.values() if one.is_set],
    )
    return again


def apply(queue: TaskQueue, events: Iterable[Event]) -> None:
    """Let ``events`` happen."""
    for event in events:
        queue.apply(event)


def pushed(queue: TaskQueue, *ids: str, delay: float = 0.0, now: float = NOW) -> Task:
    """Push a task of each id; the last one is returned."""
    for id in ids:
        apply(queue, push(queue, Submission(id, b"spec", delay), now, POLICY))
    return queue.tasks[ids[-1]]


def scheduled(
    queue: TaskQueue, id: str = "hourly", text: str = "@hourly", now: float = NOW
) -> Task:
    """Push a schedule; its first run is returned."""
    apply(queue, push(queue, Submission(id, b"spec", schedule=text), now, POLICY))
    return queue.tasks[id]


def leased(queue: TaskQueue, now: float = NOW) -> Task:
    """Lease what is due, which must be there."""
    event = lease(queue, now, FREE)
    assert event is not None
    queue.apply(event)
    return queue.tasks[event.id]


def _values(thing: Task | Schedule | Counts) -> dict[str, Any]:
    return {field.name: getattr(thing, field.name) for field in fields(thing)}
