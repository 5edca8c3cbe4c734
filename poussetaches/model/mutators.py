"""The mutators: what each event makes of the queue. Only ``TaskQueue.apply`` calls
them, live and in recovery alike.

Each one changes the queue as the event says; or raises IllegalEvent, and does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from poussetaches.errors import IllegalEvent
from poussetaches.model import events
from poussetaches.model.events import Event
from poussetaches.model.history import note_failure, note_success
from poussetaches.model.kept import Kept
from poussetaches.model.lifecycle import next_state
from poussetaches.model.size import size_of
from poussetaches.model.task import Task, Terms

if TYPE_CHECKING:
    from poussetaches.model.queue import TaskQueue


def _pushed(queue: TaskQueue, event: events.Pushed) -> None:
    next_state(queue.tasks.get(event.id), event)
    id, at, eta, spec, terms = event
    _add(queue, at, id, spec, "", 0.0, eta, terms)
    if terms.key:
        queue.keys.add(terms.key, id, at)


def _scheduled(queue: TaskQueue, event: events.Scheduled) -> None:
    queue.schedules.add(event, queue.tasks.get(event.id))


def _recurred(queue: TaskQueue, event: events.Recurred) -> None:
    next_state(queue.tasks.get(event.id), event)
    schedule = queue.schedules.to_recur(event.id)
    id, at, slot, eta = event
    _add(queue, at, id, schedule.spec, schedule.text, slot, eta, schedule.terms)


def _unscheduled(queue: TaskQueue, event: events.Unscheduled) -> None:
    queue.schedules.drop(event, queue.tasks.get(event.id))


def _rescheduled(queue: TaskQueue, event: events.Rescheduled) -> None:
    queue.schedules.change(event)


def _schedule_paused(queue: TaskQueue, event: events.SchedulePaused) -> None:
    queue.schedules.pause(event)


def _schedule_resumed(queue: TaskQueue, event: events.ScheduleResumed) -> None:
    queue.schedules.resume(event)


def _leased(queue: TaskQueue, event: events.Leased) -> None:
    task = queue.tasks.get(event.id)
    state = next_state(task, event)
    assert task is not None
    task.state = state
    task.attempts = event.attempt
    task.leased_at = event.at
    task.worker = event.worker
    if event.attempt == 1:
        task.begun_at = event.at
    queue.leased[task.id] = task
    queue.turns.begin(task, event.at)


def _succeeded(queue: TaskQueue, event: events.Succeeded) -> None:
    task = _end(queue, event)
    task.last_run_at = event.at
    queue.size += note_success(task, event)
    queue.counts.succeeded += 1
    _remember(queue, queue.succeeded, task)


def _failed(queue: TaskQueue, event: events.Failed) -> None:
    _return(queue, event, "failed")


def _deferred(queue: TaskQueue, event: events.Deferred) -> None:
    task = _return(queue, event, "deferred")
    task.attempts -= 1
    if task.attempts == 0:
        task.begun_at = 0.0


def _return(
    queue: TaskQueue, event: events.Failed | events.Deferred, outcome: str
) -> Task:
    """A task comes back from an attempt, and waits for another."""
    task = queue.tasks.get(event.id)
    state = next_state(task, event)
    assert task is not None
    del queue.leased[task.id]
    queue.turns.end(task, event.at)
    task.state = state
    queue.size += note_failure(task, event, outcome)
    _wait(queue, task, event.eta)
    return task


def _died(queue: TaskQueue, event: events.Died) -> None:
    task = _end(queue, event)
    queue.size += note_failure(task, event, "failed")
    queue.counts.dead += 1
    _remember(queue, queue.dead, task)


def _expired(queue: TaskQueue, event: events.Expired) -> None:
    task = _end(queue, event)
    queue.counts.expired += 1
    _remember(queue, queue.expired, task)


def _cancelled(queue: TaskQueue, event: events.Cancelled) -> None:
    _drop(queue, _end(queue, event))
    queue.counts.cancelled += 1


def _moved(queue: TaskQueue, event: events.Moved) -> None:
    task = queue.tasks.get(event.id)
    next_state(task, event)
    assert task is not None
    queue.turns.remove(task)
    _wait(queue, task, event.eta)


def _replaced(queue: TaskQueue, event: events.Replaced) -> None:
    task = queue.tasks.get(event.id)
    next_state(task, event)
    assert task is not None
    if task.terms.key:
        queue.keys.let_go(task.terms.key, task.id)
    queue.size -= size_of(task)
    if queue.turns.replace(task, event.terms, event.eta):
        # In a dump, too, it stands behind those of its new group.
        queue.tasks[task.id] = queue.tasks.pop(task.id)
    task.spec = event.spec
    queue.size += size_of(task)
    if task.terms.key:
        queue.keys.add(task.terms.key, task.id, event.at)


def _queue_set(queue: TaskQueue, event: events.QueueSet) -> None:
    name, at, configured, changed = event
    queue.turns.set_queue(name, configured, changed, at)


def _queue_dropped(queue: TaskQueue, event: events.QueueDropped) -> None:
    queue.turns.drop_queue(event.name)


def _forgotten(queue: TaskQueue, event: events.Forgotten) -> None:
    if event.id not in queue.dead:
        raise IllegalEvent(f"there is no dead letter {event.id} to forget")
    _drop(queue, queue.dead.drop(event.id))


def _revived(queue: TaskQueue, event: events.Revived) -> None:
    task = queue.dead.get(event.id)
    next_state(task, event)
    assert task is not None
    if task.id in queue.tasks:
        raise IllegalEvent(f"there is a live task {task.id}, none can come back")
    queue.dead.drop(task.id)
    queue.counts.dead -= 1
    # Unless another was pushed with it since.
    has_key = queue.keys.revive(task.terms.key, task.id, event.at)
    task.revive(event.eta, has_key=has_key)
    # In a dump, too, it stands behind those of its group.
    queue.tasks[task.id] = task
    queue.turns.add(task)


def _paused(queue: TaskQueue, event: events.Paused) -> None:
    queue.paused = True


def _resumed(queue: TaskQueue, event: events.Resumed) -> None:
    queue.paused = False


def _clock_stepped(queue: TaskQueue, event: events.ClockStepped) -> None:
    # Runs of schedules are moved by events of their own.
    skew, tasks = queue.skew, queue.tasks.values()
    queue.skew = event.skew
    for task in [one for one in tasks if one.waits_for_the_clock(skew)]:
        special = task.terms.special
        assert special is not None
        assert special.eta is not None
        queue.turns.remove(task)
        _wait(queue, task, special.eta - event.skew)


# --- shared by them ---------------------------------------------------------------


def _add(
    queue: TaskQueue,
    at: float,
    id: str,
    spec: bytes,
    schedule: str,
    slot: float,
    eta: float,
    terms: Terms,
) -> None:
    # Most are due when they come: one number for both, a million times.
    pushed_at = eta if at == eta else at
    task = Task(id, spec, schedule, slot, eta, 0, terms=terms, pushed_at=pushed_at)
    queue.tasks[id] = task
    queue.size += size_of(task)
    queue.counts.accepted += 1
    queue.turns.add(task)
    if schedule:
        queue.schedules.join(task)


def _wait(queue: TaskQueue, task: Task, eta: float) -> None:
    """A task that has lived for a while waits from now on, for ``eta``."""
    if task.schedule:
        queue.schedules.leave(task)
    task.eta = eta
    queue.turns.add(task)
    if task.schedule:
        queue.schedules.join(task)


def _end(
    queue: TaskQueue,
    event: events.Succeeded | events.Died | events.Expired | events.Cancelled,
) -> Task:
    task = queue.tasks.get(event.id)
    state = next_state(task, event)
    assert task is not None
    del queue.tasks[task.id]
    if queue.leased.pop(task.id, None) is None:
        queue.turns.remove(task)
    else:
        queue.turns.end(task, event.at)
    queue.turns.leave(task)
    if task.schedule:
        status = getattr(event, "status", task.error_status)
        queue.schedules.end(task, state, event.at, status)
    task.state = state
    if task.terms.key:
        queue.keys.end(task.terms.key, task.id, event.at)
    return task


def _remember(queue: TaskQueue, kept: Kept, task: Task) -> None:
    """A task has ended, and is kept for a while."""
    for gone in queue.remembered.take(kept, task):
        _drop(queue, gone)


def _drop(queue: TaskQueue, task: Task) -> None:
    """A task is kept no more."""
    queue.size -= size_of(task)


#: By the type of the event.
MUTATORS: Mapping[type[Event], Callable[[TaskQueue, Any], None]] = {
    events.Pushed: _pushed,
    events.Scheduled: _scheduled,
    events.Recurred: _recurred,
    events.Unscheduled: _unscheduled,
    events.Rescheduled: _rescheduled,
    events.SchedulePaused: _schedule_paused,
    events.ScheduleResumed: _schedule_resumed,
    events.Leased: _leased,
    events.Succeeded: _succeeded,
    events.Failed: _failed,
    events.Deferred: _deferred,
    events.Died: _died,
    events.Expired: _expired,
    events.Cancelled: _cancelled,
    events.Moved: _moved,
    events.Replaced: _replaced,
    events.QueueSet: _queue_set,
    events.QueueDropped: _queue_dropped,
    events.Revived: _revived,
    events.Forgotten: _forgotten,
    events.Paused: _paused,
    events.Resumed: _resumed,
    events.ClockStepped: _clock_stepped,
}
