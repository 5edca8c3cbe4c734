"""The bulletin: how children hear of what changes: the queues, and who is let in."""

from __future__ import annotations

from collections.abc import Iterable

from poussetaches.channel.messages import Configure, Queues
from poussetaches.config import Config
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.reload import TAKEN


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

    def configure(self, before: Config, after: Config) -> None:
        """Tell every api who is let in, if that has changed."""
        if all(getattr(after, name) == getattr(before, name) for name in TAKEN):
            return
        message = Configure(after.to_wire())
        for child in self._children:
            if child.role == "api":
                child.peer.send(message)
