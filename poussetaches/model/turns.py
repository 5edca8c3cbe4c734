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
from collections.abc import Collection, Iterable, Iterator

from poussetaches.model.lane import Lane, Place
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
        self._in_line: Line[Lane] = Line()
        #: No more than there are attempts in flight.
        self._aside: list[Lane] = []
        #: When more slots than this are free, one of those aside may go on.
        self._too_few = math.inf
        self._orders = 0

    # --- whose turn it is -------------------------------------------------------------

    def next(self, free: int) -> Task | None:
        """Whose turn is next, due or not, while so many slots are free; None if nobody
        may have one of them."""
        if free <= 0:
            return None
        if free > self._too_few:
            self._look_again(free)
        while (lane := self._in_line.first()) is not None:
            if REST * lane.in_flight < free:
                return lane.first()
            self._in_line.remove(lane)
            self._set_aside(lane)
        return None

    def first(self) -> Task | None:
        """Whose turn is next, if it does not matter what is in flight."""
        lane = min(self._heads(), key=position, default=None)
        return None if lane is None else lane.first()

    def _heads(self) -> list[Lane]:
        first = self._in_line.first()
        return self._aside if first is None else [first, *self._aside]

    def _set_aside(self, lane: Lane) -> None:
        lane.place = Place.ASIDE
        self._aside.append(lane)
        self._too_few = min(self._too_few, REST * lane.in_flight)

    def _look_again(self, free: int) -> None:
        aside, self._aside = self._aside, []
        self._too_few = math.inf
        for lane in aside:
            if REST * lane.in_flight < free:
                lane.place = Place.IN_LINE
                self._in_line.add(lane)
            else:
                self._set_aside(lane)

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
            self._settle(lane)

    def begin(self, task: Task) -> None:
        """``task``, which waited, is in flight."""
        lane = self._lanes[task.terms.origin]
        if lane.remove(task):
            self._settle(lane)
        lane.in_flight += 1

    def end(self, task: Task) -> None:
        """``task``, which was in flight, is so no more."""
        lane = self._lanes[task.terms.origin]
        lane.in_flight -= 1
        if lane.place is Place.ASIDE:
            self._too_few = min(self._too_few, REST * lane.in_flight)
        elif lane.in_flight == 0 and lane.place is Place.NOWHERE:
            del self._lanes[task.terms.origin]

    def remove(self, task: Task) -> None:
        """``task``, which waited, does so no more."""
        lane = self._lanes[task.terms.origin]
        if lane.remove(task):
            self._settle(lane)
        if lane.in_flight == 0 and lane.place is Place.NOWHERE:
            del self._lanes[task.terms.origin]

    def load(self, tasks: Collection[Task], last_order: int) -> None:
        """Those of ``tasks`` that wait have the turns that their order says."""
        self._orders = last_order
        waiting: dict[str, list[Task]] = {}
        for task in tasks:
            of_lane = waiting.setdefault(task.terms.origin, [])
            if task.state is State.WAITING:
                of_lane.append(task)
        self._lanes = {origin: Lane() for origin in waiting}
        for origin, lane in self._lanes.items():
            lane.load(waiting[origin])
            self._settle(lane)
        for task in tasks:
            if task.state is State.LEASED:
                self._lanes[task.terms.origin].in_flight += 1

    def _settle(self, lane: Lane) -> None:
        """Another task than before, or none, is the first of ``lane``: it stands where
        that says."""
        first = lane.first()
        if lane.place is Place.IN_LINE:
            if first is not None and len(self._lanes) == 1:
                lane.eta, lane.order = first.eta, first.order
                return  # Alone it stands right wherever it stands.
            self._in_line.remove(lane)
        elif lane.place is Place.ASIDE and first is None:
            self._aside.remove(lane)
        if first is None:
            lane.place = Place.NOWHERE
            return
        lane.eta, lane.order = first.eta, first.order
        if lane.place is not Place.ASIDE:
            lane.place = Place.IN_LINE
            self._in_line.add(lane)

    # --- the lists --------------------------------------------------------------------

    def beyond(self, after: Position | None, most: int) -> Iterator[Task]:
        """The first ``most`` (or more) that stand beyond ``after``, in order. Not to be
        used any more once a turn has changed.

        Cheap with few lanes, and on the first page: only those are looked into whose
        turn comes.
        """
        begun = self._aside
        if after is not None:
            begun = [*begun, *self._in_line.until(after)]
        starts = heapq.nsmallest(most, _starts(begun, after))
        return _in_turn(heapq.merge(starts, _starts(self._in_line.beyond(after), None)))


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
