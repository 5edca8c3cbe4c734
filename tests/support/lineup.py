"""Turns with queues, origins and a clock, for tests of whose turn it is."""

from __future__ import annotations

from typing import Any

from poussetaches.model.caps import NO_CAPS, Caps
from poussetaches.model.origin import Origin
from poussetaches.model.task import State, Task, Terms
from poussetaches.model.turns import Turns
from tests.support.queues import NOW


class Lineup:
    """``slots``: of all workers. Time stands still unless ``now`` is moved."""

    def __init__(self, *, slots: int = 10**6, caps: Caps = NO_CAPS) -> None:
        self.turns = Turns(caps)
        self.slots = slots
        self.now = NOW
        self.in_flight: list[Task] = []
        self._count = 0

    @property
    def free(self) -> int:
        return self.slots - len(self.in_flight)

    def set(self, name: str, **settings: Any) -> None:
        """A queue has these settings from now on."""
        self.turns.set_queue(name, settings, {}, self.now)

    def add(
        self, queue: str = "default", origin: str = "http://a:80", delay: float = 0.0
    ) -> Task:
        """A task waits from now on."""
        self._count += 1
        terms = Terms.of((None, "", origin, queue))
        eta = self.now + delay
        task = Task(f"t{self._count}", b"", "", 0.0, eta, 0, terms=terms)
        self.turns.add(task)
        return task

    def begin(self) -> Task | None:
        """Begin the attempt whose turn it is."""
        task = self.turns.next(self.now, self.free)
        if task is not None:
            assert task.eta <= self.now
            self.turns.begin(task, self.now)
            task.state = State.LEASED
            self.in_flight.append(task)
        return task

    def begin_all(self) -> list[Task]:
        """Begin what may begin now."""
        begun = []
        while (task := self.begin()) is not None:
            begun.append(task)
        return begun

    def end(self, task: Task) -> None:
        """An attempt has ended, and with it its task."""
        self.turns.end(task, self.now)
        self.turns.leave(task)
        self.in_flight.remove(task)

    def origin(self, name: str = "http://a:80") -> Origin:
        """What is known of it."""
        return self.turns.origins[name]
