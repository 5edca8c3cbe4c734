"""What the public may ask and have done about dead letters, by verb: thin, as in
``handlers.py``.

Every call does a slice of the work and says where the next one begins, as those of
``list_verbs.py``. What is done is done with those that had died when it was begun
(``before``): nothing is taken twice that dies again meanwhile.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from typing import Any

from poussetaches.channel.messages import url_of
from poussetaches.errors import ChannelError, Conflict, InvalidInput, Unavailable
from poussetaches.model import revival
from poussetaches.model.causes import Causes, Group, largest
from poussetaches.model.cursor import write_cursor
from poussetaches.model.events import Forgotten
from poussetaches.model.task import Task
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.list_verbs import (
    dead_slice,
    read_filter,
    read_limit,
    read_place,
)

#: For how long a call works before others have their turn, seconds.
SLICE_TIME = 0.001
#: How many dead letters are grouped between two looks at the clock.
STRIDE = 16
#: How many a call may change, and name, at most.
MOST_CHANGED = 64
MOST_IDS = 1000

#: What is shown of a group: its id and cause, how many they are, when the first and the
#: last of them died (posix seconds), and the id of that.
Row = tuple[Any, ...]


class DeadVerbs:
    """Runs in the supervisor's loop, one call at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {
            "dead_index": self._index,
            "dead_groups": self._groups,
            "dead_tally": self._tally,
            "dead_retry": self._retry,
            "dead_delete": self._delete,
        }

    # --- look -------------------------------------------------------------------------

    @property
    def _causes(self) -> Causes:
        return self._keeper.queue.dead.causes(url_of)

    def _index(self) -> dict[str, Any]:
        """Group dead letters for a while; how many of them are."""
        until = time.monotonic() + SLICE_TIME
        while not self._causes.catch_up(STRIDE) and time.monotonic() < until:
            pass
        return {
            "is_over": self._causes.is_complete,
            "grouped": len(self._causes),
            "total": len(self._keeper.queue.dead),
        }

    def _groups(self, filter: Any, limit: int, cursor: Any) -> dict[str, Any]:
        """Groups, the largest first, by what all of a group have in common."""
        asked, after = read_filter(filter), read_place(cursor)
        groups = [one for one in self._causes.groups.values() if one.fits(asked)]
        shown, following = largest(groups, read_limit(limit), after)
        return {
            "groups": [self._row(one) for one in shown],
            "total": sum(one.count for one in groups),
            "causes": len(groups),
            "cursor": write_cursor(following),
        }

    def _row(self, group: Group) -> Row:
        first, last = group.ends
        skew = self._keeper.queue.skew
        ends = first.eta + skew, last.eta + skew
        return (group.id, *group.cause, group.count, *ends, last.task.id)

    def _tally(self, filter: Any, cursor: Any) -> dict[str, Any]:
        """What a slice of dead letters adds to the groups: for filters by which a group
        falls apart."""
        queue = self._keeper.queue
        asked, after = read_filter(filter), read_place(cursor)
        found = dead_slice(queue, asked, after)
        groups: dict[str, list[Task]] = {}
        for task in found.tasks:
            groups.setdefault(self._causes.group_of(task).id, []).append(task)
        rows: list[Row] = []
        for id, tasks in groups.items():
            tasks.sort(key=lambda task: task.last_run_at)
            ends = (one.last_run_at + queue.skew for one in (tasks[0], tasks[-1]))
            cause = self._causes.groups[id].cause
            rows.append((id, *cause, len(tasks), *ends, tasks[-1].id))
        return {"groups": rows, "cursor": write_cursor(found.cursor)}

    # --- steer ------------------------------------------------------------------------

    def _retry(self, **asked: Any) -> dict[str, Any]:
        return self._change(self._retry_one, **asked)

    def _retry_one(self, task: Task) -> None:
        fresh_id = uuid.uuid4().hex
        self._keeper.decide(
            lambda queue, now, policy: revival.retry(queue, task, fresh_id, now, policy)
        )

    def _delete(self, **asked: Any) -> dict[str, Any]:
        return self._change(self._delete_one, **asked)

    def _delete_one(self, task: Task) -> None:
        self._keeper.decide(lambda queue, now, policy: [Forgotten(task.id, now)])

    def _change(
        self,
        change: Callable[[Task], None],
        filter: Any,
        ids: Any,
        before: Any,
        cursor: Any,
        limit: int,
    ) -> dict[str, Any]:
        """``change`` dead letters for a while, and say how far that went.

        ``ids``: instead of a filter. ``before``: posix seconds, None: this moment.
        """
        queue, most = self._keeper.queue, min(read_limit(limit), MOST_CHANGED)
        asked, after = read_filter(filter), read_place(cursor)
        begun = self._begun(before)
        following = None
        tasks: list[Task | None]
        if ids is None:
            found = dead_slice(queue, asked, after, limit=most)
            following = found.cursor
            tasks = [one for one in found.tasks if one.last_run_at <= begun]
        else:
            tasks = [queue.dead.get(id) for id in _read_ids(ids)]
        done = seen = 0
        full: Unavailable | None = None
        until = time.monotonic() + SLICE_TIME
        for task in tasks:
            if done == most or (seen and time.monotonic() > until):
                break
            # Read now: one that comes back stands elsewhere.
            place = None if task is None else asked.position(task)
            try:
                if task is not None and task.last_run_at <= begun:
                    done += _succeeds(change, task)
            except Unavailable as error:
                full = error
                break
            seen += 1
            after = place
        if ids is None and seen < len(tasks):
            following = after
        return {
            "done": done,
            "seen": seen,
            "before": begun + queue.skew,
            "cursor": write_cursor(following),
            "full": full and [full.code, full.message, full.retry_after],
        }

    def _begun(self, before: Any) -> float:
        """When what is to be changed had died, on the timeline."""
        if before is None:
            return self._keeper.clock.now()
        if not isinstance(before, int | float) or not math.isfinite(before):
            raise ChannelError(f"dead letters before {before!r:.50}")
        return before - self._keeper.queue.skew


def _succeeds(change: Callable[[Task], None], task: Task) -> bool:
    """Whether ``task`` could be changed. Raises Unavailable if none can be now."""
    try:
        change(task)
    except (Conflict, InvalidInput):
        return False
    return True


def _read_ids(ids: Any) -> list[str]:
    if not isinstance(ids, list) or len(ids) > MOST_IDS:
        raise ChannelError(f"dead letters of the ids {ids!r:.50}")
    if not all(isinstance(id, str) for id in ids):
        raise ChannelError(f"dead letters of the ids {ids!r:.50}")
    return ids
