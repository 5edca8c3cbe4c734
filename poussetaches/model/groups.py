"""Groups: tasks that are delivered in order of their acceptance, one at a time.

Only the first of a group, its head, can have a turn, whether it waits for its time, is
in flight or is to be tried again; those behind it wait for its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from poussetaches.model.task import Task, Terms


def group_of(terms: Terms) -> str:
    """The name of the group of a task with these terms; "" if it is in none."""
    special = terms.special
    return "" if special is None else special.group


class Groups:
    """The live tasks of every group."""

    def __init__(self) -> None:
        # A plain dict looks for its first behind the holes of all that have gone.
        self._members: dict[str, OrderedDict[str, Task]] = {}

    def join(self, group: str, task: Task) -> bool:
        """``task`` is of ``group``, and stays behind all that joined before it however
        often it joins again. Returns whether it is the head."""
        members = self._members.setdefault(group, OrderedDict())
        members[task.id] = task
        return self.head(group) is task

    def leave(self, group: str, task: Task) -> Task | None:
        """``task`` is live no more. Returns who is the head now in its place."""
        members = self._members[group]
        was_head = self.head(group) is task
        del members[task.id]
        if not members:
            del self._members[group]
            return None
        return self.head(group) if was_head else None

    def head(self, group: str) -> Task | None:
        """Its first member; None if nothing is in it."""
        members = self._members.get(group)
        return next(iter(members.values())) if members else None

    def members(self, group: str) -> Iterator[Task]:
        """All of them, in order. Not to be used any more once somebody joined or
        left."""
        return iter(self._members.get(group, {}).values())
