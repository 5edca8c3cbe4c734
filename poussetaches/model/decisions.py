"""What shall happen next: pure functions from the queue and the moment to events.

Nothing here changes anything. The caller writes the events down as one record and then
applies them in order, so a decision of several events happens wholly or not at all.
``now`` is always on the queue's timeline; ``draw`` is a random number in [0, 1).

What becomes of an attempt is decided in ``endings.py``, of a schedule in
``recurrence.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from poussetaches.errors import Conflict, InvalidInput
from poussetaches.model.backoff import Backoff
from poussetaches.model.events import (
    Cancelled,
    Event,
    Leased,
    Pushed,
    QueueSet,
    Replaced,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_decisions import NOTHING_SAID, check_number
from poussetaches.model.recurrence import recur, refuse_contradiction, schedule
from poussetaches.model.rules import Rules
from poussetaches.model.task import DEFAULT_QUEUE, Spec, Submission, Task, Terms


class Policy(NamedTuple):
    """The rules by which the queue decides."""

    #: Of tasks and queues that have none of their own.
    backoff: Backoff
    rules: Rules
    #: How a Spec that is made here becomes what the queue keeps.
    seal: Callable[[Spec], bytes]
    #: Seconds for which a target that is absent is waited for without counting the
    #: attempts; 0.0: they always count.
    hold_limit: float = 0.0
    #: Whether a push to a queue that does not exist makes it.
    auto_create_queues: bool = False


class Acceptance(NamedTuple):
    """What comes of pushes that were made together."""

    #: Of the task or schedule that each of them is, in order.
    ids: list[str]
    events: list[Event]


def push(
    queue: TaskQueue, submission: Submission, now: float, policy: Policy
) -> list[Event]:
    """Accept a push. Raises InvalidInput if it names no queue that there is."""
    return push_all(queue, [submission], now, policy).events


def push_all(
    queue: TaskQueue, submissions: Sequence[Submission], now: float, policy: Policy
) -> Acceptance:
    """Accept pushes, all of them. One whose key is known has the id of the task that
    came with it first, and no event. Raises InvalidInput if one names no queue that
    there is, or if one name stands for two different schedules."""
    ids: list[str] = []
    events: list[Event] = []
    #: What those before it have brought.
    keys: dict[str, str] = {}
    scheduled: dict[str, Submission] = {}
    known_queues = {DEFAULT_QUEUE}
    for submission in submissions:
        id, spec, delay, text, terms = submission
        if key := terms.key:
            known = keys.get(key) or queue.keys.known(key, now)
            if known is not None:
                ids.append(known)
                continue
            keys[key] = id
        name = terms.queue
        if name not in known_queues and not queue.turns.knows(name):
            if not policy.auto_create_queues:
                raise _no_queue(submissions, submission)
            made = sum(isinstance(event, QueueSet) for event in events)
            check_number(queue, made + 1)
            events.append(QueueSet(name, now, None, NOTHING_SAID))
        known_queues.add(name)
        ids.append(id)
        if not text:
            terms = Terms.of(terms)
            eta = now + delay
            if terms.special is not None:
                eta = _eta(queue, now, delay, terms)
            events.append(Pushed(id, now, eta, spec, terms))
        elif id in scheduled:
            refuse_contradiction(scheduled[id], submission)
        else:
            scheduled[id] = submission
            events += schedule(queue, submission, now, policy.rules)
    return Acceptance(ids, events)


def lease(queue: TaskQueue, now: float, free: int, worker: int = 0) -> Leased | None:
    """Begin the next attempt, which the ``worker`` of that number is to make; None if
    nothing that may have one of the ``free`` slots is due, or the queue is paused."""
    if queue.paused:
        return None
    task = queue.turns.next(now, free)
    return None if task is None else Leased(task.id, now, task.attempts + 1, worker)


def cancel(queue: TaskQueue, task: Task, now: float, policy: Policy) -> list[Event]:
    """Somebody asked for a live task not to run any more. If an attempt is under way,
    what it brings changes nothing. Of a schedule, the next run comes."""
    return [Cancelled(task.id, now), *recur(queue, task, now, policy.rules)]


def replace(
    queue: TaskQueue,
    task: Task,
    submission: Submission,
    now: float,
    *,
    keeps_time: bool = False,
) -> list[Event]:
    """A waiting task, which is no run of a schedule, is another one from now on, or
    the same, then there are no events. ``keeps_time``: it waits for what it waited for.

    Raises InvalidInput if it names no queue that there is, and Conflict if it has the
    key of another task.
    """
    _, spec, delay, _, terms = submission
    if terms.key and queue.keys.known(terms.key, now) not in (None, task.id):
        raise Conflict("key: another task was pushed with it", field="key")
    if not queue.turns.knows(terms.queue):
        raise InvalidInput(
            f"queue: there is no queue {terms.queue!r:.120}", field="queue"
        )
    terms = Terms.of(terms)
    eta = task.eta if keeps_time else _eta(queue, now, delay, terms)
    if (spec, terms, eta) == (task.spec, task.terms, task.eta):
        return []
    return [Replaced(task.id, now, eta, spec, terms)]


def pushes(events: Iterable[Event]) -> bool:
    """Whether a task comes of them, a callback or one that an answer asked for."""
    return any(isinstance(event, Pushed) for event in events)


def timeout(queue: TaskQueue, task: Task, usual: float) -> float:
    """How long an attempt at ``task`` may take, seconds; ``usual``: where neither it
    nor its queue says."""
    special = task.terms.special
    if special is not None and special.timeout is not None:
        return special.timeout
    of_queue = queue.turns.queue(task.terms.queue).settings.timeout
    return usual if of_queue is None else of_queue


def _eta(queue: TaskQueue, now: float, delay: float, terms: Terms) -> float:
    """From when on a task is delivered that is pushed now."""
    if terms.special is not None and terms.special.eta is not None:
        return terms.special.eta - queue.skew
    return now + delay


def _no_queue(
    submissions: Sequence[Submission], submission: Submission
) -> InvalidInput:
    """What is wrong with one push that was made alone, or with many."""
    reason = f"queue: there is no queue {submission.terms.queue!r:.120}"
    if len(submissions) == 1:
        return InvalidInput(reason, field="queue")
    number = submissions.index(submission)
    return InvalidInput(f"Element {number}: {reason}", field=f"[{number}].queue")
