"""The authoritative queue: every live task, the schedules, what ended, and the counts.

The one mutator is ``apply``. Decisions (``decisions.py``) read the queue and return
events; whoever owns the queue writes them down and applies them.

**The timeline.** Every ``at`` and ``eta`` is in seconds on a timeline that starts at
the wall clock and then runs evenly, however the wall clock is set: a delay of an hour
is an hour. ``skew`` is what must be added to get the wall clock of the moment. It is
part of the state, so that a restart continues the same timeline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import fields

from poussetaches.errors import IllegalEvent
from poussetaches.model import events
from poussetaches.model.caps import NO_CAPS, Caps
from poussetaches.model.counts import Counts
from poussetaches.model.events import Event
from poussetaches.model.kept import Kept
from poussetaches.model.keys import EndedKey, Keys
from poussetaches.model.lifecycle import next_state
from poussetaches.model.line import Line
from poussetaches.model.named_queue import QueueRow
from poussetaches.model.remembered import Remembered
from poussetaches.model.schedules import Schedules
from poussetaches.model.size import size_of
from poussetaches.model.task import Schedule, State, Task, Terms
from poussetaches.model.turns import Turns


class TaskQueue:
    """See the module. ``retain_succeeded``: how many of those to remember, and of those
    that expired; ``key_ttl``: for how long the key of a task is known after its end,
    seconds; ``caps``: of attempts at once at an origin."""

    def __init__(
        self,
        *,
        retain_succeeded: int = 1000,
        key_ttl: float = math.inf,
        caps: Caps = NO_CAPS,
    ) -> None:
        #: Live tasks (waiting or leased), by id.
        self.tasks: dict[str, Task] = {}
        #: Those of them that a worker holds.
        self.leased: dict[str, Task] = {}
        #: Which of the others is next.
        self.turns = Turns(caps)
        self.schedules = Schedules()
        #: The last that succeeded and that expired, and all dead ones.
        self.remembered = Remembered(retain_succeeded)
        self.succeeded = self.remembered.succeeded
        self.expired = self.remembered.expired
        self.dead = self.remembered.dead
        self.keys = Keys(key_ttl)
        #: What the tasks take in memory, bytes: an estimate.
        self.size = 0
        self.counts = Counts()
        self.paused = False
        #: Wall clock minus timeline, seconds.
        self.skew = 0.0
        #: When the last event happened, on the timeline.
        self.latest = 0.0
        self._mutators: dict[type[Event], Callable[..., None]] = {
            events.Pushed: self._pushed,
            events.Scheduled: self._scheduled,
            events.Recurred: self._recurred,
            events.Unscheduled: self._unscheduled,
            events.Rescheduled: self.schedules.change,
            events.SchedulePaused: self.schedules.pause,
            events.ScheduleResumed: self.schedules.resume,
            events.Leased: self._leased,
            events.Succeeded: self._succeeded,
            events.Failed: self._failed,
            events.Deferred: self._deferred,
            events.Died: self._died,
            events.Expired: self._expired,
            events.Cancelled: self._cancelled,
            events.Moved: self._moved,
            events.Replaced: self._replaced,
            events.QueueSet: self._queue_set,
            events.QueueDropped: self._queue_dropped,
            events.Forgotten: self._forgotten,
            events.Paused: self._paused,
            events.Resumed: self._resumed,
            events.ClockStepped: self._clock_stepped,
        }

    # --- what the owner asks ---------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many tasks wait (for their time, or for a free worker)."""
        return len(self.tasks) - len(self.leased)

    @property
    def runs(self) -> Line[Task]:
        """The live tasks of the schedules."""
        return self.schedules.runs

    @property
    def memory(self) -> int:
        """What tasks and keys take in memory, bytes: an estimate."""
        return self.size + self.keys.size

    def difference(self) -> int:
        """0, always: what was accepted is waiting, in flight, or has ended."""
        counts = self.counts
        ended = counts.succeeded + counts.dead + counts.expired + counts.cancelled
        return counts.accepted - self.waiting - len(self.leased) - ended

    # --- the one mutator --------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Change the queue as ``event`` says; or raise IllegalEvent, and do not."""
        self._mutators[type(event)](event)
        self.latest = event.at

    def _pushed(self, event: events.Pushed) -> None:
        next_state(self.tasks.get(event.id), event)
        self._add(event.id, event.spec, "", 0.0, event.eta, event.terms)
        if event.terms.key:
            self.keys.add(event.terms.key, event.id, event.at)

    def _scheduled(self, event: events.Scheduled) -> None:
        self.schedules.add(event, self.tasks.get(event.id))

    def _recurred(self, event: events.Recurred) -> None:
        next_state(self.tasks.get(event.id), event)
        schedule = self.schedules.to_recur(event.id)
        id, _, slot, eta = event
        self._add(id, schedule.spec, schedule.text, slot, eta, schedule.terms)

    def _unscheduled(self, event: events.Unscheduled) -> None:
        self.schedules.drop(event, self.tasks.get(event.id))

    def _leased(self, event: events.Leased) -> None:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        task.state = state
        task.attempts = event.attempt
        if event.attempt == 1:
            task.begun_at = event.at
        self.leased[task.id] = task
        self.turns.begin(task, event.at)

    def _succeeded(self, event: events.Succeeded) -> None:
        task = self._end(event)
        task.last_run_at = event.at
        self.counts.succeeded += 1
        self._remember(self.succeeded, task)

    def _failed(self, event: events.Failed) -> None:
        self._return(event)

    def _deferred(self, event: events.Deferred) -> None:
        task = self._return(event)
        task.attempts -= 1
        if task.attempts == 0:
            task.begun_at = 0.0

    def _return(self, event: events.Failed | events.Deferred) -> Task:
        """A task comes back from an attempt, and waits for another."""
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.leased[task.id]
        self.turns.end(task, event.at)
        task.state = state
        self._note_failure(task, event)
        self._wait(task, event.eta)
        return task

    def _died(self, event: events.Died) -> None:
        task = self._end(event)
        self._note_failure(task, event)
        self.counts.dead += 1
        self._remember(self.dead, task)

    def _expired(self, event: events.Expired) -> None:
        task = self._end(event)
        self.counts.expired += 1
        self._remember(self.expired, task)

    def _cancelled(self, event: events.Cancelled) -> None:
        self._drop(self._end(event))
        self.counts.cancelled += 1

    def _moved(self, event: events.Moved) -> None:
        task = self.tasks.get(event.id)
        next_state(task, event)
        assert task is not None
        self.turns.remove(task)
        self._wait(task, event.eta)

    def _replaced(self, event: events.Replaced) -> None:
        task = self.tasks.get(event.id)
        next_state(task, event)
        assert task is not None
        if task.terms.key:
            self.keys.let_go(task.terms.key, task.id)
        self.size -= size_of(task)
        if self.turns.replace(task, event.terms, event.eta):
            # In a dump, too, it stands behind those of its new group.
            self.tasks[task.id] = self.tasks.pop(task.id)
        task.spec = event.spec
        self.size += size_of(task)
        if task.terms.key:
            self.keys.add(task.terms.key, task.id, event.at)

    def _queue_set(self, event: events.QueueSet) -> None:
        name, at, configured, changed = event
        self.turns.set_queue(name, configured, changed, at)

    def _queue_dropped(self, event: events.QueueDropped) -> None:
        self.turns.drop_queue(event.name)

    def _forgotten(self, event: events.Forgotten) -> None:
        if event.id not in self.dead:
            raise IllegalEvent(f"there is no dead letter {event.id} to forget")
        self._drop(self.dead.drop(event.id))

    def _paused(self, event: events.Paused) -> None:
        self.paused = True

    def _resumed(self, event: events.Resumed) -> None:
        self.paused = False

    def _clock_stepped(self, event: events.ClockStepped) -> None:
        # Runs of schedules are moved by events of their own.
        skew, tasks = self.skew, self.tasks.values()
        self.skew = event.skew
        for task in [one for one in tasks if one.waits_for_the_clock(skew)]:
            special = task.terms.special
            assert special is not None
            assert special.eta is not None
            self.turns.remove(task)
            self._wait(task, special.eta - event.skew)

    # --- shared by the mutators -------------------------------------------------------

    def _add(
        self,
        id: str,
        spec: bytes,
        schedule: str,
        slot: float,
        eta: float,
        terms: Terms,
    ) -> None:
        task = Task(id, spec, schedule, slot, eta, 0, terms=terms)
        self.tasks[id] = task
        self.size += size_of(task)
        self.counts.accepted += 1
        self.turns.add(task)
        if schedule:
            self.schedules.join(task)

    def _wait(self, task: Task, eta: float) -> None:
        """A task that has lived for a while waits from now on, for ``eta``."""
        if task.schedule:
            self.schedules.leave(task)
        task.eta = eta
        self.turns.add(task)
        if task.schedule:
            self.schedules.join(task)

    def _end(
        self, event: events.Succeeded | events.Died | events.Expired | events.Cancelled
    ) -> Task:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.tasks[task.id]
        if self.leased.pop(task.id, None) is None:
            self.turns.remove(task)
        else:
            self.turns.end(task, event.at)
        self.turns.leave(task)
        if task.schedule:
            status = getattr(event, "status", task.error_status)
            self.schedules.end(task, state, event.at, status)
        task.state = state
        if task.terms.key:
            self.keys.end(task.terms.key, task.id, event.at)
        return task

    def _note_failure(
        self, task: Task, event: events.Failed | events.Deferred | events.Died
    ) -> None:
        self.size += len(event.error) - len(task.error or b"")
        task.last_run_at = event.at
        task.error_status = event.status
        task.error = event.error

    def _remember(self, kept: Kept, task: Task) -> None:
        """A task has ended, and is kept for a while."""
        for gone in self.remembered.take(kept, task):
            self._drop(gone)

    def _drop(self, task: Task) -> None:
        """A task is kept no more."""
        self.size -= size_of(task)

    # --- dump and load ----------------------------------------------------------------

    def load(
        self,
        *,
        tasks: list[Task],
        schedules: list[Schedule],
        succeeded: list[Task],
        dead: list[Task],
        counts: Counts,
        paused: bool,
        skew: float,
        latest: float = 0.0,
        keys: Iterable[EndedKey] = (),
        expired: Iterable[Task] = (),
        queues: Iterable[QueueRow] = (),
    ) -> None:
        """Take over the state that a dump holds. The queue must be new.

        ``tasks``: in order of acceptance; ``keys``: those of tasks that have ended, in
        order of ending.
        """
        self.tasks = {task.id: task for task in tasks}
        self.leased = {t.id: t for t in tasks if t.state is State.LEASED}
        self.schedules.load(schedules, self.tasks)
        self.succeeded.load(succeeded)
        self.dead.load(dead)
        self.counts = Counts(*(getattr(counts, f.name) for f in fields(Counts)))
        self.paused = paused
        self.skew = skew
        self.latest = latest
        live = ((task.terms.key, task.id) for task in tasks if task.terms.key)
        self.keys.load(live, keys)
        self.expired.load(expired)
        known = (*tasks, *self.remembered)
        self.size = sum(map(size_of, known))
        last_order = max((task.order for task in known), default=0)
        for row in queues:
            self.turns.set_queue(row.name, row.configured, row.changed, latest)
            self.turns.queues[row.name].resume(row.spent_until)
        self.turns.load(tasks, last_order)
