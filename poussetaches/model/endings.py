"""How attempts and tasks end: decisions, as in ``decisions.py``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model import attempt
from poussetaches.model.backoff import Backoff
from poussetaches.model.decisions import Policy, push_all
from poussetaches.model.events import (
    Cancelled,
    Deferred,
    Died,
    Event,
    Expired,
    Failed,
    Pushed,
    Succeeded,
)
from poussetaches.model.expiries import expires_at
from poussetaches.model.gate import FIRST_PAUSE, MOST_SPARED, is_to_blame
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import recur
from poussetaches.model.target import parse_target
from poussetaches.model.task import (
    NO_ANSWER,
    How,
    Report,
    Spec,
    State,
    Submission,
    Task,
    Terms,
)


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
    #: The connection ended before any answer, in a way that says that the request was
    #: not read.
    unread: bool = False
    #: The kind of failure (see ``attempt.py``); "": none.
    kind: str = ""
    #: The id that the request had.
    request: str = ""
    #: The body of the answer that means success, if the task wants it kept.
    result: bytes | None = None


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
    that changes nothing about how many attempts there are. What an attempt at a target
    in trouble brought does not count.
    """
    if outcome.ok and not outcome.follow_ups and task.terms.special is None:
        done = _succeed(task, outcome, now)
        if not task.schedule:
            return [done]  # as nearly all end
        return [done, *recur(queue, task, now, policy.rules)]
    if outcome.ok:
        try:
            follow_ups = push_all(queue, outcome.follow_ups, now, policy).events
        except InvalidInput as error:
            said = f"the answer's tasks cannot be accepted: {error.message}"
            outcome = Outcome(
                False,
                outcome.status,
                said.encode(),
                kind=attempt.FOLLOW_UPS,
                request=outcome.request,
            )
        else:
            return [
                _succeed(task, outcome, now),
                *follow_ups,
                *_call_back(queue, task, State.SUCCEEDED, outcome, now, policy),
                *recur(queue, task, now, policy.rules, outcome.follow_ups),
            ]
    if outcome.snooze is not None:
        return _defer(queue, task, outcome, now, outcome.snooze, policy)
    if not outcome.final and is_targets_fault(queue, task, outcome, now, policy):
        # It may yet be this task alone that fails so: another one should ask first.
        again = max(outcome.retry_after, 0.0 if outcome.unreached else FIRST_PAUSE)
        return _defer(queue, task, outcome, now, again, policy)
    if outcome.unread and is_spared(queue, task, policy):
        return _defer(queue, task, outcome, now, FIRST_PAUSE, policy)
    wait = _wait(queue, task, draw, policy)
    if wait is not None:
        wait = None if outcome.final else max(wait, outcome.retry_after)
    return _fail(queue, task, outcome, now, wait, policy)


def is_targets_fault(
    queue: TaskQueue, task: Task, outcome: Outcome, now: float, policy: Policy
) -> bool:
    """Whether the failure of an attempt is that of its target (see Gate)."""
    origin = queue.turns.origins.get(task.terms.origin)
    return is_to_blame(
        None if origin is None else origin.gate,
        0.0 if origin is None else origin.answered_at,
        status=outcome.status,
        unreached=outcome.unreached,
        failed_before=(task.error_status, task.last_run_at),
        now=now,
        hold_limit=policy.hold_limit,
    )


def is_spared(queue: TaskQueue, task: Task, policy: Policy) -> bool:
    """Whether an attempt that was not read does not count (see Gate)."""
    origin = queue.turns.origins.get(task.terms.origin)
    spared = 0 if origin is None else origin.spared.get(task.id, 0)
    return policy.hold_limit > 0 and spared < MOST_SPARED


def lose(
    queue: TaskQueue, task: Task, reason: str, now: float, draw: float, policy: Policy
) -> list[Event]:
    """A worker is gone and nobody knows what its attempt brought.

    The attempt counts, so that a task that kills its workers dies in the end. After the
    first one there is no wait, for the target did nothing wrong. Further ones wait as
    after any failure, each for a time of its own: what happened to be in the worker
    together with the culprit must not meet it again and again.
    """
    outcome = Outcome(False, NO_ANSWER, reason.encode(), kind=attempt.LOST)
    wait = _wait(queue, task, draw, policy)
    if wait is not None and task.attempts == 1:
        wait = 0.0
    return _fail(queue, task, outcome, now, wait, policy)


def hand_back(queue: TaskQueue, task: Task, now: float, policy: Policy) -> list[Event]:
    """The service stopped during an attempt, and nobody knows what it brought.

    That is no fault of the task: it is tried again even if this was its last attempt.
    """
    reason = b"the service stopped during the attempt"
    outcome = Outcome(False, NO_ANSWER, reason, kind=attempt.STOPPED)
    return _fail(queue, task, outcome, now, 0.0, policy)


def put_off(
    queue: TaskQueue, task: Task, outcome: Outcome, now: float, wait: float
) -> Cancelled | Deferred:
    """An attempt does not count, and another is made in ``wait`` seconds. No task comes
    of this, and so it needs no room but that of an end."""
    if task.schedule and task.id not in queue.schedules:
        return Cancelled(task.id, now)
    return Deferred(
        task.id,
        now,
        task.attempts,
        outcome.status,
        outcome.error,
        now + wait,
        outcome.kind,
        outcome.request,
    )


def expire(
    queue: TaskQueue, ids: Iterable[str], now: float, policy: Policy
) -> list[Event]:
    """End waiting tasks that nobody wants any more, by their ids."""
    events: list[Event] = []
    for id in ids:
        events += _expire(queue, queue.tasks[id], now, policy)
    return events


def _succeed(task: Task, outcome: Outcome, now: float) -> Succeeded:
    status, request = outcome.status, outcome.request
    return Succeeded(task.id, now, task.attempts, status, request, outcome.result)


def _wait(queue: TaskQueue, task: Task, draw: float, policy: Policy) -> float | None:
    """Seconds until the next attempt after a failed one; None: there is none."""
    special = task.terms.special
    settings = queue.turns.queue(task.terms.queue).settings
    backoff, retries = policy.backoff, task.terms.max_retries
    if special is not None and special.waits:
        backoff = Backoff(special.waits)
    else:
        growth = settings.backoff
        if special is not None and special.growth is not None:
            growth = special.growth
        if growth is not None:
            backoff = Backoff(policy.backoff.waits, growth=growth)
        if retries is None:
            retries = settings.retry_limit
    return backoff.wait(task.attempts, draw, retries)


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
    id, attempts, status, error = task.id, task.attempts, outcome.status, outcome.error
    kind, request = outcome.kind, outcome.request
    if wait is not None:
        eta = now + wait
        failed = Failed(id, now, attempts, status, error, eta, kind, request)
        return [failed, *_expire_instead(queue, task, outcome, eta, now, policy)]
    return [
        Died(id, now, attempts, status, error, kind, request),
        *_call_back(queue, task, State.DEAD, outcome, now, policy),
        *recur(queue, task, now, policy.rules),
    ]


def _defer(
    queue: TaskQueue,
    task: Task,
    outcome: Outcome,
    now: float,
    wait: float,
    policy: Policy,
) -> list[Event]:
    """An attempt does not count."""
    first = put_off(queue, task, outcome, now, wait)
    if isinstance(first, Cancelled):
        return [first]
    return [first, *_expire_instead(queue, task, outcome, now + wait, now, policy)]


def _expire_instead(
    queue: TaskQueue,
    task: Task,
    outcome: Outcome,
    eta: float,
    now: float,
    policy: Policy,
) -> list[Event]:
    """What follows if nobody wants the task any more when it would be tried again."""
    if expires_at(task) - queue.skew > eta:
        return []
    return _expire(queue, task, now, policy, outcome)


def _expire(
    queue: TaskQueue,
    task: Task,
    now: float,
    policy: Policy,
    outcome: Outcome | None = None,
) -> list[Event]:
    """``outcome``: of the attempt that has just failed, which is not noted yet."""
    if outcome is None:
        outcome = Outcome(False, task.error_status, task.error or b"")
    return [
        Expired(task.id, now),
        *_call_back(queue, task, State.EXPIRED, outcome, now, policy),
        *recur(queue, task, now, policy.rules),
    ]


def _call_back(
    queue: TaskQueue,
    task: Task,
    ending: State,
    outcome: Outcome,
    now: float,
    policy: Policy,
) -> list[Event]:
    """Whom the task asked to be told of its ending: a task of its own, of the same
    queue."""
    special = task.terms.special
    if special is None:
        return []
    url = special.on_success if ending is State.SUCCEEDED else special.roll_back
    if not url:
        return []
    report = Report(
        ending.value,
        task.id,
        task.spec,
        task.terms.queue,
        task.attempts,
        outcome.status,
        None if outcome.ok else outcome.error,
        now + queue.skew,
    )
    # Runs of a schedule have one id, but no two end at the same moment.
    named = f"{task.id}/{now!r}/{ending.value}".encode()
    id = hashlib.sha256(named).hexdigest()[:32]
    spec = policy.seal(Spec(url, how=How(report=report)))
    terms = Terms.of((None, "", _origin(url), task.terms.queue))
    return [Pushed(id, now, now, spec, terms)]


def _origin(url: str) -> str:
    try:
        return parse_target(url).origin_text
    except InvalidInput:
        # Whoever pushed it heard no objection; the attempt will say what is wrong.
        return ""
