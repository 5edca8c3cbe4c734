"""The keeper: keeps the queue and its store in step. Only it has hands on both.

Each method decides, appends, applies. Nothing may be answered or sent before ``commit``
has returned; the loop calls it once per tick, for everything that happened in it.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable

from poussetaches.errors import IllegalEvent, QueueFull, StoreFull, TooLarge
from poussetaches.log import fields
from poussetaches.model import decisions, endings, recurrence
from poussetaches.model.bounds import (
    UNBOUNDED,
    Bounds,
    forget,
    forget_at,
    fullness,
    fullness_for,
    growth,
)
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.events import Event, Moved, Paused, Resumed
from poussetaches.model.expiries import EXPIRED_AT_ONCE, expires_at
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Submission, Task
from poussetaches.store.disk import Store
from poussetaches.supervisor import aftermath
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.meters import Meters
from poussetaches.supervisor.orphans import Orphans

log = logging.getLogger(__name__)

#: Room that pushes leave free for each live task, bytes: enough to lease and to end it;
#: up to a limit, because what is allocated ahead is read at every start.
ROOM_PER_TASK = 256
MOST_ROOM = 16 * 1024 * 1024

#: After how many seconds something that was full may have room.
FULL_PAUSE = 10

#: What shall happen to the queue at a moment of its timeline.
Decision = Callable[[TaskQueue, float, Policy], list[Event]]


class Keeper:
    """``slots``: attempts at once; ``end_room``: bytes that the end of one may need.

    A full disk therefore refuses pushes first, leases later, and ends never.
    """

    def __init__(
        self,
        queue: TaskQueue,
        store: Store,
        clock: Clock,
        policy: Policy,
        *,
        slots: int,
        end_room: int,
        bounds: Bounds = UNBOUNDED,
    ) -> None:
        self.queue = queue
        self.store = store
        self.clock = clock
        self.meters = Meters(queue, clock.now())
        self._policy = policy
        self.rules = policy.rules
        self._slots = slots
        self._end_room = end_room
        self._bounds = bounds
        #: What was in flight when the service stopped.
        self.orphans = Orphans(self._hand_back, clock)
        #: On the timeline.
        self._forget_not_before = -math.inf
        self._expire_not_before = -math.inf
        self._refused_until = -math.inf
        self._random = random.Random()

    def push(self, *submissions: Submission) -> list[str]:
        """Accept pushes, all or none; returns the id of the task of each, or of the one
        that was pushed with the same key before.

        Raises InvalidInput, QueueFull or StoreFull, having changed nothing.
        """
        now = self.clock.now()
        policy = self._policy
        ids, events = decisions.push_all(self.queue, submissions, now, policy)
        self._accept(events, now)
        return ids

    def decide(self, decision: Decision) -> list[Event]:
        """Let happen what somebody asked for, and return it.

        Raises what ``decision`` does and, if there are to be more tasks, QueueFull or
        StoreFull, having changed nothing.
        """
        now = self.clock.now()
        events = decision(self.queue, now, self._policy)
        self._accept(events, now)
        return events

    def _accept(self, events: list[Event], now: float) -> None:
        count = growth(events)
        if count <= 0:
            self._record(events, spare=self._ends_room())
            return
        most = self._bounds.max_tasks
        if most is not None and count > most:
            raise TooLarge(f"{count} pushes at once are more than max_tasks, {most}")
        if reason := fullness_for(self.queue, self._bounds, events):
            raise QueueFull(f"the queue is full: {reason}", retry_after=FULL_PAUSE)
        try:
            self._record(events, spare=self._whole_room(further=count))
        except StoreFull as full:
            self._refused_until = now + full.retry_after
            raise
        self._refused_until = -math.inf

    def refuses_pushes(self) -> bool:
        """Whether the disk had no room for a push whose sender may still wait to try
        again."""
        return self.clock.now() < self._refused_until

    def is_full(self) -> bool:
        """Whether the queue may have no further task."""
        return fullness(self.queue, self._bounds) is not None

    def lease(self, free: int, worker: int = 0) -> Task | None:
        """Begin the attempt that is due, if one is that may have one of the ``free``
        slots of all workers; ``worker`` makes it. Raises StoreFull."""
        now = self.clock.now()
        # So many at most are found not to be wanted before others have their turn.
        for _ in range(EXPIRED_AT_ONCE):
            event = decisions.lease(self.queue, now, free, worker)
            if event is None:
                return None
            task = self.queue.tasks[event.id]
            if task.terms.special is None or not self._is_unwanted(task, now):
                self._record([event], spare=self._ends_room())
                return task
        return None

    def due_at(self, free: int) -> float:
        """When ``lease`` or ``expire`` will have something to do, on the timeline, if
        nothing happens before."""
        queue = self.queue
        due_at = math.inf if queue.paused else queue.turns.due_at(free)
        expiring = queue.turns.expiries.next()
        if expiring is None:
            return due_at
        return min(due_at, max(expiring[0] - queue.skew, self._expire_not_before))

    def timeout(self, task: Task, usual: float) -> float:
        """How long an attempt may take, seconds; ``usual``: where nobody says."""
        return decisions.timeout(self.queue, task, usual)

    def expire(self) -> None:
        """End tasks that nobody wants any more, some at a time; what the disk has no
        room for, with the callbacks that follow, later."""
        if not self.queue.turns.expiries:
            return
        now = self.clock.now()
        if now < self._expire_not_before:
            return
        ids = self.queue.turns.expiries.due(now + self.queue.skew, EXPIRED_AT_ONCE)
        try:
            self._expire(ids, now)
        except StoreFull:
            self._expire_not_before = now + FULL_PAUSE

    def _expire(self, ids: list[str], now: float) -> None:
        events = endings.expire(self.queue, ids, now, self._policy)
        self._record(events, spare=self._ends_room())
        for id in ids:
            log.warning("expired", extra=fields(task=id))

    def _is_unwanted(self, task: Task, now: float) -> bool:
        """Whether nobody wants ``task`` so late; then it is gone, and if it is the run
        of a schedule the next one is there in its place."""
        if expires_at(task) <= now + self.queue.skew:
            try:
                self._expire([task.id], now)
            except StoreFull:
                # It must not stand in others' way.
                moved = Moved(task.id, now, now + FULL_PAUSE)
                self._record([moved], spare=self._ends_room())
            return True
        events = recurrence.skip_missed(self.queue, task, now, self.rules)
        self._record(events, spare=self._ends_room())
        if events:
            late = round(now - task.eta, 1)
            log.warning("run skipped", extra=fields(task=task.id, late=late))
        return bool(events)

    def conclude(self, task: Task, outcome: Outcome) -> None:
        """An attempt brought ``outcome``."""
        now, draw = self.clock.now(), self._random.random()
        policy = self._policy
        count = len(outcome.follow_ups)
        reason = fullness(self.queue, self._bounds, further=count) if count else None
        if reason is not None:
            outcome = _put_off(outcome, f"the queue is full: {reason}")
        events = endings.conclude(self.queue, task, outcome, now, draw, policy)
        # Should it be lost in a power cut, the attempt is made again, as if that had
        # come a moment earlier.
        try:
            self._record(events, lazily=True)
        except StoreFull as full:
            if not decisions.pushes(events):
                raise
            # There is always room for an end, but not for whatever may follow it.
            outcome = _put_off(outcome, full.message)
            events = [endings.put_off(self.queue, task, outcome, now, FULL_PAUSE)]
            self._record(events, lazily=True)
        aftermath.tell(task, outcome, events)
        limit = policy.hold_limit
        aftermath.heed(self.queue.turns, task, outcome, events, now, limit)

    def lose(self, task: Task, reason: str) -> None:
        """The worker that held ``task`` is gone."""
        now, draw = self.clock.now(), self._random.random()
        events = endings.lose(self.queue, task, reason, now, draw, self._policy)
        try:
            self._record(events)
        except StoreFull as full:
            if not decisions.pushes(events):
                raise
            outcome = _put_off(Outcome(False, NO_ANSWER, b""), full.message)
            self._record([endings.put_off(self.queue, task, outcome, now, FULL_PAUSE)])
        log.warning(
            "attempt lost",
            extra=fields(task=task.id, attempt=task.attempts, why=reason),
        )

    def hand_back(self, task: Task) -> None:
        """The worker that held ``task`` was stopped with the service."""
        self._hand_back(task)
        log.info("handed back", extra=fields(task=task.id, attempt=task.attempts))

    def pause(self) -> None:
        """Lease nothing from now on."""
        if not self.queue.paused:
            self._record([Paused(self.clock.now())], spare=self._ends_room())
            log.info("paused")

    def resume(self) -> None:
        """Lease again."""
        if self.queue.paused:
            self._record([Resumed(self.clock.now())], spare=self._ends_room())
            log.info("resumed")

    def forget(self) -> None:
        """Drop the dead letters that need not be kept any more."""
        now = self.clock.now()
        if now < self._forget_not_before:
            return
        events = forget(self.queue, self._bounds, now)
        try:
            self._record(events, spare=self._whole_room())
        except StoreFull:
            self._forget_not_before = now + FULL_PAUSE
            return
        if events:
            log.info("dead letters dropped", extra=fields(count=len(events)))

    def forget_in(self) -> float:
        """Seconds until ``forget`` has something to do."""
        at = max(forget_at(self.queue, self._bounds), self._forget_not_before)
        return at - self.clock.now()

    def watch_clock(self) -> None:
        """Follow the wall clock, if it was set."""
        if self.clock.stepped(self.queue.skew):
            before, skew = self.queue.skew, self.clock.skew()
            now = self.clock.now()
            events = recurrence.step_clock(self.queue, skew, now, self.rules)
            try:
                self._record(events, spare=self._ends_room())
            except StoreFull:
                return  # the next tick sees the step again
            log.warning("the wall clock was set", extra=fields(seconds=skew - before))

    def wall_slot(self, task: Task) -> float:
        """The slot of a run by the wall clock; 0.0 for a task that is no run."""
        if not task.schedule:
            return 0.0
        return task.slot + recurrence.slots_behind(
            self.queue, task.schedule, self.rules
        )

    def record(self, events: list[Event]) -> None:
        """Have happen what was decided elsewhere. Raises StoreFull, having changed
        nothing."""
        self._record(events, spare=self._ends_room())

    def commit(self) -> bool:
        """Make durable what was decided since the last commit; returns whether anything
        was. Raises OSError."""
        return self.store.commit()

    def _hand_back(self, task: Task) -> None:
        now = self.clock.now()
        self._record(endings.hand_back(self.queue, task, now, self._policy))

    def _ends_room(self, *, further: int = 0) -> int:
        """Bytes that the ends of all attempts that can be in flight may need, with so
        many tasks more than there are."""
        at_once = min(self._slots, len(self.queue.tasks) + further)
        return self._end_room * at_once + ROOM_PER_TASK * len(self.orphans)

    def _whole_room(self, *, further: int = 0) -> int:
        """The same, and what it takes to begin every one of them."""
        tasks = len(self.queue.tasks) + further
        room = min(MOST_ROOM, ROOM_PER_TASK * tasks)
        return self._ends_room(further=further) + room

    def _record(
        self, events: list[Event], *, spare: int = 0, lazily: bool = False
    ) -> None:
        if events:
            self.store.append(events, spare=spare, lazily=lazily)
        for event in events:
            try:
                self.meters.note(event)
                self.queue.apply(event)
            except Exception as error:
                # The store has it: whatever this is, nobody may go on after it.
                what = f"{type(event).__name__} at {event.at!r}"
                raise IllegalEvent(f"{what} cannot happen: {error!r}") from error


def _put_off(outcome: Outcome, reason: str) -> Outcome:
    """An end that is to be followed by tasks which cannot be accepted now: the attempt
    is made again later, and does not count."""
    error = f"what is to follow cannot be accepted now: {reason}".encode()
    return outcome._replace(ok=False, error=error, snooze=FULL_PAUSE, follow_ups=())
