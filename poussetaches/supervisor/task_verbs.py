"""What the public may ask of one task, by verb: thin, as in ``handlers.py``."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from poussetaches.channel.messages import read_submission
from poussetaches.errors import ChannelError, Conflict
from poussetaches.log import fields
from poussetaches.model import decisions
from poussetaches.model.events import Forgotten
from poussetaches.model.lookup import (
    find,
    find_live,
    find_replaceable,
    find_runnable,
)
from poussetaches.model.revival import find_dead, retry
from poussetaches.model.task import Submission, Task
from poussetaches.model.why import Service, why
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.keeper import Keeper

log = logging.getLogger(__name__)

View = tuple[Any, ...]

#: Characters of a task's id.
TASK_ID = 32


class TaskVerbs:
    """``view``: what a task is for the public; ``check``: raises ChannelError for what
    no push that was checked becomes."""

    def __init__(
        self,
        keeper: Keeper,
        dispatch: Dispatch,
        view: Callable[[Task], View],
        check: Callable[[Submission], None],
    ) -> None:
        self._keeper = keeper
        self._dispatch = dispatch
        self._view = view
        self._check = check

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {
            "task": self._show,
            "why": self._why,
            "cancel": self._cancel,
            "run": self._run,
            "retry": self._retry,
            "replace": self._replace,
            "editable": self._editable,
            "edit": self._edit,
        }

    def _show(self, id: str) -> View:
        _check_id(id)
        return self._view(find(self._keeper.queue, id))

    def _why(self, id: str) -> tuple[Any, ...]:
        """See ``schema.WhyView``."""
        _check_id(id)
        keeper, dispatch = self._keeper, self._dispatch
        queue, now = keeper.queue, keeper.clock.now()
        task = find(queue, id)
        pace = 0.0
        if task.terms.queue in keeper.meters:
            meter = keeper.meters[task.terms.queue]
            pace = keeper.meters.rates([meter], now)["1m"]["attempts"]
        is_full = dispatch.rests(time.monotonic())
        service = Service(
            dispatch.slots, dispatch.free, dispatch.draining, is_full, pace
        )
        reasons, expected = why(queue, task, now, service)
        return (
            id,
            task.state.value,
            task.terms.queue,
            task.terms.origin,
            [
                (code, sentence, self._wall(until), numbers)
                for code, sentence, until, numbers in reasons
            ],
            None if expected is None else self._wall(expected),
            None if expected is None else round(expected - now, 3),
        )

    def _wall(self, moment: float) -> float | None:
        """A moment of the timeline, posix seconds; None: it is none."""
        if math.isinf(moment):
            return None
        return round(moment + self._keeper.queue.skew, 3)

    def _cancel(self, id: str) -> View:
        """Also a dead letter, which is forgotten."""
        _check_id(id)
        queue = self._keeper.queue
        if id not in queue.tasks and id in queue.dead:
            task = queue.dead[id]
            self._keeper.decide(lambda _, now, __: [Forgotten(id, now)])
            log.info("dead letter dropped", extra=fields(task=id))
            return self._view(task)
        task = find_live(queue, id)
        self._keeper.decide(
            lambda queue, now, policy: decisions.cancel(queue, task, now, policy)
        )
        log.info("cancelled", extra=fields(task=id))
        return self._view(task)

    def _run(self, id: str) -> View:
        _check_id(id)
        keeper = self._keeper
        task = find_runnable(keeper.queue, id, keeper.clock.now())
        self._dispatch.begin(task, time.monotonic())
        log.info("run by hand", extra=fields(task=id, attempt=task.attempts))
        return self._view(task)

    def _retry(self, id: str, fresh_id: str) -> View:
        """``fresh_id``: for the task that the run of a schedule becomes."""
        _check_id(id)
        queue = self._keeper.queue
        if not isinstance(fresh_id, str) or len(fresh_id) != TASK_ID:
            raise ChannelError(f"a task with the id {fresh_id!r:.50}")
        if fresh_id in queue.tasks:
            raise ChannelError(f"a task with the id of another, {fresh_id}")
        task = find_dead(queue, id)
        self._keeper.decide(
            lambda queue, now, policy: retry(queue, task, fresh_id, now, policy)
        )
        again = queue.tasks[fresh_id if task.schedule else id]
        log.info("retried", extra=fields(task=again.id))
        return self._view(again)

    def _editable(self, id: str) -> dict[str, Any]:
        _check_id(id)
        task = find_replaceable(self._keeper.queue, id)
        return {"task": self._view(task), "version": task.order}

    def _edit(self, id: str, version: int, submission: Any, keeps_time: bool) -> View:
        """``version``: another one, and somebody has changed it meanwhile."""
        _check_id(id)
        if not isinstance(version, int) or not isinstance(keeps_time, bool):
            raise ChannelError(f"an edit of the version {version!r:.50}")
        asked = self._read(submission)
        task = find_replaceable(self._keeper.queue, id)
        # It has another place in its line after whatever has befallen it.
        if task.order != version:
            raise Conflict("The task was changed meanwhile: look at it again.")
        done = self._keeper.decide(
            lambda queue, now, _: decisions.replace(
                queue, task, asked, now, keeps_time=keeps_time
            )
        )
        if done:
            log.info("edited", extra=fields(task=id))
        return self._view(task)

    def _read(self, submission: Any) -> Submission:
        """What is to take the place of a task."""
        asked = read_submission(submission)
        if asked.schedule:
            raise ChannelError("a schedule in the place of a task")
        self._check(asked)
        return asked

    def _replace(self, id: str, submission: Any) -> View:
        _check_id(id)
        asked = self._read(submission)
        task = find_replaceable(self._keeper.queue, id)
        self._keeper.decide(
            lambda queue, now, _: decisions.replace(queue, task, asked, now)
        )
        log.info("replaced", extra=fields(task=id))
        return self._view(task)


def _check_id(id: object) -> None:
    if not isinstance(id, str):
        raise ChannelError(f"a task of the id {id!r:.50}")
