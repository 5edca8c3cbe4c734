"""The schedules: every recurring rule, its live run, and what became of the last one.

A part of the queue: what happens to schedules and to their runs is applied here, by
``TaskQueue.apply`` alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from poussetaches.errors import IllegalEvent
from poussetaches.model.events import (
    Rescheduled,
    Scheduled,
    SchedulePaused,
    ScheduleResumed,
    Unscheduled,
)
from poussetaches.model.line import Line
from poussetaches.model.task import LastRun, Schedule, State, Task

#: Where a schedule stands in the list: whether it has no name, its name, its id.
Place = tuple[bool, str, str]

#: The outcome of a run whose time has passed and that never began.
SKIPPED = "skipped"


class Schedules(Mapping[str, Schedule]):
    """By id, in order of their push. Begins empty.

    A run is a task that has the text of a schedule, and so of no concern to others.
    """

    def __init__(self) -> None:
        self._known: dict[str, Schedule] = {}
        #: The live task of each of them, if it has one.
        self.runs: Line[Task] = Line()

    def __getitem__(self, id: str) -> Schedule:
        return self._known[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, id: object) -> bool:
        return id in self._known

    # --- the list ---------------------------------------------------------------------

    @staticmethod
    def place(schedule: Schedule) -> Place:
        """Where it stands in the list: those with a name first, by their names."""
        special = schedule.terms.special
        name = "" if special is None else special.name
        return not name, name, schedule.id

    def beyond(self, after: Place | None, most: int) -> list[Schedule]:
        """The first ``most`` whose place is beyond ``after`` (None: all), in order."""
        place = self.place
        every = self._known.values()
        some = (one for one in every if after is None or place(one) > after)
        return heapq.nsmallest(most, some, key=place)

    # --- what happens to schedules ----------------------------------------------------

    def add(self, event: Scheduled, run: Task | None) -> None:
        """``run``: one that is live from before the schedule was dropped."""
        if event.id in self._known:
            raise IllegalEvent(f"schedule {event.id} exists already")
        id, _, text, spec, terms = event
        self._known[id] = Schedule(id, text, spec, terms)
        if run is not None and run.schedule:
            self.runs.add(run)

    def change(self, event: Rescheduled) -> None:
        """A run that is live stays what it is."""
        id, _, text, spec, terms = event
        kept = self._find(id, "change")
        self._known[id] = replace(kept, text=text, spec=spec, terms=terms)

    def pause(self, event: SchedulePaused) -> None:
        kept = self._find(event.id, "pause")
        if kept.paused:
            raise IllegalEvent(f"schedule {event.id} is paused already")
        self._known[event.id] = replace(kept, paused=True)

    def resume(self, event: ScheduleResumed) -> None:
        kept = self._find(event.id, "resume")
        if not kept.paused:
            raise IllegalEvent(f"schedule {event.id} is not paused")
        self._known[event.id] = replace(kept, paused=False)

    def drop(self, event: Unscheduled, run: Task | None) -> None:
        """``run``: its live one, which is the run of no schedule from now on."""
        self._find(event.id, "drop")
        del self._known[event.id]
        if run is not None and run.schedule:
            self.runs.remove(run)

    def to_recur(self, id: str) -> Schedule:
        """The schedule a run of which may come. Raises IllegalEvent if none may."""
        kept = self._find(id, "recur")
        if kept.paused:
            raise IllegalEvent(f"schedule {id} is paused, no run of it comes")
        return kept

    # --- what happens to runs ---------------------------------------------------------

    def join(self, run: Task) -> None:
        """``run`` waits from now on, or stands elsewhere."""
        if run.id in self._known:
            self.runs.add(run)

    def leave(self, run: Task) -> None:
        """``run`` is about to stand elsewhere."""
        if run.id in self._known:
            self.runs.remove(run)

    def end(self, run: Task, outcome: State, at: float, status: int) -> None:
        """``run`` has ended. ``status``: of its last attempt, 0 if it had none.

        One that was cancelled before its time has been no run.
        """
        kept = self._known.get(run.id)
        if kept is None:
            return
        self.runs.remove(run)
        said = outcome.value
        if outcome is State.CANCELLED and not run.begun_at:
            if run.eta > at:
                return
            said = SKIPPED
        last = LastRun(run.slot, at, said, run.attempts, status)
        self._known[run.id] = replace(kept, last=last)

    # --- dump and load ----------------------------------------------------------------

    def load(self, schedules: Iterable[Schedule], tasks: Mapping[str, Task]) -> None:
        """Take over ``schedules``, whose runs are among ``tasks``; must be new."""
        self._known = {schedule.id: schedule for schedule in schedules}
        live = (tasks[id] for id in self._known if id in tasks)
        self.runs.load(run for run in live if run.schedule)

    def let_go(self) -> None:
        """Hold on to no run any more: none may be asked for after that."""
        self.runs = Line()

    def _find(self, id: str, what: str) -> Schedule:
        kept = self._known.get(id)
        if kept is None:
            raise IllegalEvent(f"there is no schedule {id} to {what}")
        return kept
