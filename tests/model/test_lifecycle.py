"""The table of the life of a task, held against every event in every state."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable

import pytest

from poussetaches.errors import IllegalEvent
from poussetaches.model import endings
from poussetaches.model.events import (
    Cancelled,
    Died,
    Event,
    Failed,
    Leased,
    Moved,
    Pushed,
    Recurred,
    Scheduled,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State
from tests.support.queues import (
    FAILURE,
    NOW,
    OK,
    POLICY,
    apply,
    leased,
    pushed,
    scheduled,
    state,
)

ID = "a"

#: An event of each kind that fits the attempt the task is at.
EVENTS: dict[type[Event], Callable[[int], Event]] = {
    Pushed: lambda attempt: Pushed(ID, NOW, NOW, b"new"),
    Recurred: lambda attempt: Recurred(ID, NOW, NOW, NOW),
    Leased: lambda attempt: Leased(ID, NOW, attempt + 1),
    Succeeded: lambda attempt: Succeeded(ID, NOW, attempt, 200),
    Failed: lambda attempt: Failed(ID, NOW, attempt, 500, b"", NOW),
    Died: lambda attempt: Died(ID, NOW, attempt, 500, b""),
    Cancelled: lambda attempt: Cancelled(ID, NOW),
    Moved: lambda attempt: Moved(ID, NOW, NOW + 1),
}

#: What the drawing in lifecycle.py allows, written down once more.
ALLOWED = {
    (None, Pushed): State.WAITING,
    (None, Recurred): State.WAITING,
    (State.WAITING, Leased): State.LEASED,
    (State.WAITING, Moved): State.WAITING,
    (State.WAITING, Cancelled): State.CANCELLED,
    (State.LEASED, Succeeded): State.SUCCEEDED,
    (State.LEASED, Failed): State.WAITING,
    (State.LEASED, Died): State.DEAD,
    (State.LEASED, Cancelled): State.CANCELLED,
}


def queue_with(what: str) -> TaskQueue:
    """A queue whose task ID is in some place of its life; others stand around it."""
    queue = TaskQueue()
    pushed(queue, "other")
    leased(queue)
    pushed(queue, "next", delay=1e6)
    scheduled(queue, "yearly", "@yearly")
    if what == "absent":
        return queue
    task = pushed(queue, ID, delay=-60.0)
    if what == "waiting":
        return queue
    leased(queue)
    if what == "leased":
        return queue
    if what == "cancelled":
        queue.apply(Cancelled(ID, NOW))
        return queue
    outcome = OK if what == "succeeded" else FAILURE
    apply(queue, endings.conclude(queue, task, outcome, NOW, 0.5, POLICY))
    if what in ("succeeded", "retrying"):
        return queue
    while what == "dead" and ID not in queue.dead:
        leased(queue, task.eta)
        events = endings.conclude(queue, task, FAILURE, task.eta, 0.5, POLICY)
        apply(queue, events)
    return queue


#: The places, and the state of the live task there.
PLACES = {
    "absent": None,
    "waiting": State.WAITING,
    "leased": State.LEASED,
    "retrying": State.WAITING,
    "succeeded": None,
    "dead": None,
    "cancelled": None,
}


@pytest.mark.parametrize(("place", "kind"), [*itertools.product(PLACES, EVENTS)])
def test_every_event_in_every_state(place: str, kind: type[Event]) -> None:
    """What the table has happens; anything else raises and changes nothing."""
    queue = queue_with(place)
    if kind is Recurred:
        queue.apply(Scheduled(ID, NOW, "@hourly", b"spec"))
    task = queue.tasks.get(ID)
    event = EVENTS[kind](task.attempts if task is not None else 1)
    before = state(queue)
    after = ALLOWED.get((PLACES[place], kind))
    if after is None:
        with pytest.raises(IllegalEvent, match=kind.__name__):
            queue.apply(event)
        assert state(queue) == before
        return
    queue.apply(event)
    assert state(queue) != before
    assert queue.difference() == 0
    live = queue.tasks.get(ID)
    if after in (State.WAITING, State.LEASED):
        assert live is not None
        assert live.state is after
        assert (ID in queue.leased) == (after is State.LEASED)
    else:
        assert live is None
        assert task is not None
        assert task.state is after
        assert ID not in queue.leased
        assert (ID in queue.dead) == (after is State.DEAD)
        assert (ID in queue.succeeded) == (after is State.SUCCEEDED)


@pytest.mark.parametrize("off", [-2, -1, 1])
@pytest.mark.parametrize("kind", [Leased, Succeeded, Failed, Died])
def test_an_event_of_another_attempt_is_refused(kind: type[Event], off: int) -> None:
    """A late result never changes a newer state."""
    queue = queue_with("retrying")
    task = queue.tasks[ID]
    leased(queue, task.eta)
    if kind is Leased:
        apply(queue, endings.conclude(queue, task, FAILURE, NOW, 0.5, POLICY))
    before = state(queue)
    with pytest.raises(IllegalEvent, match="attempt"):
        queue.apply(EVENTS[kind](task.attempts + off))
    assert state(queue) == before


def test_a_schedule_is_not_scheduled_twice() -> None:
    queue = TaskQueue()
    scheduled(queue, "s")
    before = state(queue)
    with pytest.raises(IllegalEvent, match="exists already"):
        queue.apply(Scheduled("s", NOW, "@hourly", b"other"))
    assert state(queue) == before


@pytest.mark.parametrize("event", [Unscheduled("s", NOW), Recurred("s", NOW, NOW, NOW)])
def test_a_schedule_that_is_not_there_neither_recurs_nor_goes(event: Event) -> None:
    queue = TaskQueue()
    pushed(queue, "a")
    before = state(queue)
    with pytest.raises(IllegalEvent, match="no schedule s"):
        queue.apply(event)
    assert state(queue) == before


def test_what_was_asked_of_a_copy_leaves_the_original() -> None:
    """That ``state`` sees every difference is what all these tests stand on."""
    queue = queue_with("leased")
    for kind, make in EVENTS.items():
        again = copy.deepcopy(queue)
        if (State.LEASED, kind) in ALLOWED:
            again.apply(make(1))
            assert state(again) != state(queue)
