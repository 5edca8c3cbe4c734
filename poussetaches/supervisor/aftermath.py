"""What is learnt from an attempt, beside what becomes of its task: what the log says of
it, and what it tells of its origin."""

from __future__ import annotations

import logging

from poussetaches.log import fields
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Cancelled,
    Deferred,
    Died,
    Event,
    Expired,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.gate import TOO_MANY, is_absent
from poussetaches.model.task import NO_ANSWER, Task
from poussetaches.model.turns import Turns

log = logging.getLogger(__name__)

#: Of the words for why a target is away, bytes.
LONGEST_REASON = 200

#: What is said of an attempt that did not succeed.
SAID: dict[type[Event], str] = {
    Died: "dead",
    Deferred: "attempt does not count",
    Cancelled: "cancelled",
}


def tell(task: Task, outcome: Outcome, events: list[Event]) -> None:
    """Write to the log what ``outcome`` made of ``task``: ``events``."""
    first, *others = events
    for event in others:
        if isinstance(event, Unscheduled):
            log.error("schedule dropped: no run can follow", extra=fields(task=task.id))
        elif isinstance(event, Expired):
            log.warning("expired", extra=fields(task=task.id))
    if isinstance(first, Succeeded):
        if log.isEnabledFor(logging.DEBUG):
            told = fields(task=task.id, attempt=task.attempts, request=outcome.request)
            log.debug("succeeded", extra=told)
        return
    said = SAID.get(type(first), "attempt failed")
    # Where the answer of a success asked for what cannot be, not that of the outcome.
    error = getattr(first, "error", outcome.error)
    log.log(
        logging.WARNING if said == "dead" else logging.INFO,
        said,
        extra=fields(
            task=task.id,
            attempt=getattr(first, "attempt", task.attempts),
            request=outcome.request,
            kind=getattr(first, "kind", outcome.kind),
            status=outcome.status,
            error=error[:200].decode("utf-8", "replace"),
        ),
    )


def heed(
    turns: Turns,
    task: Task,
    outcome: Outcome,
    events: list[Event],
    now: float,
    hold_limit: float,
) -> None:
    """Have the origin of ``task`` held, slowed or let go on, as ``outcome`` says."""
    origins = turns.origins
    origin = origins.get(task.terms.origin)
    if origin is None:
        return  # nothing waits for it any more
    if outcome.ok and origin.gate is None:
        origin.answered_at = now
        return
    was_held = origin.is_held
    if outcome.unread:
        if isinstance(events[0], Deferred):
            origin.spared[task.id] = origin.spared.get(task.id, 0) + 1
    elif origin.spared:
        origin.spared.pop(task.id, None)
    # Who says what shall become of the task is there, whatever the status.
    is_steered = outcome.ok or outcome.final or outcome.snooze is not None
    is_away = is_absent(outcome.status, unreached=outcome.unreached)
    if is_away and not is_steered:
        # Where a handler fails alone, its target is not away.
        if was_held or isinstance(events[0], Deferred):
            origins.hold(
                origin,
                now,
                hold_limit,
                unreached=outcome.unreached,
                reason=_reason(outcome),
            )
    elif outcome.unread:
        if was_held:
            origins.hold(
                origin, now, hold_limit, unreached=True, reason=_reason(outcome)
            )
    elif outcome.status == TOO_MANY and not outcome.ok:
        origins.slow(origin, now, outcome.retry_after)
    elif outcome.status != NO_ANSWER:
        origins.answer(origin, now)
    turns.settle(origin)
    if origin.is_held != was_held:
        log.warning(
            "target is away: what is for it waits"
            if origin.is_held
            else "target is waited for no more",
            extra=fields(origin=origin.name),
        )


def _reason(outcome: Outcome) -> str:
    """Why its target counts as away."""
    if outcome.status != NO_ANSWER:
        return f"answered {outcome.status}"
    return outcome.error[:LONGEST_REASON].decode("utf-8", "replace")
