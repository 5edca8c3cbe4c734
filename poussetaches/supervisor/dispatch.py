"""Leases: which worker makes the next attempt, and what becomes of it.

A worker is never given more than it has slots free, and the one with the most free
slots comes first, so a slow worker holds nothing back. How many of the slots a target
may have is for the queue to say (see ``model/turns.py``).
"""

from __future__ import annotations

import heapq
import logging

from poussetaches.channel.messages import Ended, Lease
from poussetaches.errors import StoreFull, Unavailable
from poussetaches.log import fields
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Leased
from poussetaches.model.task import State, Task
from poussetaches.supervisor.children import Child, Children, Hold
from poussetaches.supervisor.keeper import Keeper

log = logging.getLogger(__name__)

#: How much longer than an attempt may take its outcome is waited for, seconds.
GRACE = 30.0
#: Beyond this, seconds, it is overdue.
MOMENT = 10.0
#: How long leasing rests when the disk has no room even for that, seconds.
REST = 1.0


class Dispatch:
    """Gives due tasks to workers and takes their outcomes.

    ``timeout``: how long an attempt may take for which nobody has said otherwise,
    seconds; its worker sees to that.
    """

    def __init__(self, keeper: Keeper, children: Children, *, timeout: float) -> None:
        self._keeper = keeper
        self._children = children
        self._timeout = timeout
        self._leases = 0
        self._resting_until = 0.0
        #: Whether the disk had no room for a lease.
        self._resting = False
        #: Set once the service is to end.
        self.draining = False
        #: Attempts of all workers, also of those that are gone, and how they ended.
        self.succeeded = 0
        self.failed = 0
        self.lost = 0
        #: Outcomes that came after their lease had ended.
        self.late = 0

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return sum(len(worker.holds) for worker in self._children)

    @property
    def slots(self) -> int:
        """Attempts that all workers together can make at once."""
        return sum(worker.slots for worker in self._children.workers())

    @property
    def free(self) -> int:
        """Attempts that all workers together could begin now."""
        return sum(worker.free for worker in self._children.workers())

    def rests(self, now: float) -> bool:
        """Whether nothing begins because the disk has no room to note it. ``now``:
        monotonic."""
        # What is due is tried again right after a rest.
        return self._resting and now < self._resting_until + REST

    def overdue(self, now: float) -> int:
        """Attempts that are longer under way than their timeout and a moment allow: a
        worker does not end them, though it may say that it lives. ``now``:
        monotonic."""
        latest = now + GRACE - MOMENT
        holds = (hold for child in self._children for hold in child.holds.values())
        return sum(hold.deadline < latest for hold in holds)

    def lease(self, now: float) -> None:
        """Lease what is due while a worker is free. ``now``: monotonic."""
        if self.draining or now < self._resting_until:
            return
        self._keeper.expire()
        workers = self._children.workers()
        free = sum(worker.free for worker in workers)
        #: Slots in use, less those there are, and whose: the least loaded first.
        ranking = [(-worker.free, n) for n, worker in enumerate(workers)]
        heapq.heapify(ranking)
        while free > 0:
            load, number = ranking[0]
            worker = workers[number]
            try:
                task = self._keeper.lease(free, worker.index)
            except StoreFull as error:
                self._rest(now, error)
                return
            if task is None:
                return
            if self._resting:
                self._resting = False
                log.info("deliveries go on: there is room on the disk")
            heapq.heapreplace(ranking, (load + 1, number))
            free -= 1
            self._send(worker, task, now)

    def begin(self, task: Task, now: float) -> None:
        """Lease ``task``, which waits, at once, past everything but a free slot.
        ``now``: monotonic. Raises Unavailable, having changed nothing."""
        if self.draining:
            raise Unavailable("The service is stopping.")
        workers = self._children.workers()
        worker = max(workers, key=lambda worker: worker.free, default=None)
        if worker is None:
            raise Unavailable("No worker is ready.")
        if worker.free <= 0:
            raise Unavailable("No worker has a free slot.")
        now_there, attempt = self._keeper.clock.now(), task.attempts + 1
        self._keeper.record([Leased(task.id, now_there, attempt, worker.index)])
        self._send(worker, task, now)

    def _send(self, worker: Child, task: Task, now: float) -> None:
        """An attempt at ``task`` has begun: ``worker`` is to make it."""
        self._leases += 1
        timeout = self._keeper.timeout(task, self._timeout)
        hold = Hold(task, task.attempts, now + timeout + GRACE)
        worker.holds[self._leases] = hold
        worker.peer.send(
            Lease(
                self._leases,
                task.id,
                task.attempts,
                task.spec,
                timeout,
                task.terms.queue,
                self._keeper.wall_slot(task),
            )
        )

    def _rest(self, now: float, error: StoreFull) -> None:
        """The disk has no room for what would have to be noted."""
        if not self._resting:
            log.error("deliveries rest: %s", error)
        self._resting = True
        self._resting_until = now + REST

    def ended(self, worker: Child, message: Ended) -> None:
        """A worker reports an outcome. One that comes too late changes nothing."""
        hold = worker.holds.get(message.lease)
        if hold is None:
            self.late += 1
            log.warning(
                "late outcome ignored",
                extra=fields(child=worker.name, lease=message.lease),
            )
            return
        outcome = Outcome(
            message.ok,
            message.status,
            message.error,
            message.final,
            message.retry_after,
            message.unreached,
            message.snooze,
            message.follow_ups,
            message.unread,
            message.kind,
            message.request,
            message.result,
        )
        succeeded = message.ok
        told = message.status, message.duration
        meters = self._keeper.meters
        if hold.is_valid():
            # Should this raise, the worker still holds the task, and loses it with its
            # life.
            self._keeper.conclude(hold.task, outcome)
            # Not where what is to follow the success could not be accepted.
            succeeded = hold.task.state is State.SUCCEEDED
            meters.ended(hold.task, hold.attempt, succeeded, *told)
        else:
            self.late += 1
            meters.came_to_nothing(hold.task, *told)
            log.info("outcome of a cancelled task", extra=fields(task=hold.task.id))
        del worker.holds[message.lease]
        worker.busy += message.duration
        if succeeded:
            worker.succeeded += 1
            self.succeeded += 1
        else:
            worker.failed += 1
            self.failed += 1

    def lose(self, worker: Child, reason: str) -> None:
        """A worker is gone: what it held goes back at once."""
        for hold in worker.holds.values():
            if hold.is_valid():
                self.lost += 1
                self._keeper.lose(hold.task, reason)
                self._keeper.meters.lost(hold.task)
        worker.holds.clear()

    def hand_back(self, worker: Child) -> None:
        """A worker was told to stop: what it held is for the next start."""
        for hold in worker.holds.values():
            if hold.is_valid():
                self.lost += 1
                self._keeper.hand_back(hold.task)
        worker.holds.clear()

    def due_at(self, now: float) -> float:
        """When ``lease`` will have something to do, monotonic seconds."""
        keeper = self._keeper
        if self.draining:
            return float("inf")
        # What may not be begun before something has ended wakes nobody up.
        due_at = keeper.due_at(self.free)
        return max(now + due_at - keeper.clock.now(), self._resting_until)
