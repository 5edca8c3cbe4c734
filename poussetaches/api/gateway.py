"""The gateway: what the views ask of the supervisor, through the channel."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore

from poussetaches.channel.client import Channel
from poussetaches.channel.messages import submission, unseal
from poussetaches.errors import Unavailable
from poussetaches.model.filter import Filter
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import LastRun, Terms
from poussetaches.schema import (
    Edit,
    History,
    OriginView,
    PushRequest,
    ScheduleView,
    TaskView,
    WhyView,
    history_json,
    stats_json,
)

#: Slices of lists that are under way at the same time.
PAGES_AT_ONCE = 2
#: Between two slices of what takes long, seconds: about as long as one takes, so that
#: the supervisor has as much time again for all else.
BREATH = 0.001
#: The longest of these rests: what a slice took may have been a wait for the disk.
LONGEST_BREATH = 0.25
#: For how long a request waits until dead letters are grouped, seconds: that goes on
#: where it was when it is asked for again.
GROUPING_TIME = 10.0
#: A page ends after the slice that brings its specs to this many bytes.
PAGE_BYTES = 1024 * 1024
#: For how long is searched for the tasks of one page, seconds.
SEARCH_TIME = 0.012


class Gateway:
    """Every method raises what the supervisor says no with (a PousseTachesError)."""

    def __init__(self, channel: Channel, rules: Rules, *, max_payload: int) -> None:
        self._channel = channel
        # Pages are long, and wait in the supervisor's memory until they are sent.
        self._pages = BoundedSemaphore(PAGES_AT_ONCE)
        #: The reader of schedules, for those who must refuse one early.
        self.rules = rules
        #: Bytes that the payload of a task may have, for the same.
        self.max_payload = max_payload
        #: The queues there are, by name: a push may say less where one says the rest.
        self.queues: dict[str, QueueSettings] = {}

    def push(self, requests: Sequence[PushRequest]) -> list[str]:
        """Submit tasks, all or none; returns their ids, in order, when on disk.

        Another id than that of a request is that of the task that was pushed with the
        same key before.
        """
        return self._channel.push([submission(*request) for request in requests])

    def status(self) -> dict[str, Any]:
        """The short answer to how the service is."""
        answered: dict[str, Any] = self._channel.call("status")
        return answered

    def stats(self) -> dict[str, Any]:
        """The long one: see ``stats_json``."""
        told: dict[str, Any] = self._channel.call("stats")
        queues: list[Sequence[Any]] = []
        # Bit by bit, so that others have their turn.
        is_over = False
        while not is_over:
            after = queues[-1][0] if queues else ""
            some, is_over = self._channel.call("queue_stats", after=after)
            queues += some
        return stats_json(told, queues)

    def history(self, span: str) -> dict[str, Any]:
        """What was in one of SPANS, point by point: see ``history_json``."""
        return history_json(self._channel.call("history", span=span))

    def page(
        self,
        lists: Sequence[str],
        filter: Filter,
        *,
        limit: int,
        cursor: str | None,
    ) -> tuple[list[TaskView], int | None, str | None]:
        """Tasks of lists that fit, how many there are in all if that is known, and
        where the next page begins. It may be short, even empty, where few fit: then so
        far has been searched in the time that a page may take."""
        if filter.cause is not None:
            # They are known by it when they are grouped: after a start, not yet.
            self.group_dead()
        views: list[TaskView] = []
        size = 0
        until = time.monotonic() + SEARCH_TIME
        while True:
            with self._pages:
                some = self._channel.call(
                    "page",
                    lists=lists,
                    filter=filter,
                    limit=limit - len(views),
                    cursor=cursor,
                )
            cursor = some["cursor"]
            size += sum(len(fields[1]) for fields in some["tasks"])
            views += [_view(fields) for fields in some["tasks"]]
            if cursor is None or len(views) >= limit or size > PAGE_BYTES:
                break
            if not filter.is_wide and time.monotonic() > until:
                break
        return views, some["total"], cursor

    def count(self, lists: Sequence[str], filter: Filter) -> int:
        """How many tasks of lists fit, in a look at all of them, slice by slice."""
        number = 0
        cursor: str | None = None
        while True:
            with self._pages:
                began = time.monotonic()
                some = self._channel.call(
                    "count", lists=lists, filter=filter, cursor=cursor
                )
            number += int(some["number"])
            cursor = some["cursor"]
            if cursor is None:
                return number
            # With thousands of targets, a slice of what waits takes far longer.
            took = time.monotonic() - began
            gevent.sleep(min(max(BREATH, took), LONGEST_BREATH))

    def group_dead(self) -> None:
        """Have every dead letter stand with its cause. Raises Unavailable if that takes
        long."""
        until = time.monotonic() + GROUPING_TIME
        while True:
            told = self.dead("index")
            if told["is_over"]:
                return
            if time.monotonic() > until:
                raise Unavailable(
                    "The dead letters are still being grouped:"
                    f" {told['grouped']} of {told['total']}."
                )
            gevent.sleep(BREATH)

    def dead(self, verb: str, **asked: Any) -> dict[str, Any]:
        """A slice of some work with dead letters (see ``DeadVerbs``)."""
        with self._pages:
            told: dict[str, Any] = self._channel.call(f"dead_{verb}", **asked)
        return told

    def jobs(
        self, lists: Sequence[str], *, limit: int, last_id: str | None
    ) -> list[tuple[TaskView, bytes | None]]:
        """Tasks of lists behind that of ``last_id``, each with the beginning of its
        result. Only where there are no more there are none."""
        with self._pages:
            rows = self._channel.call("jobs", lists=lists, limit=limit, last_id=last_id)
        return [(_view(fields), result) for fields, result in rows]

    def queue_views(self) -> list[dict[str, Any]]:
        """Every queue (see ``QueueKeeper.view``)."""
        answered: list[dict[str, Any]] = self._channel.call("queues")
        return answered

    def queue_view(self, name: str) -> dict[str, Any]:
        """One queue. Raises NotFound, too."""
        answered: dict[str, Any] = self._channel.call("queue", name=name)
        return answered

    def set_queue(self, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Make or change a queue; what is then to be seen of it, and ``is_new``."""
        answered: dict[str, Any] = self._channel.call(
            "queue_set", name=name, changes=changes
        )
        return answered

    def drop_queue(self, name: str) -> None:
        """Do without a queue."""
        self._channel.call("queue_drop", name=name)

    def purge_queue(self, name: str) -> int:
        """Cancel what waits in a queue; how many tasks."""
        cancelled: int = 0
        # Bit by bit, so that others have their turn.
        while True:
            answered = self._channel.call("queue_purge", name=name)
            cancelled += answered["cancelled"]
            if answered["is_over"]:
                return cancelled

    def task(self, id: str) -> TaskView:
        """A task, whatever has become of it."""
        return _whole_view(self._channel.call("task", id=id))

    def cancel(self, id: str) -> TaskView:
        """End a task before its time; as it is then."""
        return _whole_view(self._channel.call("cancel", id=id))

    def run(self, id: str) -> TaskView:
        """Begin an attempt at a waiting task now; as it is then."""
        return _whole_view(self._channel.call("run", id=id))

    def retry(self, id: str, fresh_id: str) -> TaskView:
        """Have a dead letter tried again; as it is then. The run of a schedule becomes
        a task of ``fresh_id``."""
        return _whole_view(self._channel.call("retry", id=id, fresh_id=fresh_id))

    def replace(self, id: str, request: PushRequest) -> TaskView:
        """Make a waiting task another one under its id; as it is then."""
        asked = submission(*request)
        return _whole_view(self._channel.call("replace", id=id, submission=asked))

    def editable(self, id: str) -> tuple[TaskView, int]:
        """A task that waits, and which version of it that is."""
        told = self._channel.call("editable", id=id)
        return _whole_view(told["task"]), told["version"]

    def edit(self, id: str, version: int, edit: Edit) -> TaskView:
        """Make that version of a waiting task what it shall be; as it is then."""
        asked = submission(*edit.request)
        return _whole_view(
            self._channel.call(
                "edit",
                id=id,
                version=version,
                submission=asked,
                keeps_time=not edit.is_timed,
            )
        )

    def why(self, id: str) -> WhyView:
        """Why a task is not running."""
        return WhyView._make(self._channel.call("why", id=id))

    def origins(self, *, in_trouble: bool = False) -> tuple[list[OriginView], int, int]:
        """Some origins, those in trouble first, or alone; how many there are, and are
        held."""
        told = self._channel.call("origins", in_trouble=in_trouble)
        views = [OriginView._make(fields) for fields in told["origins"]]
        return views, told["total"], told["held"]

    def lift(self, origin: str | None) -> int:
        """Let an origin go on, or all; how many had been kept from it. Raises NotFound,
        too."""
        lifted: int = self._channel.call("origins_lift", origin=origin)
        return lifted

    def pause(self) -> None:
        """Lease nothing from now on."""
        self._channel.call("pause")

    def resume(self) -> None:
        """Lease again."""
        self._channel.call("resume")

    def schedules(
        self, *, limit: int, cursor: str | None
    ) -> tuple[list[ScheduleView], int, str | None]:
        """Schedules, how many there are in all, and where the next page begins."""
        with self._pages:
            page = self._channel.call("schedules", limit=limit, cursor=cursor)
        views = [_schedule(fields) for fields in page["schedules"]]
        return views, page["total"], page["cursor"]

    def schedule(self, schedule: str) -> ScheduleView:
        """The schedule of that id or name."""
        return _schedule(self._channel.call("schedule", schedule=schedule))

    def run_schedule(self, schedule: str, task_id: str) -> None:
        """Push what it runs as a task of that id."""
        self._channel.call("schedule_run", schedule=schedule, task_id=task_id)

    def pause_schedule(self, schedule: str) -> ScheduleView:
        """No run of it comes from now on."""
        return _schedule(self._channel.call("schedule_pause", schedule=schedule))

    def resume_schedule(self, schedule: str) -> ScheduleView:
        """Its runs come again."""
        return _schedule(self._channel.call("schedule_resume", schedule=schedule))

    def drop_schedule(self, schedule: str) -> ScheduleView:
        """Drop it; as it was."""
        return _schedule(self._channel.call("schedule_drop", schedule=schedule))

    def unschedule(self) -> None:
        """Drop every schedule."""
        self._channel.call("unschedule")


def _view(fields: Sequence[Any]) -> TaskView:
    """A task as it came over the channel."""
    id, spec, *rest, terms = fields
    return TaskView._make((id, unseal(spec), *rest, Terms.of(terms), None))


def _whole_view(fields: Sequence[Any]) -> TaskView:
    """The same, with what has become of the task."""
    *view, history = fields
    return _view(view)._replace(history=History.of(history))


def _schedule(fields: Sequence[Any]) -> ScheduleView:
    """A schedule as it came over the channel."""
    id, spec, rule, terms, *rest, last = fields
    kept = None if last is None else LastRun(*last)
    return ScheduleView._make((id, unseal(spec), rule, Terms.of(terms), *rest, kept))
