"""The bulletin: how children hear which queues there are, and when that changes."""

from __future__ import annotations

from collections.abc import Iterable

from poussetaches.channel.messages import Queues
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.queue_keeper import QueueKeeper


class Bulletin:
    """Runs in the supervisor's loop. What is sent travels after the tick's commit."""

    def __init__(self, queues: QueueKeeper, children: Iterable[Child]) -> None:
        self._queues = queues
        self._children = children
        self._version = queues.version

    def welcome(self, child: Child) -> None:
        """Tell a child that has just begun."""
        child.peer.send(Queues(self._queues.settings()))

    def post(self) -> None:
        """Tell every child, if there is news since the last time."""
        if self._queues.version == self._version:
            return
        self._version = self._queues.version
        message = Queues(self._queues.settings())
        for child in self._children:
            child.peer.send(message)
