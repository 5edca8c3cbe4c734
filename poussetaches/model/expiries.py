"""The expiries: which waiting task ceases to be wanted next, and when."""

from __future__ import annotations

import heapq
import math

from poussetaches.model.task import Task

#: The most tasks that expire in one record.
EXPIRED_AT_ONCE = 500
#: So many that are no longer true are left where they are.
SLACK = 64


def expires_at(task: Task) -> float:
    """From when on nobody wants it, posix seconds; infinity: somebody always will."""
    special = task.terms.special
    if special is None or special.expires is None:
        return math.inf
    return special.expires


class Expiries:
    """Of the tasks that wait. Moments are posix seconds of the wall clock."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        #: Those, and some that are true no longer.
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._moments)

    def add(self, task: Task) -> None:
        """``task`` waits from now on."""
        moment = expires_at(task)
        if moment < math.inf:
            self._moments[task.id] = moment
            heapq.heappush(self._heap, (moment, task.id))
            if len(self._heap) > 2 * len(self._moments) + SLACK:
                self._heap = [(at, id) for id, at in self._moments.items()]
                heapq.heapify(self._heap)

    def drop(self, task: Task) -> None:
        """``task`` waits no more."""
        self._moments.pop(task.id, None)

    def next(self) -> tuple[float, str] | None:
        """The next moment, and the id of its task."""
        heap = self._heap
        while heap and self._moments.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def due(self, wall_now: float, most: int) -> list[str]:
        """The ids of up to ``most`` tasks whose moment has come, the oldest first."""
        ids: list[str] = []
        put_back: list[tuple[float, str]] = []
        while len(ids) < most:
            first = self.next()
            if first is None or first[0] > wall_now:
                break
            ids.append(first[1])
            put_back.append(heapq.heappop(self._heap))
            # Pushed and dropped and pushed again, it may stand there twice.
            while self._heap and self._heap[0] == first:
                heapq.heappop(self._heap)
        for one in put_back:
            heapq.heappush(self._heap, one)
        return ids
