"""Turns: which of the waiting tasks comes next.

Tasks wait in lanes, one per queue and origin, because a target that hangs must not take
all slots and hold up everybody else's tasks. The rule is that of the dynamic threshold
(Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
switches", 1998): an origin may see another attempt while it has fewer in flight than a
part of what is free. One origin alone so gets one share of all slots, the first that
comes beside it one share of the rest, and so on: of 256 slots, twenty targets that hang
leave 14. Among the lanes of a queue that may, the one whose first task is due first is
next.

Between queues with due work turns go around, whatever stands in them (Goyal, Vin and
Cheng, "Start-time fair queueing", 1996): a queue that was idle, or kept by its limits,
has neither saved turns up nor lost its place.

All times are on the queue's timeline.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from poussetaches.errors import IllegalEvent
from poussetaches.model.caps import NO_CAPS, Caps
from poussetaches.model.expiries import Expiries
from poussetaches.model.groups import Groups, group_of
from poussetaches.model.lane import Lane, beyond, earliest
from poussetaches.model.line import Line, Position, position
from poussetaches.model.named_queue import Queue
from poussetaches.model.origin import Origin
from poussetaches.model.origins import Origins
from poussetaches.model.task import DEFAULT_QUEUE, State, Task, Terms

_turn = attrgetter("turn")


class Turns:
    """Every waiting task; and how many are in flight to each origin, of each queue."""

    def __init__(self, caps: Caps = NO_CAPS) -> None:
        #: By name. The default one is always among them.
        self.queues = {DEFAULT_QUEUE: Queue(DEFAULT_QUEUE)}
        self.origins = Origins(caps)
        #: The queues in which a lane stands, those first whose turn is next.
        self._rota: list[Queue] = []
        #: The turn that was had last.
        self._turn = 0.0
        self.groups = Groups()
        #: Which of those that wait is not wanted any more next.
        self.expiries = Expiries()
        #: Those behind the head of their group. They stand in no lane.
        self._behind: Line[Task] = Line()
        #: The lanes that do not stand, because their origin may not see an attempt.
        self._aside: set[Lane] = set()
        self._orders = 0

    # --- whose turn it is -------------------------------------------------------------

    def next(self, now: float, free: float) -> Task | None:
        """Whose turn is next, while so many slots are free; None if nobody who is due
        may have one of them."""
        if self.origins.due_at <= now:
            for origin in self.origins.wake(now):
                self.settle(origin)
        for queue in self._rota:
            if not queue.is_limited or queue.opens_at <= now:
                task = queue.first(free)
                if task is not None and task.eta <= now:
                    return task
        return None

    def due_at(self, free: float) -> float:
        """When ``next`` will have an answer if nothing happens before, or must look
        again; infinity: it never will."""
        if free <= 0:
            return math.inf
        due_at = self.origins.due_at
        for queue in self._rota:
            opens_at = queue.opens_at
            if opens_at < due_at:
                task = queue.first(free)
                if task is not None:
                    due_at = min(due_at, max(task.eta, opens_at))
        return due_at

    def first(self) -> Task | None:
        """The first of all that may have a turn some time or other, whatever is in
        flight and whatever keeps it."""
        return earliest(self._rota, self._aside, self._behind)

    # --- what happens to tasks --------------------------------------------------------

    def add(self, task: Task) -> None:
        """``task`` waits from now on, behind all others of the same eta."""
        self._orders += 1
        task.order = self._orders
        self._queue_of(task).waiting += 1
        if task.terms.special is not None:
            self.expiries.add(task)
            group = group_of(task.terms)
            if group and not self.groups.join(group, task):
                self._behind.add(task)
                return
        self._enter(task)

    def begin(self, task: Task, now: float) -> None:
        """``task``, which waited, is in flight."""
        if task.terms.special is not None:
            self.expiries.drop(task)
        queue = self._queue_of(task)
        queue.waiting -= 1
        queue.in_flight += 1
        if queue.limiter is not None:
            queue.limiter.take(now)
        if queue.turn > self._turn:
            self._turn = queue.turn
        queue.turn = self._turn + 1.0
        if len(self._rota) > 1 and queue.lines:
            # Behind those that have had as many: else it could have two on end.
            self._rota.remove(queue)
            self._rota.append(queue)
            self._rota.sort(key=_turn)
        origin = self.origins[task.terms.origin]
        lane = origin.lanes[queue.name]
        lane.remove(task)
        if lane.first() is None:
            self._close(origin, lane)
        origin.in_flight += 1
        if origin.gate is not None:
            self.origins.note_begin(origin, task.id, now)
        self.settle(origin)

    def end(self, task: Task, now: float) -> None:
        """``task``, which was in flight, is so no more."""
        self._queue_of(task).in_flight -= 1
        origin = self.origins[task.terms.origin]
        origin.in_flight -= 1
        if origin.gate is not None:
            origin.gate.end(task.id, now)
        self.settle(origin)

    def remove(self, task: Task) -> None:
        """``task``, which waited, does so no more."""
        if task.terms.special is not None:
            self.expiries.drop(task)
        queue = self._queue_of(task)
        queue.waiting -= 1
        group = group_of(task.terms)
        if group and self.groups.head(group) is not task:
            self._behind.remove(task)
            return
        origin = self.origins[task.terms.origin]
        lane = origin.lanes[queue.name]
        if lane.remove(task):
            if lane.first() is None:
                self._close(origin, lane)
            else:
                self._settle(origin, lane)

    def replace(self, task: Task, terms: Terms, eta: float) -> bool:
        """``task``, which waits, is of ``terms`` from now on and waits for ``eta``.
        Returns whether it is of another group now, of which it is the last; where it
        stays in one it keeps its place."""
        before = task.terms
        self.remove(task)
        joins = group_of(before) != group_of(terms)
        if joins:
            self._leave_group(task)
        task.terms, task.eta = terms, eta
        self.add(task)
        self._leave_origin(before.origin, task)
        return joins

    def leave(self, task: Task) -> None:
        """``task``, which neither waits nor is in flight, is live no more."""
        terms = task.terms
        if terms.special is not None:
            self._leave_group(task)
        # Not before: what is tried again goes on with what is known of its origin.
        self._leave_origin(terms.origin, task)

    def _leave_origin(self, name: str, task: Task) -> None:
        origin = self.origins.get(name)
        if origin is None:
            return
        if not origin.in_flight and not origin.lanes:
            self.origins.drop(origin)
        elif origin.spared:
            origin.spared.pop(task.id, None)

    def _leave_group(self, task: Task) -> None:
        group = group_of(task.terms)
        heir = self.groups.leave(group, task) if group else None
        if heir is not None:
            self._behind.remove(heir)
            self._enter(heir)

    def load(self, tasks: Collection[Task], last_order: int) -> None:
        """Those of ``tasks``, which stand in order of acceptance, that wait have the
        turns that their order says."""
        self._orders = last_order
        lanes: dict[tuple[str, str], list[Task]] = {}
        behind: list[Task] = []
        for task in tasks:
            queue = self._queue_of(task)
            group = group_of(task.terms)
            is_head = not group or self.groups.join(group, task)
            if task.state is not State.WAITING:
                queue.in_flight += 1
                self.origins.of(task.terms.origin).in_flight += 1
                continue
            queue.waiting += 1
            self.expiries.add(task)
            if is_head:
                origin = self.origins.of(task.terms.origin)
                lanes.setdefault((origin.name, queue.name), []).append(task)
            else:
                behind.append(task)
        self._behind.load(behind)
        for (origin_name, queue_name), waiting in lanes.items():
            origin = self.origins[origin_name]
            self._lane(origin, self.queues[queue_name]).load(waiting)
        for origin in [*self.origins.values()]:
            self.settle(origin)

    # --- what happens to queues and origins -------------------------------------------

    def queue(self, name: str) -> Queue:
        """The queue of that name, which is made if there is none: what is in the store
        must not be lost because nothing is known of its queue."""
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(name)
        return queue

    def knows(self, name: str) -> bool:
        """Whether tasks may be pushed to the queue of that name (see Queue)."""
        queue = self.queues.get(name)
        return queue is not None and queue.is_known

    def set_queue(
        self,
        name: str,
        configured: Mapping[str, Any] | None,
        changed: Mapping[str, Any],
        now: float,
    ) -> None:
        """See Queue. One that is not there is made."""
        self.queue(name).set(configured, changed, now)

    def drop_queue(self, name: str) -> None:
        """The queue of that name goes. Raises IllegalEvent if there is none, or
        something in it."""
        queue = self.queues.get(name)
        if queue is None or queue.waiting or queue.in_flight:
            raise IllegalEvent(f"there is no empty queue {name} to drop")
        del self.queues[name]

    # --- lanes ------------------------------------------------------------------------

    def _queue_of(self, task: Task) -> Queue:
        return self.queues.get(task.terms.queue) or self.queue(task.terms.queue)

    def _lane(self, origin: Origin, queue: Queue) -> Lane:
        lane = origin.lanes.get(queue.name)
        if lane is None:
            lane = origin.lanes[queue.name] = Lane(queue)
        return lane

    def _enter(self, task: Task) -> None:
        """``task`` waits in its lane."""
        origin = self.origins.of(task.terms.origin)
        lane = self._lane(origin, self._queue_of(task))
        if lane.add(task):
            self._settle(origin, lane)

    def _close(self, origin: Origin, lane: Lane) -> None:
        """Nothing waits in ``lane`` any more."""
        if lane.stands:
            lane.queue.step_down(lane)
            if not lane.queue.lines:
                self._rota.remove(lane.queue)
        else:
            self._aside.remove(lane)
        del origin.lanes[lane.queue.name]

    def settle(self, origin: Origin) -> None:
        """Something else is in flight to ``origin`` than before, or its gate has
        changed."""
        for lane in origin.lanes.values():
            self._settle(origin, lane)

    def _settle(self, origin: Origin, lane: Lane) -> None:
        """Something else is in flight to ``origin``, or comes first in ``lane``, in
        which something waits: it stands where that says, or nowhere."""
        queue = lane.queue
        is_open = origin.is_open
        if lane.stands and is_open:
            queue.move(lane, origin.in_flight)
            return
        was_in_rota = bool(queue.lines)
        if lane.stands:
            queue.step_down(lane)
        if is_open:
            queue.stand(lane, origin.in_flight)
            self._aside.discard(lane)
        else:
            self._aside.add(lane)
        if queue.lines and not was_in_rota:
            self._rota.append(queue)
            self._rota.sort(key=_turn)
        elif was_in_rota and not queue.lines:
            self._rota.remove(queue)

    def let_go(self) -> None:
        """Hold on to no task any more: nothing may be asked for after that."""
        for queue in self.queues.values():
            queue.lines.clear()
        self.origins = Origins(NO_CAPS)
        self._aside.clear()
        self._behind = Line()
        self.groups = Groups()

    # --- the lists --------------------------------------------------------------------

    def beyond(
        self,
        after: Position | None,
        most: int,
        *,
        queue: str | None = None,
        origin: str | None = None,
    ) -> Iterator[Task]:
        """The first ``most`` (or more) that stand beyond ``after``, in order. Not to be
        used any more once a turn has changed. ``queue``, ``origin``: those in lanes of
        others are not wanted."""
        rota = [one for one in self._rota if queue in (None, one.name)]
        lines = [line for one in rota for line in one.lines.values()]
        aside: Iterable[Lane] = self._aside
        if origin is not None:
            lines, aside = [], self.origins.lanes_of(origin)
        aside = [one for one in aside if queue in (None, one.queue.name)]
        in_lanes = beyond(lines, aside, after, most)
        if self._behind.first() is None:
            return in_lanes
        return heapq.merge(in_lanes, self._behind.beyond(after), key=position)
