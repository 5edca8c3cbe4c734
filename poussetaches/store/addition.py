"""Tasks from elsewhere, and the queue that has them beside its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.model.decisions import Policy
from poussetaches.model.events import Recurred, Unscheduled
from poussetaches.model.expiries import expires_at
from poussetaches.model.keys import EndedKey
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import slots_ahead, special
from poussetaches.model.task import Schedule, State, Task
from poussetaches.store.wallclock import schedule_to_timeline, to_timeline


class Addition(NamedTuple):
    """What is to be added."""

    schedules: list[Schedule]
    #: In any state; those that have ended in the order of ending. Times by the wall
    #: clock, and places (``order``) that mean something among these tasks only.
    tasks: list[Task]
    #: Whether they come from a queue that was paused.
    paused: bool = False


@dataclass
class Tally:
    """What became of an addition."""

    #: How many tasks were added.
    tasks: dict[State, int] = field(default_factory=dict)
    schedules: int = 0
    #: Ids that the queue knew before, of which nothing was added.
    skipped: set[str] = field(default_factory=set)
    #: Whether the queue is paused because the other one was.
    paused: bool = False


def add(
    queue: TaskQueue, addition: Addition, now: float, policy: Policy
) -> tuple[TaskQueue, Tally]:
    """A new queue with the content of both; an id that ``queue`` knows is skipped.

    ``queue`` stays as it is. A schedule that comes without its next run gets one. The
    pause comes along only if ``queue`` has never had a task. ``now``: posix seconds.
    """
    tally = Tally()
    known = {
        *queue.tasks,
        *queue.schedules,
        *queue.succeeded,
        *queue.dead,
        *queue.expired,
    }
    given = {one.id for one in addition.schedules}
    given.update(task.id for task in addition.tasks)
    tally.skipped = known & given
    schedules = [
        schedule_to_timeline(one, queue, policy)
        for one in addition.schedules
        if one.id not in known
    ]
    new = [task for task in addition.tasks if task.id not in known]
    own = [
        *queue.tasks.values(),
        *queue.succeeded.values(),
        *queue.dead.values(),
        *queue.expired.values(),
    ]
    place = max((task.order for task in own), default=0)
    places = {id(task): n for n, task in enumerate(sorted(new, key=_order), place + 1)}
    tasks: dict[State, list[Task]] = {state: [] for state in State}
    for task in new:
        moved = to_timeline(task, queue, policy)
        tasks[task.state].append(replace(moved, order=places[id(task)]))
    tally.tasks = {state: len(some) for state, some in tasks.items()}
    tally.schedules = len(schedules)
    tally.paused = addition.paused and not queue.paused and not queue.counts.accepted
    both = TaskQueue(retain_succeeded=queue.remembered.retain)
    both.load(
        tasks=_joined(queue.tasks, tasks[State.WAITING], tasks[State.LEASED]),
        schedules=[*queue.schedules.values(), *schedules],
        succeeded=_joined(queue.succeeded, tasks[State.SUCCEEDED]),
        dead=_joined(queue.dead, tasks[State.DEAD]),
        expired=_joined(queue.expired, tasks[State.EXPIRED]),
        queues=[one.row for one in queue.turns.queues.values()],
        counts=replace(
            queue.counts,
            accepted=queue.counts.accepted + len(new),
            succeeded=queue.counts.succeeded + len(tasks[State.SUCCEEDED]),
            dead=queue.counts.dead + len(tasks[State.DEAD]),
            expired=queue.counts.expired + len(tasks[State.EXPIRED]),
        ),
        paused=queue.paused or tally.paused,
        skew=queue.skew,
        latest=queue.latest,
        keys=[*queue.keys.ended(), *_ended_keys(tasks, queue.skew)],
    )
    restart_schedules(both, now, policy)
    return both, tally


def restart_schedules(
    queue: TaskQueue, now: float, policy: Policy
) -> tuple[list[str], list[str]]:
    """Give every schedule without a next run one, unless it is paused. ``now``: posix
    seconds.

    Returns their ids; and those of schedules that cannot be read, and are dropped.
    """
    restarted: list[str] = []
    dropped: list[str] = []
    at = now - queue.skew
    for id, schedule in list(queue.schedules.items()):
        if id in queue.tasks or schedule.paused:
            continue
        try:
            ahead = slots_ahead(queue, schedule.text, policy.rules)
            zone = special(schedule.terms).timezone
            slot = policy.rules.first(schedule.text, at + ahead, zone)
        except InvalidInput:
            queue.apply(Unscheduled(id, at))
            dropped.append(id)
        else:
            queue.apply(Recurred(id, at, slot, slot - ahead))
            restarted.append(id)
    return restarted, dropped


def _ended_keys(tasks: Mapping[State, list[Task]], skew: float) -> list[EndedKey]:
    ended = (State.SUCCEEDED, State.DEAD, State.EXPIRED)
    return [
        EndedKey(task.terms.key, task.id, _ended_at(task, skew))
        for state in ended
        for task in tasks[state]
        if task.terms.key
    ]


def _ended_at(task: Task, skew: float) -> float:
    """About when: what expired may never have been delivered."""
    if task.state is not State.EXPIRED:
        return task.last_run_at
    return max(task.last_run_at, expires_at(task) - skew)


def _order(task: Task) -> int:
    return task.order


def _joined(own: Mapping[str, Task], *others: Iterable[Task]) -> list[Task]:
    return [*own.values(), *(task for some in others for task in some)]
