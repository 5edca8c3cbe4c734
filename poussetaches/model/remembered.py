"""The remembered: tasks that have ended, by how they did."""

from __future__ import annotations

from collections.abc import Iterator

from poussetaches.model.kept import Kept
from poussetaches.model.task import State, Task


class Remembered:
    """``retain``: how many of those that succeeded, and of those that expired. Those
    that are dead stay until they are forgotten by an event of their own."""

    def __init__(self, retain: int) -> None:
        self.retain = retain
        self.succeeded = Kept()
        self.expired = Kept()
        self.dead = Kept()

    def take(self, task: Task) -> Iterator[Task]:
        """``task`` has ended. Hands out those that are remembered no more for it."""
        of_its_kind = {
            State.SUCCEEDED: self.succeeded,
            State.EXPIRED: self.expired,
            State.DEAD: self.dead,
        }[task.state]
        other = of_its_kind.put(task)
        if other is not None:
            yield other
        if task.state is not State.DEAD:
            for _ in range(len(of_its_kind) - self.retain):
                yield of_its_kind.drop_oldest()

    def __iter__(self) -> Iterator[Task]:
        """All of them."""
        yield from self.succeeded.values()
        yield from self.expired.values()
        yield from self.dead.values()
