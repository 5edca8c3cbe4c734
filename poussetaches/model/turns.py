"""Turns: which of the waiting tasks comes next.

Tasks wait in lanes, one per origin, because a target that hangs must not take all slots
and hold up everybody else's tasks. The rule is that of the dynamic threshold (Choudhury
and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998): a
lane may begin another attempt while it has fewer in flight than a part of what is free.
One lane alone so gets one share of all slots, the first that comes beside it one share
of the rest, and so on: of 256 slots, twenty targets that hang leave 14. Among the lanes
that may, the one whose first task is due first is next.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from poussetaches.model.lane import Lane
from poussetaches.model.line import Line, Position, position
from poussetaches.model.task import State, Task

#: The part of all slots that one lane alone gets is one of so many. The more there are,
#: the less one that hangs takes from the others; but together they are also what a
#: worker may have under way.
SHARES = 8
REST = SHARES - 1

#: The first task of a part of a lane, after its position, and those that follow it.
Start = tuple[float, int, Task, Iterator[Task]]


class Turns:
    """Every waiting task; and how many are in flight to each origin."""

    def __init__(self) -> None:
        #: By origin; those only of which a task waits or is in flight.
        self._lanes: dict[str, Lane] = {}
        #: Those in which a task waits, by how many are in flight, because equally many
        #: may or may not go on together. Of so different numbers there are few: less
        #: than the root of twice the slots. None of the lines is ever empty.
        self._lines: dict[int, Line[Lane]] = {}
        self._orders = 0

    # --- whose turn it is -------------------------------------------------------------

    def next(self, free: float) -> Task | None:
        """Whose turn is next, due or not, while so many slots are free; None if nobody
        may have one of them."""
        best: Lane | None = None
        for in_flight, line in self._lines.items():
            if REST * in_flight < free:
                lane = line.first()
                assert lane is not None
                if (
                    best is None
                    or lane.eta < best.eta
                    or (lane.eta == best.eta and lane.order < best.order)
                ):
                    best = lane
        return None if best is None else best.first()

    def first(self) -> Task | None:
        """Whose turn is next, if it does not matter what is in flight."""
        return self.next(math.inf)

    # --- what happens -----------------------------------------------------------------

    def add(self, task: Task) -> None:
        """``task`` waits from now on, behind all others of the same eta."""
        self._orders += 1
        task.order = self._orders
        origin = task.terms.origin
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = Lane()
        if lane.add(task):
            self._settle(lane, lane.in_flight)

    def begin(self, task: Task) -> None:
        """``task``, which waited, is in flight."""
        lane = self._lanes[task.terms.origin]
        lane.remove(task)
        self._settle(lane, lane.in_flight + 1)

    def end(self, task: Task) -> None:
        """``task``, which was in flight, is so no more."""
        lane = self._lanes[task.terms.origin]
        self._settle(lane, lane.in_flight - 1)
        self._drop_if_done(task.terms.origin, lane)

    def remove(self, task: Task) -> None:
        """``task``, which waited, does so no more."""
        lane = self._lanes[task.terms.origin]
        if lane.remove(task):
            self._settle(lane, lane.in_flight)
            self._drop_if_done(task.terms.origin, lane)

    def load(self, tasks: Collection[Task], last_order: int) -> None:
        """Those of ``tasks`` that wait have the turns that their order says."""
        self._orders = last_order
        waiting: dict[str, list[Task]] = {}
        in_flight: Counter[str] = Counter()
        for task in tasks:
            of_lane = waiting.setdefault(task.terms.origin, [])
            if task.state is State.WAITING:
                of_lane.append(task)
            else:
                in_flight[task.terms.origin] += 1
        for origin, of_lane in waiting.items():
            lane = self._lanes[origin] = Lane()
            lane.load(of_lane)
            self._settle(lane, in_flight[origin])

    def _settle(self, lane: Lane, in_flight: int) -> None:
        """``lane`` has so many in flight now, and perhaps another first task than
        before, or none: it stands where that says."""
        lines = self._lines
        if lane.stands:
            line = lines[lane.in_flight]
            line.remove(lane)
            if line.first() is None:
                del lines[lane.in_flight]
        lane.in_flight = in_flight
        first = lane.first()
        lane.stands = first is not None
        if first is not None:
            lane.eta, lane.order = first.eta, first.order
            if in_flight not in lines:
                lines[in_flight] = Line()
            lines[in_flight].add(lane)

    def _drop_if_done(self, origin: str, lane: Lane) -> None:
        if not lane.stands and lane.in_flight == 0:
            del self._lanes[origin]

    # --- the lists --------------------------------------------------------------------

    def beyond(self, after: Position | None, most: int) -> Iterator[Task]:
        """The first ``most`` (or more) that stand beyond ``after``, in order. Not to be
        used any more once a turn has changed.

        Cheap with few lanes, and on the first page: only those are looked into whose
        turn comes.
        """
        lines = self._lines.values()
        coming = heapq.merge(*(line.beyond(after) for line in lines), key=position)
        begun: list[Lane] = []
        if after is not None:
            begun += chain.from_iterable(line.until(after) for line in lines)
        starts = heapq.nsmallest(most, _starts(begun, after))
        return _in_turn(heapq.merge(starts, _starts(coming, None)))


def _starts(lanes: Iterable[Lane], after: Position | None) -> Iterator[Start]:
    for lane in lanes:
        rest = lane.beyond(after)
        first = next(rest, None)
        if first is not None:
            yield first.eta, first.order, first, rest


def _in_turn(starts: Iterator[Start]) -> Iterator[Task]:
    """The tasks of parts of lanes that come in order of their first."""
    start = next(starts, None)
    #: What is left of the parts that have begun.
    parts: list[Start] = []
    while True:
        while start is not None and (not parts or start < parts[0]):
            heapq.heappush(parts, start)
            start = next(starts, None)
        if not parts:
            return
        _, _, task, rest = parts[0]
        yield task
        following = next(rest, None)
        if following is None:
            heapq.heappop(parts)
        else:
            where = (following.eta, following.order)
            heapq.heapreplace(parts, (*where, following, rest))
