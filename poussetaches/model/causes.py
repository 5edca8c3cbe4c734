"""The causes: dead letters that died of the same thing, together.

A cause is an origin, a path, a status and what the error says of it
(``error_text.py``). The index is begun when somebody asks for it, catches up a bit at a
time, and is then kept up with what dies and what goes: nobody pays for it who does not
look.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from poussetaches.model.error_text import normalised, normalised_path
from poussetaches.model.filter import Filter, UrlOf
from poussetaches.model.kept import Kept
from poussetaches.model.line import Line, Position
from poussetaches.model.task import Task

#: More causes are not told apart: they have become a list of single cases. Further ones
#: go together by status.
MOST_CAUSES = 5000
OTHERS = "(many others)"
#: What the index takes for a dead letter, bytes: measured.
ENTRY_SIZE = 200


class Cause(NamedTuple):
    """What dead letters died of."""

    origin: str
    #: Parts that look like ids are "*".
    path: str
    #: See ``Task.error_status``.
    status: int
    #: See ``error_text.normalised``.
    error: str

    @property
    def id(self) -> str:
        """16 hex digits, the same ones in every process."""
        return _id(self)


@lru_cache(maxsize=MOST_CAUSES)
def _id(cause: Cause) -> str:
    text = "\0".join(map(str, cause))
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def cause_of(task: Task, url: bytes) -> Cause:
    """What ``task``, which died and was for ``url``, died of."""
    rest = url.decode("utf-8", "replace").partition("://")[2]
    _, slash, path = rest.partition("/")
    origin, status = task.terms.origin, task.error_status
    return Cause(
        origin, normalised_path(slash + path), status, normalised(task.error or b"")
    )


@dataclass(slots=True, eq=False)
class Entry:
    """A dead letter in its group: by when it died."""

    eta: float
    order: int
    task: Task
    group: Group


class Group:
    """The dead letters of one cause."""

    __slots__ = ("cause", "count", "id", "line")

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        self.id = cause.id
        self.line: Line[Entry] = Line()
        #: How many stand in it.
        self.count = 0

    @property
    def position(self) -> Position:
        """Where it stands among others: the largest come first."""
        return -float(self.count), int(self.id, 16)

    def fits(self, filter: Filter) -> bool:
        """Whether its cause does. Queues and URLs are not a matter of the cause."""
        status, statuses = self.cause.status, filter.statuses
        return (
            filter.cause in (None, self.id)
            and filter.origin in (None, self.cause.origin)
            and (not statuses or any(a <= status <= b for a, b in statuses))
        )

    @property
    def ends(self) -> tuple[Entry, Entry]:
        """The one that died first, and the one that died last."""
        first, last = self.line.first(), self.line.last()
        assert first is not None
        assert last is not None
        return first, last


class Causes:
    """The index of ``dead``, empty at first."""

    def __init__(self, dead: Kept, url_of: UrlOf) -> None:
        self._dead = dead
        self._url_of = url_of
        self._entries: dict[str, Entry] = {}
        #: By the id of the cause. None of them is ever empty.
        self.groups: dict[str, Group] = {}
        #: How far it has caught up, by position; None: not begun.
        self._reached: Position | None = None
        self.is_complete = False

    def __len__(self) -> int:
        """How many dead letters stand in it."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """What it takes in memory, bytes: an estimate."""
        return ENTRY_SIZE * len(self._entries)

    def catch_up(self, most: int) -> bool:
        """Take in so many that it has not; returns whether that was all."""
        if not self.is_complete:
            some = [*islice(self._dead.beyond(self._reached), most)]
            for task in some:
                if task.id not in self._entries:
                    self.put(task)
                self._reached = task.eta, task.order
            self.is_complete = len(some) < most
        return self.is_complete

    def put(self, task: Task) -> None:
        """``task`` has died."""
        cause = cause_of(task, self._url_of(task.spec))
        group = self.groups.get(cause.id)
        if group is None and len(self.groups) >= MOST_CAUSES:
            cause = Cause("", "", cause.status, OTHERS)
            group = self.groups.get(cause.id)
        if group is None:
            group = Group(cause)
            self.groups[group.id] = group
        entry = Entry(task.last_run_at, task.order, task, group)
        self._entries[task.id] = entry
        group.line.add(entry)
        group.count += 1

    def drop(self, task: Task) -> None:
        """``task`` is a dead letter no more."""
        entry = self._entries.pop(task.id, None)
        if entry is None:
            return  # not caught up so far
        line = entry.group.line
        line.remove(entry)
        entry.group.count -= 1
        if not entry.group.count:
            del self.groups[entry.group.id]

    def let_go(self) -> None:
        """Hold on to no task any more: nothing may be asked for after that."""
        self._entries.clear()
        # They and their entries hold each other.
        for group in self.groups.values():
            group.line = Line()

    def group_of(self, task: Task) -> Group:
        """The group in which ``task`` stands. Raises KeyError."""
        return self._entries[task.id].group

    def beyond(self, cause: str, after: Position | None) -> Iterator[Task]:
        """The dead letters of the cause of that id, in order of dying, beyond
        ``after`` (see ``Filter.position``). Not to be used any more once one has come
        or gone."""
        group = self.groups.get(cause)
        if group is not None:
            for entry in group.line.beyond(after):
                yield entry.task


def largest(
    groups: Iterable[Group], most: int, after: Position | None
) -> tuple[list[Group], Position | None]:
    """At most so many of ``groups``, the largest first, beyond ``after``, and where
    those end; None: with the last of them."""
    beyond = (one for one in groups if after is None or one.position > after)
    some = heapq.nsmallest(most + 1, beyond, key=attrgetter("position"))
    return some[:most], some[most - 1].position if len(some) > most else None
