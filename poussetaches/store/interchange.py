"""Export and import: everything a queue holds, as lines of JSON, and back.

The lines themselves are ``archive``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import poussetaches
from poussetaches import archive
from poussetaches.errors import InvalidInput
from poussetaches.model.decisions import Policy
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Schedule, Task
from poussetaches.store.addition import Addition
from poussetaches.store.scan import Step
from poussetaches.store.wallclock import schedule_to_wall, to_wall


def line_count(queue: TaskQueue) -> int:
    """How many lines ``export`` makes, the first one not counted."""
    ended = len(queue.succeeded) + len(queue.dead) + len(queue.expired)
    return len(queue.schedules) + len(queue.tasks) + ended


def export(queue: TaskQueue, policy: Policy) -> Iterator[bytes]:
    """The lines of an export: schedules, live tasks, those that succeeded, dead ones.

    Raises PousseTachesError for a task that this version cannot open.
    """
    version = poussetaches.__version__
    lines = line_count(queue)
    yield archive.head_line(
        archive.Head(archive.FORMAT, version, lines, paused=queue.paused)
    )
    for schedule in queue.schedules.values():
        yield archive.schedule_line(schedule_to_wall(schedule, queue, policy))
    for tasks in (queue.tasks, queue.succeeded, queue.dead, queue.expired):
        for task in tasks.values():
            yield archive.task_line(to_wall(task, queue, policy))


def read_export(lines: Iterable[bytes], rules: Rules, step: Step) -> Addition:
    """All of an export, or nothing: raises InvalidInput naming the first bad line."""
    head: archive.Head | None = None
    schedules: dict[str, Schedule] = {}
    #: By id, and whether they have ended: a schedule's last run is beside its next one.
    tasks: dict[tuple[str, str], Task] = {}
    number = 0
    for number, line in enumerate(lines, 1):
        try:
            found = archive.read_line(line, rules)
            if isinstance(found, archive.Head):
                head = _first(found, number)
            elif isinstance(found, Schedule):
                _put(schedules, found.id, found)
            else:
                place = "" if found.state in archive.LIVE else found.state.value
                _put(tasks, (found.id, place), found)
        except InvalidInput as error:
            raise InvalidInput(f"line {number}: {error.message}") from error
        step(len(line))
    if number == 0:
        # The other end of a pipe has failed, most likely.
        raise InvalidInput("there is nothing in it")
    if head is not None and head.lines != number - 1:
        raise InvalidInput(
            f"the export is cut off: {number - 1} of {head.lines} lines follow the "
            "first one"
        )
    for id, schedule in schedules.items():
        run = tasks.get((id, ""))
        if run is not None and run.schedule != schedule.text:
            raise InvalidInput(f"the next run of schedule {id} is not one of it")
    paused = head is not None and head.paused
    return Addition([*schedules.values()], [*tasks.values()], paused)


def _first(head: archive.Head, number: int) -> archive.Head:
    if number > 1:
        raise InvalidInput("another export begins here; import each from its own file")
    return head


Key = TypeVar("Key")
Value = TypeVar("Value")


def _put(known: dict[Key, Value], key: Key, value: Value) -> None:
    if key in known:
        raise InvalidInput("this stands in an earlier line, too")
    known[key] = value
