"""The lane: the waiting tasks of one queue for one origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poussetaches.model.line import Line
from poussetaches.model.task import Task

if TYPE_CHECKING:
    from poussetaches.model.named_queue import Queue


class Lane(Line[Task]):
    """Lanes stand in lines themselves, each at the position of its first task."""

    __slots__ = ("eta", "level", "order", "queue", "stands")

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue
        #: Where it stands. Not to be read while it does not.
        self.eta = 0.0
        self.order = 0
        #: In which of the lines: how many are in flight to its origin.
        self.level = 0
        #: Whether it stands in a line: something waits in it, and may begin.
        self.stands = False
