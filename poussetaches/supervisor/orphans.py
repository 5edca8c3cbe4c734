"""The orphans: tasks that were in flight when the service stopped, and not handed back
yet, because the disk had no room for it."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable

from poussetaches.errors import StoreFull
from poussetaches.log import fields
from poussetaches.model.task import State, Task
from poussetaches.supervisor.clock import Clock

log = logging.getLogger(__name__)

#: How soon a hand-back that found no room is tried again, seconds.
REST = 1.0


class Orphans:
    """``hand_back``: makes a task wait again, or raises StoreFull."""

    def __init__(self, hand_back: Callable[[Task], None], clock: Clock) -> None:
        self._hand_back = hand_back
        self._clock = clock
        self._tasks: deque[Task] = deque()
        #: On the timeline.
        self._not_before = -math.inf

    def __len__(self) -> int:
        return len(self._tasks)

    def take(self, tasks: Iterable[Task]) -> int:
        """Hand back ``tasks``; returns how many they are.

        What the disk has no room for stays in flight until ``hand_back``.
        """
        self._tasks.extend(tasks)
        count = len(self._tasks)
        self.hand_back()
        return count

    def hand_back(self) -> None:
        """Hand back what could not be, if there is room for it now."""
        now = self._clock.now()
        if not self._tasks or now < self._not_before:
            return
        was_full = self._not_before > -math.inf
        try:
            while self._tasks:
                if self._tasks[0].state is State.LEASED:  # not cancelled meanwhile
                    self._hand_back(self._tasks[0])
                self._tasks.popleft()
        except StoreFull:
            self._not_before = now + REST
            if not was_full:
                log.warning(
                    "the disk is full: what was in flight is handed back when there is"
                    " room",
                    extra=fields(tasks=len(self._tasks)),
                )
            return
        if was_full:
            log.info("there was room to hand back what was in flight")

    def due_in(self) -> float:
        """Seconds until ``hand_back`` has something to do."""
        return self._not_before - self._clock.now() if self._tasks else math.inf
