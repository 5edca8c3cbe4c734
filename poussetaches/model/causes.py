"""The causes: dead letters that died of the same thing, together.

A cause is an origin, a path, a status and what the error says of it
(``error_text.py``). The index is begun when somebody asks for it, catches up a bit at a
time, and is then kept up with what dies and what goes: nobody pays for it who does not
look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from poussetaches.model.error_text import normalised, normalised_path
from poussetaches.model.filter import UrlOf
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

    __slots__ = ("cause", "id", "line")

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        self.id = cause.id
        self.line: Line[Entry] = Line()

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

    def drop(self, task: Task) -> None:
        """``task`` is a dead letter no more."""
        entry = self._entries.pop(task.id, None)
        if entry is None:
            return  # not caught up so far
        line = entry.group.line
        line.remove(entry)
        if line.first() is None:
            del self.groups[entry.group.id]

    def group_of(self, task: Task) -> Group:
        """The group in which ``task`` stands. Raises KeyError."""
        return self._entries[task.id].group

    def beyond(self, cause: str, after: Position | None) -> Iterator[Task]:
        """The dead letters of the cause of that id, in order of dying, beyond
        ``after`` (see ``died_at``). Not to be used any more once one has died or
        gone."""
        group = self.groups.get(cause)
        if group is not None:
            for entry in group.line.beyond(after):
                yield entry.task


def died_at(task: Task) -> Position:
    """Where a dead letter stands in its group."""
    return task.last_run_at, task.order
