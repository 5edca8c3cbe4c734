"""The revival: a dead letter is tried again because somebody asked for that.

A decision, as those in ``decisions.py``.
"""

from __future__ import annotations

from poussetaches.errors import Conflict
from poussetaches.model.decisions import Policy
from poussetaches.model.events import Event, Forgotten, Pushed, QueueSet, Revived
from poussetaches.model.expiries import expires_at
from poussetaches.model.lookup import IN_WORDS, find
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_decisions import NOTHING_SAID, check_number
from poussetaches.model.task import Special, Task, Terms

_USUAL = Special()


def find_dead(queue: TaskQueue, id: str) -> Task:
    """The dead letter of that id, whatever its schedule has done since. Raises
    NotFound, or Conflict for one that is not dead."""
    task = queue.dead.get(id)
    if task is None:
        what_else = IN_WORDS[find(queue, id).state]
        raise Conflict(f"The task is not dead: it {what_else}.")
    return task


def retry(
    queue: TaskQueue, task: Task, fresh_id: str, now: float, policy: Policy
) -> list[Event]:
    """A dead letter is due at once, and has all its attempts again. The run of a
    schedule, which has gone on, comes back as a task of its own, of ``fresh_id``.

    Raises Conflict if nobody wants it any more, or if its queue is gone.
    """
    terms = task.terms
    if expires_at(task) <= now + queue.skew:
        raise Conflict("The task has expired: nobody wants it any more.")
    events: list[Event] = []
    if not queue.turns.knows(terms.queue):
        if not policy.auto_create_queues:
            raise Conflict(
                f"There is no queue {terms.queue} any more: make it, then try again.",
                field="queue",
            )
        check_number(queue, 1)
        events.append(QueueSet(terms.queue, now, None, NOTHING_SAID))
    if not task.schedule:
        return [*events, Revived(task.id, now, now)]
    pushed = Pushed(fresh_id, now, now, task.spec, _of_a_task(terms))
    return [*events, pushed, Forgotten(task.id, now)]


def _of_a_task(terms: Terms) -> Terms:
    """Without what only a schedule has."""
    special = terms.special
    if special is None:
        return terms
    special = special._replace(
        name=_USUAL.name,
        timezone=_USUAL.timezone,
        missed=_USUAL.missed,
        overlap=_USUAL.overlap,
    )
    return Terms.of((*terms[:4], None if special == _USUAL else special))
