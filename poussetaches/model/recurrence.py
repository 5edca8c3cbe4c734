"""What shall happen to schedules and their runs: decisions, as in ``decisions.py``."""

from __future__ import annotations

from collections.abc import Iterator

from poussetaches.errors import InvalidInput
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Event,
    Moved,
    Recurred,
    Scheduled,
    Unscheduled,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import State, Submission, Task, Terms


def schedule(
    queue: TaskQueue, submission: Submission, now: float, rules: Rules
) -> list[Event]:
    """Accept a schedule. One that exists already is left as it is: no events."""
    id, spec, delay, text, terms = submission
    if id in queue.schedules:
        return []
    events: list[Event] = [Scheduled(id, now, text, spec, Terms.of(terms))]
    if id not in queue.tasks:
        ahead = slots_ahead(queue, text, rules)
        slot = rules.first(text, now + ahead + delay)
        events.append(Recurred(id, now, slot, slot - ahead))
    return events


def unschedule(queue: TaskQueue, now: float) -> list[Event]:
    """Drop every schedule and its waiting run. A run in flight ends as it ends."""
    events: list[Event] = []
    for id in queue.schedules:
        events.append(Unscheduled(id, now))
        run = queue.tasks.get(id)
        if run is not None and run.state is State.WAITING:
            events.append(Cancelled(id, now))
    return events


def step_clock(queue: TaskQueue, skew: float, now: float, rules: Rules) -> list[Event]:
    """The wall clock was set. Runs named by the wall clock move, delays stay."""
    events: list[Event] = [ClockStepped(now, skew)]
    for id, schedule in queue.schedules.items():
        run = queue.tasks.get(id)
        if (
            run is not None
            and run.state is State.WAITING
            and run.attempts == 0
            and _follows_wall_clock(schedule.text, rules)
        ):
            events.append(Moved(id, now, run.slot - skew))
    return events


def slots_ahead(queue: TaskQueue, schedule: str, rules: Rules) -> float:
    """How far the clock by which a schedule's slots are named is ahead of the timeline.

    A rule of fields names moments of the wall clock. One that counts from run to run
    takes no notice of anybody setting it.
    """
    return queue.skew if _follows_wall_clock(schedule, rules) else 0.0


def _follows_wall_clock(schedule: str, rules: Rules) -> bool:
    try:
        return rules.follows_wall_clock(schedule)
    except InvalidInput:
        return False  # no longer readable (see recur): it will not run again


def recur(
    queue: TaskQueue, task: Task, now: float, rules: Rules
) -> Iterator[Recurred | Unscheduled]:
    schedule = queue.schedules.get(task.id) if task.schedule else None
    if schedule is None:
        return
    try:
        ahead = slots_ahead(queue, schedule.text, rules)
        slot = rules.following(schedule.text, task.slot, now + ahead)
    except InvalidInput:
        # It was readable when it was pushed, so a newer croniter must think otherwise.
        yield Unscheduled(task.id, now)
    else:
        yield Recurred(task.id, now, slot, slot - ahead)
