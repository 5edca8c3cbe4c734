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
from poussetaches.model.counts import Counts
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Died,
    Event,
    Failed,
    Forgotten,
    Leased,
    Moved,
    Paused,
    Pushed,
    Recurred,
    Rescheduled,
    Resumed,
    Scheduled,
    SchedulePaused,
    ScheduleResumed,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.kept import Kept
from poussetaches.model.keys import EndedKey, Keys
from poussetaches.model.lifecycle import next_state
from poussetaches.model.line import Line
from poussetaches.model.schedules import Schedules
from poussetaches.model.task import Schedule, State, Task, Terms
from poussetaches.model.turns import Turns

#: What a task takes in memory beside its spec and its error, bytes: measured, with its
#: places in the lists.
TASK_SIZE = 400


class TaskQueue:
    """See the module. ``retain_succeeded``: how many of those to remember;
    ``key_ttl``: for how long the key of a task is known after its end, seconds."""

    def __init__(
        self, *, retain_succeeded: int = 1000, key_ttl: float = math.inf
    ) -> None:
        #: Live tasks (waiting or leased), by id.
        self.tasks: dict[str, Task] = {}
        #: Those of them that a worker holds.
        self.leased: dict[str, Task] = {}
        #: Which of the others is next.
        self.turns = Turns()
        self.schedules = Schedules()
        #: The last that succeeded, and all dead ones.
        self.succeeded = Kept()
        self.dead = Kept()
        self.keys = Keys(key_ttl)
        #: What the tasks take in memory, bytes: an estimate.
        self.size = 0
        self.counts = Counts()
        self.paused = False
        #: Wall clock minus timeline, seconds.
        self.skew = 0.0
        #: When the last event happened, on the timeline.
        self.latest = 0.0
        self.retain_succeeded = retain_succeeded
        self._mutators: dict[type[Event], Callable[..., None]] = {
            Pushed: self._pushed,
            Scheduled: self._scheduled,
            Recurred: self._recurred,
            Unscheduled: self._unscheduled,
            Rescheduled: self.schedules.change,
            SchedulePaused: self.schedules.pause,
            ScheduleResumed: self.schedules.resume,
            Leased: self._leased,
            Succeeded: self._succeeded,
            Failed: self._failed,
            Died: self._died,
            Cancelled: self._cancelled,
            Moved: self._moved,
            Forgotten: self._forgotten,
            Paused: self._paused,
            Resumed: self._resumed,
            ClockStepped: self._clock_stepped,
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
        ended = self.counts.succeeded + self.counts.dead + self.counts.cancelled
        return self.counts.accepted - self.waiting - len(self.leased) - ended

    # --- the one mutator --------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Change the queue as ``event`` says; or raise IllegalEvent, and do not."""
        self._mutators[type(event)](event)
        self.latest = event.at

    def _pushed(self, event: Pushed) -> None:
        next_state(self.tasks.get(event.id), event)
        self._add(event.id, event.spec, "", 0.0, event.eta, event.terms)
        if event.terms.key:
            self.keys.add(event.terms.key, event.id, event.at)

    def _scheduled(self, event: Scheduled) -> None:
        self.schedules.add(event, self.tasks.get(event.id))

    def _recurred(self, event: Recurred) -> None:
        next_state(self.tasks.get(event.id), event)
        schedule = self.schedules.to_recur(event.id)
        id, _, slot, eta = event
        self._add(id, schedule.spec, schedule.text, slot, eta, schedule.terms)

    def _unscheduled(self, event: Unscheduled) -> None:
        self.schedules.drop(event, self.tasks.get(event.id))

    def _leased(self, event: Leased) -> None:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        task.state = state
        task.attempts = event.attempt
        if event.attempt == 1 and not task.begun_at:
            task.begun_at = event.at
        self.leased[task.id] = task
        self.turns.begin(task)

    def _succeeded(self, event: Succeeded) -> None:
        task = self._end(event)
        task.last_run_at = event.at
        self.counts.succeeded += 1
        self._drop(self.succeeded.put(task))
        for _ in range(len(self.succeeded) - self.retain_succeeded):
            self._drop(self.succeeded.drop_oldest())

    def _failed(self, event: Failed) -> None:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.leased[task.id]
        self.turns.end(task)
        task.state = state
        self._note_failure(task, event)
        self._wait(task, event.eta)

    def _died(self, event: Died) -> None:
        task = self._end(event)
        self._note_failure(task, event)
        self.counts.dead += 1
        self._drop(self.dead.put(task))

    def _cancelled(self, event: Cancelled) -> None:
        self._drop(self._end(event))
        self.counts.cancelled += 1

    def _moved(self, event: Moved) -> None:
        task = self.tasks.get(event.id)
        next_state(task, event)
        assert task is not None
        self.turns.remove(task)
        self._wait(task, event.eta)

    def _forgotten(self, event: Forgotten) -> None:
        if event.id not in self.dead:
            raise IllegalEvent(f"there is no dead letter {event.id} to forget")
        self._drop(self.dead.drop(event.id))

    def _paused(self, event: Paused) -> None:
        self.paused = True

    def _resumed(self, event: Resumed) -> None:
        self.paused = False

    def _clock_stepped(self, event: ClockStepped) -> None:
        self.skew = event.skew

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
        self.size += TASK_SIZE + len(spec)
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

    def _end(self, event: Succeeded | Died | Cancelled) -> Task:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.tasks[task.id]
        if self.leased.pop(task.id, None) is None:
            self.turns.remove(task)
        else:
            self.turns.end(task)
        if task.schedule:
            status = task.error_status if isinstance(event, Cancelled) else event.status
            self.schedules.end(task, state, event.at, status)
        task.state = state
        if task.terms.key:
            self.keys.end(task.terms.key, task.id, event.at)
        return task

    def _note_failure(self, task: Task, event: Failed | Died) -> None:
        self.size += len(event.error) - len(task.error or b"")
        task.last_run_at = event.at
        task.error_status = event.status
        task.error = event.error

    def _drop(self, task: Task | None) -> None:
        """A task is kept no more."""
        if task is not None:
            self.size -= _size(task)

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
    ) -> None:
        """Take over the state that a dump holds. The queue must be new.

        ``keys``: those of tasks that have ended, in order of ending.
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
        known = (*tasks, *succeeded, *dead)
        self.size = sum(map(_size, known))
        last_order = max((task.order for task in known), default=0)
        self.turns.load(tasks, last_order)


def _size(task: Task) -> int:
    return TASK_SIZE + len(task.spec) + len(task.error or b"")
