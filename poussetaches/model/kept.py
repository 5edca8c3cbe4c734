"""Kept: tasks that have ended and are remembered, by id, in order of ending."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from poussetaches.model.line import Line, Position, position
from poussetaches.model.task import Task

#: By so many tasks the line may be behind: to catch up takes a millisecond or two.
BEHIND = 2000


class Kept(Mapping[str, Task]):
    """Has a line of its tasks, for pages, which catches up only when it must: most of
    those that succeed are gone before anybody looks."""

    def __init__(self) -> None:
        # A plain one looks for its oldest behind the holes of all that have gone.
        self._tasks: OrderedDict[str, Task] = OrderedDict()
        self._line: Line[Task] = Line()
        #: How many of them, the oldest, stand in the line.
        self._standing = 0
        #: Those that still stand there, and should not.
        self._gone: list[Task] = []

    def __getitem__(self, id: str) -> Task:
        return self._tasks[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def load(self, tasks: Iterable[Task]) -> None:
        """Keep these, in order of ending; there must be none yet."""
        self._tasks.update((task.id, task) for task in tasks)
        self._line.load(self._tasks.values())
        self._standing = len(self._tasks)

    def put(self, task: Task) -> Task | None:
        """Keep ``task`` as the last; returns another of its id that goes for it."""
        tasks = self._tasks
        other = self.drop(task.id) if task.id in tasks else None
        tasks[task.id] = task
        if len(tasks) > self._standing + BEHIND:
            self._catch_up()
        return other

    def drop(self, id: str) -> Task:
        """Keep this one no more. Raises KeyError."""
        task = self._tasks[id]
        self._catch_up()
        del self._tasks[id]
        self._standing -= 1
        self._line.remove(task)
        return task

    def drop_oldest(self) -> Task:
        """Keep the one no more that ended first. Raises KeyError if there is none."""
        _, task = self._tasks.popitem(last=False)
        if self._standing:
            self._standing -= 1
            self._gone.append(task)
            if len(self._gone) > BEHIND:
                self._catch_up()
        return task

    def beyond(self, after: Position | None) -> Iterator[Task]:
        """See Line."""
        self._catch_up()
        return self._line.beyond(after)

    def let_go(self) -> Iterator[Task]:
        """All of them, in order of ending: each is kept no more once it is handed out.
        Nothing else can be asked of what is left."""
        self._line = Line()
        self._gone.clear()
        while self._tasks:
            yield self._tasks.popitem(last=False)[1]

    def _catch_up(self) -> None:
        # In order: then most of them leave from the front, and join at the end.
        for task in sorted(self._gone, key=position):
            self._line.remove(task)
        self._gone.clear()
        missing = len(self._tasks) - self._standing
        for task in sorted(
            islice(reversed(self._tasks.values()), missing), key=position
        ):
            self._line.add(task)
        self._standing = len(self._tasks)
