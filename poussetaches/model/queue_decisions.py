"""What shall happen to queues: decisions, as in ``decisions.py``.

A queue is what its section in the configuration says (``configured``) under what was
said while running (``changed``). Whatever the configuration has forgotten stays as long
as there are tasks in it: they must not lose their limits because a section was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poussetaches.errors import Conflict, InvalidInput, NotFound
from poussetaches.model import queue_fields
from poussetaches.model.events import Cancelled, Event, QueueDropped, QueueSet
from poussetaches.model.named_queue import Queue
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import DEFAULT_QUEUE, State

#: More would make the message that tells children of them too long to be cheap.
MOST_QUEUES = 1000
#: Nothing may be said of a queue for it to exist; something must, to tell it from one
#: that its section has left behind.
NOTHING_SAID = {"paused": False}


def find(queue: TaskQueue, name: str) -> Queue:
    """The queue of that name. Raises NotFound."""
    found = queue.turns.queues.get(name)
    if found is None:
        raise NotFound(f"there is no queue {name!r:.110}", field="queue")
    return found


def configure(
    queue: TaskQueue, configured: Mapping[str, QueueSettings], now: float
) -> list[Event]:
    """Follow the sections of the configuration, by name. Raises InvalidInput if that
    would be too many queues."""
    events: list[Event] = []
    for name, settings in configured.items():
        one = queue.turns.queues.get(name)
        wire = settings.to_wire()
        if one is None:
            events.append(QueueSet(name, now, wire, {}))
        elif one.configured is None:
            # Of one that was only made, nobody has said that it is not paused.
            changed = {} if one.changed == NOTHING_SAID else one.changed
            events.append(QueueSet(name, now, wire, changed))
        elif not _same(one.configured, wire):
            events.append(QueueSet(name, now, wire, one.changed))
    check_number(queue, len(configured.keys() - queue.turns.queues.keys()))
    for name, one in queue.turns.queues.items():
        if name not in configured and one.configured is not None:
            events += _forget_section(one, now)
    return events


def _forget_section(one: Queue, now: float) -> list[Event]:
    if one.name == DEFAULT_QUEUE:
        return [QueueSet(one.name, now, None, one.changed)]
    if one.changed:
        # Whoever has set something meant the queue as it was.
        return [
            QueueSet(one.name, now, None, {**(one.configured or {}), **one.changed})
        ]
    if _is_empty(one):
        return [QueueDropped(one.name, now)]
    return []


def abandoned(queue: TaskQueue, configured: Mapping[str, QueueSettings]) -> list[str]:
    """The queues that only wait for their last task to end: their sections are gone."""
    return [
        name
        for name, one in queue.turns.queues.items()
        if one.configured is not None
        and name not in configured
        and name != DEFAULT_QUEUE
    ]


def drop_abandoned(queue: TaskQueue, name: str, now: float) -> list[Event]:
    """What comes of one of those: it goes when nothing is in it any more."""
    one = queue.turns.queues.get(name)
    if one is None or not _is_empty(one):
        return []
    return [QueueDropped(name, now)]


def set_queue(
    queue: TaskQueue,
    name: str,
    changes: Mapping[str, Any],
    now: float,
    *,
    is_abandoned: bool = False,
) -> list[Event]:
    """Make a queue, or change it: a value by the name of a field (``queue_fields``);
    None: what the configuration says from now on. Raises InvalidInput.

    One whose section is gone (``is_abandoned``) is there for good from now on.
    """
    queue_fields.check_name(name)
    one = queue.turns.queues.get(name)
    configured = None if one is None else one.configured
    before: Mapping[str, Any] = {} if one is None else one.changed
    changed = queue_fields.change(before, configured or {}, changes)
    if not changed and configured is None and name != DEFAULT_QUEUE:
        changed = dict(NOTHING_SAID)
    if one is None:
        check_number(queue, 1)
    elif is_abandoned:
        return [QueueSet(name, now, None, {**(configured or {}), **changed})]
    elif _same(before, changed):
        return []
    return [QueueSet(name, now, configured, changed)]


def drop(queue: TaskQueue, name: str, now: float) -> list[Event]:
    """Do without a queue. Raises NotFound, and Conflict if it is needed."""
    one = find(queue, name)
    if name == DEFAULT_QUEUE:
        raise Conflict(
            "queue: default cannot be dropped, what names no queue is in it",
            field="queue",
        )
    if not _is_empty(one):
        raise Conflict(
            f"queue: {one.waiting} tasks wait in {name} and {one.in_flight} are in"
            " flight; purge it, or wait until they have ended",
            field="queue",
        )
    if one.configured is not None:
        raise Conflict(
            f"queue: {name} stands in the configuration; remove its section and send"
            " the service SIGHUP",
            field="queue",
        )
    return [QueueDropped(name, now)]


def purge(queue: TaskQueue, name: str, now: float, most: int) -> list[Event]:
    """Cancel what waits in a queue, ``most`` tasks of it; runs of schedules stay.

    Raises NotFound.
    """
    events: list[Event] = []
    if not find(queue, name).waiting:
        return events
    for id, task in queue.tasks.items():
        if (
            task.terms.queue == name
            and task.state is State.WAITING
            and not task.schedule
        ):
            events.append(Cancelled(id, now))
            if len(events) == most:
                break
    return events


def _is_empty(one: Queue) -> bool:
    return not one.waiting and not one.in_flight


def check_number(queue: TaskQueue, further: int) -> None:
    """Raise InvalidInput if there would be too many queues with so many more."""
    if further and len(queue.turns.queues) + further > MOST_QUEUES:
        raise InvalidInput(
            f"queue: there may be at most {MOST_QUEUES} queues", field="queue"
        )


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two layers say the same: one may come from memory, where tuples are, one
    from disk, where there are lists."""
    return bool(_listed(dict(one)) == _listed(dict(other)))


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _listed(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(one) for one in value]
    return value
