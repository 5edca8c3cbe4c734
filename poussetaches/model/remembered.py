"""The remembered: tasks that have ended, by how they did."""

from __future__ import annotations

from collections.abc import Iterator

from poussetaches.model.dead_letters import DeadLetters
from poussetaches.model.kept import Kept
from poussetaches.model.task import Task


class Remembered:
    """``retain``: how many of those that succeeded, and of those that expired. Those
    that are dead stay until they are forgotten by an event of their own."""

    def __init__(self, retain: int) -> None:
        self.retain = retain
        self.succeeded = Kept()
        self.expired = Kept()
        self.dead = DeadLetters()

    def take(self, kept: Kept, task: Task) -> list[Task]:
        """``task`` has ended as those of ``kept``. Returns those that are remembered no
        more for it."""
        other = kept.put(task)
        gone = [] if other is None else [other]
        if kept is not self.dead:
            # More than one if a restart has brought more than are retained since.
            while len(kept) > self.retain:
                gone.append(kept.drop_oldest())
        return gone

    def __iter__(self) -> Iterator[Task]:
        """All of them."""
        yield from self.succeeded.values()
        yield from self.expired.values()
        yield from self.dead.values()
