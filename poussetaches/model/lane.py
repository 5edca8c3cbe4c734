"""The lane: the waiting tasks of one origin, and how many of it are in flight."""

from __future__ import annotations

from poussetaches.model.line import Line
from poussetaches.model.task import Task


class Lane(Line[Task]):
    """Lanes stand in lines themselves, each at the position of its first task."""

    __slots__ = ("eta", "in_flight", "order", "stands")

    def __init__(self) -> None:
        super().__init__()
        #: Where it stands. Not to be read while it does not.
        self.eta = 0.0
        self.order = 0
        #: Whether it stands in a line: something waits in it.
        self.stands = False
        #: Attempts under way.
        self.in_flight = 0
