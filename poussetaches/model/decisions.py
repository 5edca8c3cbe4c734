"""What shall happen next: pure functions from the queue and the moment to events.

Nothing here changes anything. The caller writes the events down as one record and then
applies them in order, so a decision of several events happens wholly or not at all.
``now`` is always on the queue's timeline; ``draw`` is a random number in [0, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from poussetaches.model.backoff import Backoff
from poussetaches.model.events import (
    Cancelled,
    Died,
    Event,
    Failed,
    Leased,
    Pushed,
    Succeeded,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import recur, schedule
from poussetaches.model.rules import Rules
from poussetaches.model.task import NO_ANSWER, Submission, Task, Terms


class Outcome(NamedTuple):
    """What one attempt brought."""

    #: The target answered with the expected status.
    ok: bool
    #: The status, or NO_ANSWER.
    status: int
    #: The answer's body up to a cap, or the words of the transport error.
    error: bytes
    #: No further attempt could end otherwise.
    final: bool = False
    #: Seconds for which the target asked to be left alone; 0.0 if it did not.
    retry_after: float = 0.0
    #: Nobody took the connection: no answer, and nothing was sent.
    unreached: bool = False
    #: Seconds after which the target asked to be asked again, which is no failure; None
    #: if it did not.
    snooze: float | None = None
    #: Tasks that the answer of a success asked for.
    follow_ups: Sequence[Submission] = ()


class Policy(NamedTuple):
    """The rules by which the queue decides."""

    backoff: Backoff
    rules: Rules


def push(
    queue: TaskQueue, submission: Submission, now: float, policy: Policy
) -> list[Event]:
    """Accept a push."""
    if submission.schedule:
        return schedule(queue, submission, now, policy.rules)
    id, spec, delay, _, terms = submission
    return [Pushed(id, now, now + delay, spec, Terms.of(terms))]


class Acceptance(NamedTuple):
    """What comes of pushes that were made together."""

    #: Of the task or schedule that each of them is, in order.
    ids: list[str]
    events: list[Event]


def push_all(
    queue: TaskQueue, submissions: Sequence[Submission], now: float, policy: Policy
) -> Acceptance:
    """Accept pushes, all of them. One whose key is known has the id of the task that
    came with it first, and no event."""
    ids: list[str] = []
    events: list[Event] = []
    #: What those before it have brought.
    keys: dict[str, str] = {}
    scheduled: set[str] = set()
    for submission in submissions:
        id = submission.id
        if key := submission.terms.key:
            known = keys.get(key) or queue.keys.known(key, now)
            if known is not None:
                ids.append(known)
                continue
            keys[key] = id
        ids.append(id)
        if submission.schedule:
            if id in scheduled:
                continue
            scheduled.add(id)
        events += push(queue, submission, now, policy)
    return Acceptance(ids, events)


def lease(queue: TaskQueue, now: float, free: int) -> Leased | None:
    """Begin the next attempt; None if nothing that may have one of the ``free`` slots
    is due, or the queue is paused."""
    if queue.paused:
        return None
    task = queue.turns.next(free)
    if task is None or task.eta > now:
        return None
    return Leased(task.id, now, task.attempts + 1)


def conclude(
    queue: TaskQueue,
    task: Task,
    outcome: Outcome,
    now: float,
    draw: float,
    policy: Policy,
) -> list[Event]:
    """An attempt has ended: done, another attempt later, or dead.

    A target may ask for a longer wait than the backoff's, never for a shorter one, and
    that changes nothing about how many attempts there are.
    """
    if outcome.ok:
        done = Succeeded(task.id, now, task.attempts, outcome.status)
        return [done, *recur(queue, task, now, policy.rules)]
    wait = policy.backoff.wait(task.attempts, draw, task.terms.max_retries)
    if wait is not None:
        wait = None if outcome.final else max(wait, outcome.retry_after)
    return _fail(queue, task, outcome, now, wait, policy)


def lose(
    queue: TaskQueue, task: Task, reason: str, now: float, draw: float, policy: Policy
) -> list[Event]:
    """A worker is gone and nobody knows what its attempt brought.

    The attempt counts, so that a task that kills its workers dies in the end. After the
    first one there is no wait, for the target did nothing wrong. Further ones wait as
    after any failure, each for a time of its own: what happened to be in the worker
    together with the culprit must not meet it again and again.
    """
    outcome = Outcome(False, NO_ANSWER, reason.encode())
    wait = policy.backoff.wait(task.attempts, draw, task.terms.max_retries)
    if wait is not None and task.attempts == 1:
        wait = 0.0
    return _fail(queue, task, outcome, now, wait, policy)


def hand_back(queue: TaskQueue, task: Task, now: float, policy: Policy) -> list[Event]:
    """The service stopped during an attempt, and nobody knows what it brought.

    That is no fault of the task: it is tried again even if this was its last attempt.
    """
    outcome = Outcome(False, NO_ANSWER, b"the service stopped during the attempt")
    return _fail(queue, task, outcome, now, 0.0, policy)


def _fail(
    queue: TaskQueue,
    task: Task,
    outcome: Outcome,
    now: float,
    wait: float | None,
    policy: Policy,
) -> list[Event]:
    if task.schedule and task.id not in queue.schedules:
        return [Cancelled(task.id, now)]
    status, error = outcome.status, outcome.error
    if wait is not None:
        return [Failed(task.id, now, task.attempts, status, error, now + wait)]
    died = Died(task.id, now, task.attempts, status, error)
    return [died, *recur(queue, task, now, policy.rules)]
