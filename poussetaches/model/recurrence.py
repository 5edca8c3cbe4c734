"""What shall happen to schedules and their runs: decisions, as in ``decisions.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from poussetaches.errors import InvalidInput
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Event,
    Moved,
    Pushed,
    Recurred,
    Rescheduled,
    Scheduled,
    SchedulePaused,
    ScheduleResumed,
    Unscheduled,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Schedule, Special, State, Submission, Task, Terms

#: How late a run may begin where missed ones are not made up for, seconds.
IN_TIME = 60.0

#: What nobody asked for.
_USUAL = Special()


def schedule(
    queue: TaskQueue, submission: Submission, now: float, rules: Rules
) -> list[Event]:
    """Accept a schedule. One that exists already is left as it is: no events; unless it
    has a name, by which it is changed in place."""
    id, spec, _, text, terms = submission
    terms = Terms.of(terms)
    kept = queue.schedules.get(id)
    if kept is not None:
        if not special(terms).name:
            return []
        return _change(queue, kept, submission._replace(terms=terms), now, rules)
    events: list[Event] = [Scheduled(id, now, text, spec, terms)]
    if id not in queue.tasks:
        events.append(_first(queue, submission, now, rules))
    return events


def _change(
    queue: TaskQueue, kept: Schedule, asked: Submission, now: float, rules: Rules
) -> list[Event]:
    """A run in flight ends as it ends, and the next one is by what is new."""
    id, spec, _, text, terms = asked
    if (kept.text, kept.spec, kept.terms) == (text, spec, terms):
        return []
    events: list[Event] = [Rescheduled(id, now, text, spec, terms)]
    run = queue.tasks.get(id)
    if kept.paused or (run is not None and run.state is State.LEASED):
        return events
    if run is not None:
        events.append(Cancelled(id, now))
    rule = kept.text, special(kept.terms).timezone
    if run is not None and not _began(run) and rule == (text, special(terms).timezone):
        # The moment stays: what is deployed more often than a rule of "@every" comes
        # round must not put it off again and again.
        events.append(Recurred(id, now, run.slot, run.eta))
    else:
        events.append(_first(queue, asked, now, rules))
    return events


def refuse_contradiction(one: Submission, other: Submission) -> None:
    """Raise InvalidInput if two schedules that are pushed together have one name and
    are not the same: nobody can say which of them is meant."""
    name = special(one.terms).name
    if name and one != other:
        raise InvalidInput(
            f"name: {name!r:.100} stands for two different schedules", field="name"
        )


def drop(queue: TaskQueue, id: str, now: float) -> list[Event]:
    """Drop a schedule and its waiting run. A run in flight ends as it ends."""
    return [Unscheduled(id, now), *_cancel_waiting(queue, id, now)]


def unschedule(queue: TaskQueue, now: float) -> list[Event]:
    """Drop every schedule, as ``drop`` does."""
    return [*chain.from_iterable(drop(queue, id, now) for id in queue.schedules)]


def pause(queue: TaskQueue, id: str, now: float) -> list[Event]:
    """No run of a schedule comes any more. One in flight goes on, one that waits, be it
    for its next attempt, does not. No events if it is paused already."""
    if queue.schedules[id].paused:
        return []
    return [SchedulePaused(id, now), *_cancel_waiting(queue, id, now)]


def resume(queue: TaskQueue, id: str, now: float, rules: Rules) -> list[Event]:
    """Runs of a schedule come again, from its next slot on. No events if it is not
    paused. Raises InvalidInput if its rule cannot be read any more."""
    kept = queue.schedules[id]
    if not kept.paused:
        return []
    events: list[Event] = [ScheduleResumed(id, now)]
    if id not in queue.tasks:
        asked = Submission(id, kept.spec, schedule=kept.text, terms=kept.terms)
        events.append(_first(queue, asked, now, rules))
    return events


def run_now(queue: TaskQueue, id: str, task_id: str, now: float) -> list[Event]:
    """Push what a schedule runs as a task beside its runs, which stay as they are."""
    kept = queue.schedules[id]
    return [Pushed(task_id, now, now, kept.spec, kept.terms)]


def special(terms: Terms) -> Special:
    """What ``terms`` ask for, or what is usual."""
    return terms.special or _USUAL


def step_clock(queue: TaskQueue, skew: float, now: float, rules: Rules) -> list[Event]:
    """The wall clock was set. Runs named by the wall clock move, delays stay."""
    events: list[Event] = [ClockStepped(now, skew)]
    for id, schedule in queue.schedules.items():
        run = queue.tasks.get(id)
        if (
            run is not None
            and run.state is State.WAITING
            and not run.last_run_at  # what asked for a later attempt waits for that
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


def slots_behind(queue: TaskQueue, schedule: str, rules: Rules) -> float:
    """What that clock lacks to the wall clock, seconds."""
    return queue.skew - slots_ahead(queue, schedule, rules)


def _follows_wall_clock(schedule: str, rules: Rules) -> bool:
    try:
        return rules.follows_wall_clock(schedule)
    except InvalidInput:
        return False  # no longer readable (see recur): it will not run again


def recur(
    queue: TaskQueue,
    task: Task,
    now: float,
    rules: Rules,
    pushed: Sequence[Submission] = (),
) -> Iterator[Recurred | Unscheduled]:
    """What follows ``task``, which has ended: the next run, if it was one of a schedule
    that goes on. ``pushed``: together with its end; its schedule may be among them."""
    kept = queue.schedules.get(task.id) if task.schedule else None
    if task.schedule:
        for id, spec, _, text, terms in pushed:
            if id == task.id and (kept is None or special(terms).name):
                paused = kept is not None and kept.paused
                kept = Schedule(id, text, spec, terms, paused)
    if kept is None or kept.paused:
        return
    ahead = slots_ahead(queue, kept.text, rules)
    slot = task.slot
    if task.schedule != kept.text:  # it was changed meanwhile
        slot += ahead - slots_ahead(queue, task.schedule, rules)
    began = task.begun_at or now
    try:
        slot = _slot_after(kept, slot, began + ahead, now + ahead, rules)
    except InvalidInput:
        # It was readable when it was pushed, so a newer croniter must think otherwise.
        yield Unscheduled(task.id, now)
    else:
        # What is late is not due before those that have waited in time.
        yield Recurred(task.id, now, slot, max(slot - ahead, now))


def coming(
    queue: TaskQueue, schedule: Schedule, now: float, rules: Rules
) -> Recurred | None:
    """The run of a schedule that comes next: the one that waits, or what would follow
    the one that has begun if that ended now. None if none comes."""
    run = queue.tasks.get(schedule.id)
    if schedule.paused or run is None:
        return None
    if not _began(run):
        return Recurred(run.id, now, run.slot, run.eta)
    following = next(recur(queue, run, now, rules))
    return following if isinstance(following, Recurred) else None


def skip_missed(queue: TaskQueue, task: Task, now: float, rules: Rules) -> list[Event]:
    """``task`` is due, and its turn has come. If it is the run of a schedule of which
    no missed run is made up for, and it is too late for it, the next one takes its
    place; otherwise no events."""
    terms = task.terms.special
    if (
        terms is None
        or terms.missed != "none"
        or now - task.eta <= IN_TIME
        or _began(task)
        or not task.schedule
        or task.id not in queue.schedules
    ):
        return []
    return [Cancelled(task.id, now), *recur(queue, task, now, rules)]


def _slot_after(
    kept: Schedule, slot: float, began: float, ended: float, rules: Rules
) -> float:
    """The slot after ``slot``, whose run began and ended then, all by the clock of the
    slots. Those up to its begin were missed, those up to its end are overlapped."""
    wishes = special(kept.terms)
    text, zone = kept.text, wishes.timezone
    if wishes.missed == "all":
        following = rules.following(text, slot, slot, zone)
        if following <= began:
            return following
    since = began if wishes.overlap == "queue" else ended
    return rules.following(text, slot, since, zone)


def _first(queue: TaskQueue, asked: Submission, now: float, rules: Rules) -> Recurred:
    ahead = slots_ahead(queue, asked.schedule, rules)
    zone = special(asked.terms).timezone
    slot = rules.first(asked.schedule, now + ahead + asked.delay, zone)
    return Recurred(asked.id, now, slot, slot - ahead)


def _cancel_waiting(queue: TaskQueue, id: str, now: float) -> Iterator[Cancelled]:
    run = queue.tasks.get(id)
    if run is not None and run.state is State.WAITING:
        yield Cancelled(id, now)


def _began(run: Task) -> bool:
    # A store of an older version does not say when.
    return run.attempts > 0 or run.begun_at > 0.0
