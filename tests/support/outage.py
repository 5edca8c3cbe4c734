"""A day in the life of a queue, with a clock that jumps from one thing to the next.

Targets are functions; what is decided is decided as the supervisor does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from poussetaches.model import decisions, endings
from poussetaches.model.backoff import Backoff
from poussetaches.model.caps import NO_CAPS, Caps
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.origin import Origin
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Special, Submission, Task, Terms
from poussetaches.supervisor import aftermath
from tests.support.queues import NOW, POLICY, reloaded

REFUSED = Outcome(False, NO_ANSWER, b"connection refused", unreached=True)

SITE = "http://site:80"

#: From the task and the moment of the request, in seconds since the beginning, to the
#: seconds that the attempt takes and what it brings.
Target = Callable[[Task, float], tuple[float, Outcome]]


class Request(NamedTuple):
    """One attempt, as the target saw it. Moments: seconds since the beginning."""

    at: float
    id: str
    status: int
    ended_at: float


def status(number: int, *, retry_after: float = 0.0) -> Outcome:
    """What an answer with that status is."""
    return Outcome(200 <= number < 300, number, b"", retry_after=retry_after)


class Outage:
    """``target``: of all origins."""

    def __init__(
        self,
        target: Target,
        *,
        slots: int = 256,
        hold_limit: float = 3600.0,
        backoff: Backoff | None = None,
        caps: Caps = NO_CAPS,
    ) -> None:
        self.queue = TaskQueue(retain_succeeded=10**6, caps=caps)
        self.policy: Policy = POLICY._replace(
            hold_limit=hold_limit, backoff=backoff or Backoff((1.0, 10.0, 100.0))
        )
        self.requests: list[Request] = []
        #: The attempt as which each task succeeded, and when.
        self.done: dict[str, tuple[int, float]] = {}
        self._target = target
        self._slots = slots
        self._now = NOW
        #: What happens when: the end of an attempt, or something else.
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._now - NOW

    @property
    def done_at(self) -> float:
        """When the last task succeeded, seconds since the beginning."""
        return max(at for _, at in self.done.values())

    def origin(self, name: str = SITE) -> Origin | None:
        """What is known of it."""
        return self.queue.turns.origins.get(name)

    def push(
        self,
        *ids: str,
        origin: str = SITE,
        queue: str = "default",
        max_retries: int | None = None,
        group: str = "",
    ) -> None:
        """Push tasks now."""
        self.queue.turns.queue(queue).configured = {}
        special = Special(group=group) if group else None
        for id in ids:
            terms = Terms.of((max_retries, "", origin, queue, special))
            asked = Submission(id, b"", terms=terms)
            events = decisions.push(self.queue, asked, self._now, self.policy)
            for event in events:
                self.queue.apply(event)

    def at(self, moment: float, deed: Callable[[], None]) -> None:
        """Have ``deed`` done so many seconds after the beginning."""
        heapq.heappush(self._coming, (NOW + moment, next(self._numbers), deed))

    def run(self, until: float = 1e9) -> None:
        """Until then, in seconds since the beginning, or nothing is left to do."""
        while True:
            self._lease()
            free = self._slots - len(self.queue.leased)
            coming = self._coming[0][0] if self._coming else float("inf")
            following = min(coming, self.queue.turns.due_at(free))
            if following > NOW + until:
                self._now = max(self._now, NOW + until) if until < 1e9 else self._now
                return
            self._now = max(self._now, following)
            while self._coming and self._coming[0][0] <= self._now:
                heapq.heappop(self._coming)[2]()

    def restart(self) -> None:
        """The service stops, and starts again from a dump."""
        self._coming.clear()
        self.queue = reloaded(self.queue, TaskQueue(retain_succeeded=10**6))
        for task in [*self.queue.leased.values()]:
            for event in endings.hand_back(self.queue, task, self._now, self.policy):
                self.queue.apply(event)

    def _lease(self) -> None:
        for _ in range(10**6):
            free = self._slots - len(self.queue.leased)
            event = decisions.lease(self.queue, self._now, free) if free > 0 else None
            if event is None:
                return
            self.queue.apply(event)
            task = self.queue.tasks[event.id]
            takes, outcome = self._target(task, self.now)
            self.requests.append(
                Request(self.now, task.id, outcome.status, self.now + takes)
            )
            self.at(self.now + takes, lambda t=task, o=outcome: self._end(t, o))  # type: ignore[misc]
        raise AssertionError("it leases for ever")

    def _end(self, task: Task, outcome: Outcome) -> None:
        policy, now = self.policy, self._now
        attempts = task.attempts
        events = endings.conclude(self.queue, task, outcome, now, 0.5, policy)
        for event in events:
            self.queue.apply(event)
        if outcome.ok:
            self.done[task.id] = (attempts, self.now)
        turns, limit = self.queue.turns, policy.hold_limit
        aftermath.heed(turns, task, outcome, events, now, limit)
        assert self.queue.difference() == 0
