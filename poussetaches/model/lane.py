"""The lane: the waiting tasks of one origin, and how many of it are in flight."""

from __future__ import annotations

from enum import Enum

from poussetaches.model.line import Line
from poussetaches.model.task import Task


class Place(Enum):
    """Where a lane is."""

    #: Nowhere: nothing waits in it.
    NOWHERE = "nowhere"
    #: Among those whose first task may come next.
    IN_LINE = "in line"
    #: Among those that had reached their limit.
    ASIDE = "aside"


class Lane(Line[Task]):
    """Lanes stand in a line themselves, each at the position of its first task."""

    __slots__ = ("eta", "in_flight", "order", "place")

    def __init__(self) -> None:
        self._chunks = []
        #: Where it stands. Not to be read while it is nowhere.
        self.eta = 0.0
        self.order = 0
        self.place = Place.NOWHERE
        #: Attempts under way.
        self.in_flight = 0
