"""What the public may see of the lists of tasks, by verb: thin, as in ``handlers.py``.

Every call does a slice of the work (see ``model/listing.py``) and says where the next
one begins. The api goes on from there, so that others have their turn in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from poussetaches.channel.messages import metadata_of, url_of
from poussetaches.errors import ChannelError, Unavailable
from poussetaches.model import listing
from poussetaches.model.cursor import read_cursor, write_cursor
from poussetaches.model.filter import ALL, Filter
from poussetaches.model.line import Position
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Task
from poussetaches.supervisor.keeper import Keeper

View = tuple[Any, ...]

#: Characters of a text that a filter may name: more than any has.
LONGEST_TEXT = 10_000
#: Ranges of statuses that a filter may have.
MOST_RANGES = 100


class ListVerbs:
    """``view``: what a task is for the public."""

    def __init__(self, keeper: Keeper, view: Callable[[Task], View]) -> None:
        self._keeper = keeper
        self._view = view

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {"page": self._page, "count": self._count}

    def _page(
        self, lists: Any, filter: Any, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        names, asked = read_lists(lists), read_filter(filter)
        most, after = read_limit(limit), read_place(cursor)
        queue = self._keeper.queue
        if asked.cause is not None:
            found = dead_slice(queue, asked, after, limit=most)
        else:
            fits = None if asked.is_wide else asked.test(url_of, metadata_of)
            found = listing.tasks(
                queue, names, limit=most, after=after, filter=asked, fits=fits
            )
        return {
            "tasks": [self._view(task) for task in found.tasks],
            "total": listing.total(queue, names, asked),
            "cursor": write_cursor(found.cursor),
        }

    def _count(self, lists: Any, filter: Any, cursor: str | None) -> dict[str, Any]:
        names, asked, after = (
            read_lists(lists),
            read_filter(filter),
            read_place(cursor),
        )
        queue = self._keeper.queue
        known = listing.total(queue, names, asked)
        if known is not None:
            return {"number": known, "cursor": None}
        fits = asked.test(url_of, metadata_of)
        found = listing.count(queue, names, after=after, filter=asked, fits=fits)
        return {"number": found.number, "cursor": write_cursor(found.cursor)}


def dead_slice(
    queue: TaskQueue,
    filter: Filter,
    after: Position | None,
    *,
    limit: int = listing.SLICE_TASKS,
) -> listing.Slice:
    """Dead letters that fit, also by their cause. Raises Unavailable if they have not
    been grouped yet."""
    fits = None if filter.is_wide else filter.test(url_of, metadata_of)
    if filter.cause is None:
        return listing.tasks(
            queue, ("dead",), limit=limit, after=after, filter=filter, fits=fits
        )
    causes = queue.dead.causes(url_of)
    if not causes.is_complete:
        raise Unavailable("The dead letters have not been grouped yet.")
    return listing.cut(causes.beyond(filter.cause, after), limit, filter, fits)


def read_limit(limit: Any) -> int:
    """How many are wanted, as it came over the channel. Raises ChannelError."""
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ChannelError(f"a page of {limit!r:.50}")
    return limit


def read_lists(lists: Any) -> list[str]:
    """The names of lists, as they came over the channel. Raises ChannelError."""
    if not isinstance(lists, list) or not lists or len(lists) > len(listing.LISTS):
        raise ChannelError(f"tasks of the lists {lists!r:.50}")
    if not all(one in listing.LISTS for one in lists):
        raise ChannelError(f"tasks of the lists {lists!r:.50}")
    return lists


def read_filter(fields: Any) -> Filter:
    """A Filter, as it came over the channel. Raises ChannelError."""
    if not isinstance(fields, list) or len(fields) != len(ALL):
        raise ChannelError(f"a filter of {fields!r:.50}")
    queue, origin, url, statuses, cause, text = fields
    texts = (queue, origin, cause)
    if (
        any(not isinstance(one, str | None) for one in texts)
        or any(len(one) > LONGEST_TEXT for one in texts if one is not None)
        or any(not isinstance(one, bytes) for one in (url, text))
        or any(len(one) > 4 * LONGEST_TEXT for one in (url, text))
        or not isinstance(statuses, list)
        or len(statuses) > MOST_RANGES
    ):
        raise ChannelError(f"a filter of {fields!r:.100}")
    ranges = tuple(_range(one) for one in statuses)
    return Filter(queue, origin, url, ranges, cause, text)


def _range(ends: Any) -> tuple[int, int]:
    match ends:
        case [int(first), int(last)] if NO_ANSWER <= first <= last <= 999:
            return first, last
    raise ChannelError(f"a range of statuses of {ends!r:.50}")


def read_place(cursor: Any) -> Position | None:
    """Where a slice begins, as it came over the channel. Raises ChannelError, and
    InvalidInput for what no slice has ended with."""
    if not isinstance(cursor, str | None):
        raise ChannelError(f"a page after {cursor!r:.50}")
    return read_cursor(cursor)
