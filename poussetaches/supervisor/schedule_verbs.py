"""What the api asks about schedules: verbs, as those of ``handlers.py``.

Whoever names a schedule may give its id or its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from poussetaches.errors import ChannelError, InvalidInput, NotFound
from poussetaches.log import fields
from poussetaches.model import recurrence
from poussetaches.model.schedule import schedule_id
from poussetaches.model.schedules import Place, Schedules
from poussetaches.model.task import Schedule, State
from poussetaches.supervisor.keeper import Decision, Keeper

log = logging.getLogger(__name__)

#: The most schedules that a page may have.
LONGEST_PAGE = 1000

#: Characters of a task's id.
TASK_ID = 32


class ScheduleVerbs:
    """Runs in the supervisor's loop, one call at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {
            "unschedule": self._drop_all,
            "schedules": self._page,
            "schedule": self._one,
            "schedule_run": self._run,
            "schedule_pause": self._pause,
            "schedule_resume": self._resume,
            "schedule_drop": self._drop,
        }

    # --- look -------------------------------------------------------------------------

    def _page(self, limit: int, cursor: str | None) -> dict[str, Any]:
        if not isinstance(cursor, str | None):
            raise ChannelError(f"a page after {cursor!r:.50}")
        if not isinstance(limit, int) or limit < 1:
            raise ChannelError(f"a page of {limit!r:.50} schedules")
        limit = min(limit, LONGEST_PAGE)
        schedules = self._keeper.queue.schedules
        after = None if cursor is None else _place(cursor)
        some = schedules.beyond(after, limit + 1)
        following = None
        if len(some) > limit:
            _, name, id = Schedules.place(some[limit - 1])
            following = f"{id} {name}"
        return {
            "schedules": [self._view(one) for one in some[:limit]],
            "total": len(schedules),
            "cursor": following,
        }

    def _one(self, schedule: str) -> tuple[Any, ...]:
        return self._view(self._find(schedule))

    def _view(self, schedule: Schedule) -> tuple[Any, ...]:
        """A schedule for the public, times by the wall clock (see
        ``schema.schedule.ScheduleView``)."""
        keeper = self._keeper
        queue, skew, rules = keeper.queue, keeper.queue.skew, keeper.rules
        behind = recurrence.slots_behind(queue, schedule.text, rules)
        run = queue.tasks.get(schedule.id)
        coming = recurrence.coming(queue, schedule, keeper.clock.now(), rules)
        last = schedule.last
        return (
            schedule.id,
            schedule.spec,
            schedule.text,
            schedule.terms,
            schedule.paused,
            None if coming is None else coming.eta + skew,
            None if coming is None else coming.slot + behind,
            run is not None and run.state is State.LEASED,
            None if last is None else (last.slot + behind, last.at + skew, *last[2:]),
        )

    # --- steer ------------------------------------------------------------------------

    def _run(self, schedule: str, task_id: str) -> str:
        if not isinstance(task_id, str) or len(task_id) != TASK_ID:
            raise ChannelError(f"a task with the id {task_id!r:.50}")
        if task_id in self._keeper.queue.tasks:
            raise ChannelError(f"a task with the id of another, {task_id}")
        id = self._find(schedule).id
        self._do(
            id, "run by hand", lambda q, now, _: recurrence.run_now(q, id, task_id, now)
        )
        return task_id

    def _pause(self, schedule: str) -> tuple[Any, ...]:
        id = self._find(schedule).id
        self._do(id, "paused", lambda q, now, _: recurrence.pause(q, id, now))
        return self._one(id)

    def _resume(self, schedule: str) -> tuple[Any, ...]:
        id = self._find(schedule).id
        self._do(
            id, "resumed", lambda q, now, p: recurrence.resume(q, id, now, p.rules)
        )
        return self._one(id)

    def _drop(self, schedule: str) -> tuple[Any, ...]:
        view = self._one(schedule)
        id = self._find(schedule).id
        self._do(id, "dropped", lambda q, now, _: recurrence.drop(q, id, now))
        return view

    def _drop_all(self) -> int:
        count = len(self._keeper.queue.schedules)
        self._keeper.decide(lambda queue, now, _: recurrence.unschedule(queue, now))
        log.info("schedules dropped", extra=fields(count=count))
        return count

    def _do(self, id: str, done: str, decision: Decision) -> None:
        if self._keeper.decide(decision):
            log.info("schedule %s", done, extra=fields(schedule=id))

    def _find(self, schedule: str) -> Schedule:
        if not isinstance(schedule, str):
            raise ChannelError(f"a schedule named {schedule!r:.50}")
        known = self._keeper.queue.schedules
        by_name = schedule_id("", None, "", name=schedule)
        found = known.get(schedule) or known.get(by_name)
        if found is None:
            raise NotFound(f"there is no schedule {schedule!r:.120}")
        return found


def _place(cursor: str) -> Place:
    id, space, name = cursor.partition(" ")
    if not id or not space:
        raise InvalidInput("cursor: not one that a page gave", field="cursor")
    return not name, name, id
