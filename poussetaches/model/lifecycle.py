"""The life of a task, as a table. Everything that may change a task's state is in it.

::

                    Recurred
      Pushed ┐   ┌───────────┐
             ▼   ▼           │ (the schedule's next run is a new task of the same id)
           WAITING ◄──────┐  │
        Moved │ │         │ Failed
     Replaced │ │ Leased  │ Deferred
    Cancelled │ └──────► LEASED ─── Succeeded ──► SUCCEEDED
              ▼           │    └─── Died ───────► DEAD
          CANCELLED ◄─────┘

Expired leads from WAITING to EXPIRED, Revived from DEAD to WAITING.

An event that the table does not have raises IllegalEvent and changes nothing. This file
knows no clock, no role and no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.errors import IllegalEvent
from poussetaches.model.events import (
    Cancelled,
    Deferred,
    Died,
    Event,
    Expired,
    Failed,
    Leased,
    Moved,
    Pushed,
    Recurred,
    Replaced,
    Revived,
    Succeeded,
)
from poussetaches.model.task import State, Task

#: For each event of a task, the state it must find (None: no live task of that id) and
#: the state it leaves.
TRANSITIONS: Mapping[type[Event], Mapping[State | None, State]] = {
    Pushed: {None: State.WAITING},
    Recurred: {None: State.WAITING},
    Leased: {State.WAITING: State.LEASED},
    Succeeded: {State.LEASED: State.SUCCEEDED},
    Failed: {State.LEASED: State.WAITING},
    Deferred: {State.LEASED: State.WAITING},
    Died: {State.LEASED: State.DEAD},
    Expired: {State.WAITING: State.EXPIRED},
    Cancelled: {State.WAITING: State.CANCELLED, State.LEASED: State.CANCELLED},
    Moved: {State.WAITING: State.WAITING},
    Replaced: {State.WAITING: State.WAITING},
    Revived: {State.DEAD: State.WAITING},
}

#: The same to look up fast: a member of an enumeration is slow as a key.
_STEPS = {kind: tuple(steps.items()) for kind, steps in TRANSITIONS.items()}


def next_state(task: Task | None, event: Event) -> State:
    """The state in which ``event`` leaves ``task`` (None: there is no live one).

    Raises IllegalEvent if the table has no such transition, or if the event speaks of
    another attempt than the task is at: a late result never changes a newer state.
    """
    state = None if task is None else task.state
    after = None
    for before, following in _STEPS.get(type(event), ()):
        if before is state:
            after = following
    if after is None:
        raise IllegalEvent(
            f"{type(event).__name__} does not fit a task that is "
            f"{'absent' if state is None else state.value}: "
            f"{getattr(event, 'id', '')!r:.60} at {event.at!r}"
        )
    attempt = None if task is None else getattr(event, "attempt", None)
    if task is not None and attempt is not None:
        expected = task.attempts + (1 if isinstance(event, Leased) else 0)
        if attempt != expected:
            raise IllegalEvent(
                f"{type(event).__name__} speaks of attempt {attempt} of task "
                f"{task.id}, which is at {expected}"
            )
    return after
