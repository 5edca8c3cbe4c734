"""Turns: which of the waiting tasks comes next."""

from __future__ import annotations

import heapq
from collections.abc import Collection

from poussetaches.model.task import State, Task

#: A heap entry: eta, order, task. It is stale when the task has moved on.
Entry = tuple[float, int, Task]

#: Below this many stale entries it is not worth making the heap anew.
STALE_ENTRIES_ALLOWED = 1000


class Turns:
    """A heap. A task that moves on leaves its entry behind, to be passed over later."""

    def __init__(self) -> None:
        self._heap: list[Entry] = []
        self._orders = 0

    def add(self, task: Task) -> None:
        """``task`` waits from now on, behind all others of the same eta."""
        self._orders += 1
        task.order = self._orders
        heapq.heappush(self._heap, (task.eta, task.order, task))

    def first(self) -> Task | None:
        """Whose turn is next, due or not; None if none waits."""
        heap = self._heap
        while heap:
            _, order, task = heap[0]
            if task.order == order and task.state is State.WAITING:
                return task
            heapq.heappop(heap)
        return None

    def entries(self) -> list[Entry]:
        """The heap, stale entries and all, for those who read and leave it so."""
        return self._heap

    def drop_stale(self, tasks: Collection[Task], waiting: int) -> None:
        """Make the heap anew if most of it is stale. ``waiting``: how many of the live
        ``tasks`` wait."""
        stale = len(self._heap) - waiting
        if stale > STALE_ENTRIES_ALLOWED and stale > waiting:
            self._rebuild(tasks)

    def load(self, tasks: Collection[Task], last_order: int) -> None:
        """Those of ``tasks`` that wait have the turns that their order says."""
        self._orders = last_order
        self._rebuild(tasks)

    def _rebuild(self, tasks: Collection[Task]) -> None:
        self._heap = [
            (task.eta, task.order, task)
            for task in tasks
            if task.state is State.WAITING
        ]
        heapq.heapify(self._heap)
