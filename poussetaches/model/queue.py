"""The authoritative queue: every live task, the schedules, what ended, and the counts.

The one mutator is ``apply``. Decisions (``decisions.py``) read the queue and return
events; whoever owns the queue writes them down and applies them.

**The timeline.** Every ``at`` and ``eta`` is in seconds on a timeline that starts at
the wall clock and then runs evenly, however the wall clock is set: a delay of an hour
is an hour. ``skew`` is what must be added to get the wall clock of the moment. It is
part of the state, so that a restart continues the same timeline.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields

from poussetaches.errors import IllegalEvent
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Died,
    Event,
    Failed,
    Leased,
    Moved,
    Paused,
    Pushed,
    Recurred,
    Resumed,
    Scheduled,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.lifecycle import next_state
from poussetaches.model.task import Schedule, State, Task

#: A heap entry: eta, order, task. It is stale when the task has moved on.
Entry = tuple[float, int, Task]

#: Below this many stale heap entries it is not worth making the heap anew.
STALE_ENTRIES_ALLOWED = 1000


@dataclass(slots=True)
class Counts:
    """How many tasks took which way since the data directory was begun."""

    accepted: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0


class TaskQueue:
    """See the module. ``retain_succeeded``: how many of those to remember."""

    def __init__(self, *, retain_succeeded: int = 1000) -> None:
        #: Live tasks (waiting or leased), by id.
        self.tasks: dict[str, Task] = {}
        #: Those of them that a worker holds.
        self.leased: dict[str, Task] = {}
        self.schedules: dict[str, Schedule] = {}
        #: The last that succeeded, and all dead ones: by id, in order of ending.
        self.succeeded: OrderedDict[str, Task] = OrderedDict()
        self.dead: dict[str, Task] = {}
        self.counts = Counts()
        self.paused = False
        #: Wall clock minus timeline, seconds.
        self.skew = 0.0
        #: When the last event happened, on the timeline.
        self.latest = 0.0
        self.retain_succeeded = retain_succeeded
        self._heap: list[Entry] = []
        self._orders = 0
        self._mutators: dict[type[Event], Callable[..., None]] = {
            Pushed: self._pushed,
            Scheduled: self._scheduled,
            Recurred: self._recurred,
            Unscheduled: self._unscheduled,
            Leased: self._leased,
            Succeeded: self._succeeded,
            Failed: self._failed,
            Died: self._died,
            Cancelled: self._cancelled,
            Moved: self._moved,
            Paused: self._paused,
            Resumed: self._resumed,
            ClockStepped: self._clock_stepped,
        }

    # --- what the owner asks ---------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many tasks wait (for their time, or for a free worker)."""
        return len(self.tasks) - len(self.leased)

    def next_waiting(self) -> Task | None:
        """The waiting task whose turn is next, due or not; None if none waits."""
        heap = self._heap
        while heap:
            _, order, task = heap[0]
            if task.order == order and task.state is State.WAITING:
                return task
            heapq.heappop(heap)
        return None

    def entries(self) -> list[Entry]:
        """The heap, stale entries and all, for those who read and leave it so."""
        return self._heap

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
        self._add(event.id, event.spec, "", 0.0, event.eta, event.max_retries)

    def _scheduled(self, event: Scheduled) -> None:
        if event.id in self.schedules:
            raise IllegalEvent(f"schedule {event.id} exists already")
        id, _, text, spec, max_retries = event
        self.schedules[id] = Schedule(id, text, spec, max_retries)

    def _recurred(self, event: Recurred) -> None:
        next_state(self.tasks.get(event.id), event)
        schedule = self.schedules.get(event.id)
        if schedule is None:
            raise IllegalEvent(f"there is no schedule {event.id} to recur")
        id, _, slot, eta = event
        self._add(id, schedule.spec, schedule.text, slot, eta, schedule.max_retries)

    def _unscheduled(self, event: Unscheduled) -> None:
        if self.schedules.pop(event.id, None) is None:
            raise IllegalEvent(f"there is no schedule {event.id} to drop")

    def _leased(self, event: Leased) -> None:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        task.state = state
        task.attempts = event.attempt
        self.leased[task.id] = task
        self.next_waiting()  # so that also a replay drops its stale entry

    def _succeeded(self, event: Succeeded) -> None:
        task = self._end(event)
        task.last_run_at = event.at
        self.counts.succeeded += 1
        self.succeeded.pop(task.id, None)
        self.succeeded[task.id] = task
        while len(self.succeeded) > self.retain_succeeded:
            self.succeeded.popitem(last=False)

    def _failed(self, event: Failed) -> None:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.leased[task.id]
        task.state = state
        task.last_run_at = event.at
        task.error_status = event.status
        task.error = event.error
        task.eta = event.eta
        self._enqueue(task)

    def _died(self, event: Died) -> None:
        task = self._end(event)
        task.last_run_at = event.at
        task.error_status = event.status
        task.error = event.error
        self.counts.dead += 1
        self.dead.pop(task.id, None)
        self.dead[task.id] = task

    def _cancelled(self, event: Cancelled) -> None:
        task = self._end(event)
        # Its heap entry may stay for long, and must not keep the payload.
        task.spec = b""
        self.counts.cancelled += 1
        self._drop_stale_entries()

    def _moved(self, event: Moved) -> None:
        task = self.tasks.get(event.id)
        next_state(task, event)
        assert task is not None
        task.eta = event.eta
        self._enqueue(task)
        self._drop_stale_entries()

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
        max_retries: int | None,
    ) -> None:
        task = Task(id, spec, schedule, slot, eta, 0, max_retries=max_retries)
        self.tasks[id] = task
        self.counts.accepted += 1
        self._enqueue(task)

    def _enqueue(self, task: Task) -> None:
        self._orders += 1
        task.order = self._orders
        heapq.heappush(self._heap, (task.eta, task.order, task))

    def _end(self, event: Succeeded | Died | Cancelled) -> Task:
        task = self.tasks.get(event.id)
        state = next_state(task, event)
        assert task is not None
        del self.tasks[task.id]
        self.leased.pop(task.id, None)
        task.state = state
        return task

    def _drop_stale_entries(self) -> None:
        stale = len(self._heap) - self.waiting
        if stale > STALE_ENTRIES_ALLOWED and stale > self.waiting:
            self._reheap()

    def _reheap(self) -> None:
        self._heap = [
            (task.eta, task.order, task)
            for task in self.tasks.values()
            if task.state is State.WAITING
        ]
        heapq.heapify(self._heap)

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
    ) -> None:
        """Take over the state that a dump holds. The queue must be new."""
        self.tasks = {task.id: task for task in tasks}
        self.leased = {t.id: t for t in tasks if t.state is State.LEASED}
        self.schedules = {schedule.id: schedule for schedule in schedules}
        self.succeeded = OrderedDict((task.id, task) for task in succeeded)
        self.dead = {task.id: task for task in dead}
        self.counts = Counts(*(getattr(counts, f.name) for f in fields(Counts)))
        self.paused = paused
        self.skew = skew
        self.latest = latest
        known = (*tasks, *succeeded, *dead)
        self._orders = max((task.order for task in known), default=0)
        self._reheap()
