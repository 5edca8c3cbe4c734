"""The lane: the waiting tasks of one queue for one origin."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from poussetaches.model.line import Line, Position, position
from poussetaches.model.task import Task

if TYPE_CHECKING:
    from poussetaches.model.named_queue import Queue

#: The first task of a part of a lane, after its position, and those that follow it.
Start = tuple[float, int, Task, Iterator[Task]]


class Lane(Line[Task]):
    """Lanes stand in lines themselves, each at the position of its first task."""

    __slots__ = ("eta", "level", "order", "queue", "stands")

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        #: Where it stands. Not to be read while it does not.
        self.eta = 0.0
        self.order = 0
        #: In which of the lines: how many are in flight to its origin.
        self.level = 0
        #: Whether it stands in a line: something waits in it, and may begin.
        self.stands = False


def starts(lanes: Iterable[Lane], after: Position | None) -> Iterator[Start]:
    """The parts of ``lanes`` beyond ``after``, those that have any."""
    for lane in lanes:
        rest = lane.beyond(after)
        first = next(rest, None)
        if first is not None:
            yield first.eta, first.order, first, rest


def in_turn(coming: Iterator[Start]) -> Iterator[Task]:
    """The tasks of parts of lanes that come in order of their first."""
    start = next(coming, None)
    #: What is left of the parts that have begun.
    parts: list[Start] = []
    while True:
        while start is not None and (not parts or start < parts[0]):
            heapq.heappush(parts, start)
            start = next(coming, None)
        if not parts:
            return
        _, _, task, rest = parts[0]
        yield task
        if start is None and len(parts) == 1:
            yield from rest
            return
        following = next(rest, None)
        if following is None:
            heapq.heappop(parts)
        else:
            where = (following.eta, following.order)
            heapq.heapreplace(parts, (*where, following, rest))


def beyond(
    lines: Collection[Line[Lane]],
    aside: Iterable[Lane],
    after: Position | None,
    most: int,
) -> Iterator[Task]:
    """The first ``most`` tasks (or more) beyond ``after``, in order, of the lanes that
    stand in ``lines`` and of those ``aside``. Not to be used any more once a turn has
    changed.

    Cheap with few lanes, and on the first page: only those are looked into whose turn
    comes.
    """
    coming = heapq.merge(*(line.beyond(after) for line in lines), key=position)
    begun = [*aside]
    if after is not None:
        begun += chain.from_iterable(line.until(after) for line in lines)
    firsts = heapq.nsmallest(most, starts(begun, after))
    return in_turn(heapq.merge(firsts, starts(coming, None)))


def earliest(
    queues: Iterable[Queue], aside: Iterable[Lane], behind: Line[Task]
) -> Task | None:
    """The first task of the lanes that stand in ``queues``, of those ``aside`` and of
    those ``behind``. As ``beyond`` would say it, in a fifth of the time."""
    lines = [line for queue in queues for line in queue.lines.values()]
    fronts = [lane for line in lines if (lane := line.first()) is not None]
    # These stand where their first task does.
    lanes = [*aside, *([min(fronts, key=position)] if fronts else [])]
    firsts = [*(lane.first() for lane in lanes), behind.first()]
    there = [task for task in firsts if task is not None]
    return min(there, key=position, default=None)
