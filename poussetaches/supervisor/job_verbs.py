"""What the second ancestor lists of tasks, by verb: thin, as in ``handlers.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poussetaches.errors import ChannelError, NotFound
from poussetaches.model import listing
from poussetaches.model.attempt import LONGEST_EXCERPT
from poussetaches.model.line import Position, position
from poussetaches.model.lookup import find
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Task
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.list_verbs import read_lists

View = tuple[Any, ...]


class JobVerbs:
    """``view``: what a task is for the public."""

    def __init__(self, keeper: Keeper, view: Callable[[Task], View]) -> None:
        self._keeper = keeper
        self._view = view

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {"jobs": self._jobs}

    def _jobs(
        self, lists: Any, limit: int, last_id: str | None
    ) -> list[tuple[View, bytes | None]]:
        """Tasks of ``lists`` behind that of ``last_id``, each with the beginning of its
        result; none if there are no others."""
        if not isinstance(limit, int) or limit < 1:
            raise ChannelError(f"a page of {limit!r:.50} jobs")
        if not isinstance(last_id, str | None):
            raise ChannelError(f"jobs behind {last_id!r:.50}")
        queue, names = self._keeper.queue, read_lists(lists)
        after = None if last_id is None else _place(queue, names, last_id)
        found = listing.tasks(queue, names, limit=limit, after=after)
        return [(self._view(task), _beginning(task)) for task in found.tasks]


def _place(queue: TaskQueue, lists: list[str], id: str) -> Position:
    """Where a task stands in every list that has it, also if that is another one by
    now: it takes its place along."""
    kept = {"succeeded": queue.succeeded, "dead": queue.dead, "expired": queue.expired}
    # The next run of a schedule has the same id, and stands elsewhere.
    runs = (kept[name][id] for name in lists if id in kept.get(name, ()))
    try:
        where: Position = position(next(runs, None) or find(queue, id))
    except NotFound:
        raise NotFound(
            f"last_uid: there is no job {id:.50} any more, or there never was: begin"
            " again without it",
            field="last_uid",
        ) from None
    return where


def _beginning(task: Task) -> bytes | None:
    return task.past[-1].excerpt[:LONGEST_EXCERPT] if task.past else None
