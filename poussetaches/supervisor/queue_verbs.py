"""What the public may ask and say of queues, by verb: thin, as in ``handlers.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from poussetaches.errors import ChannelError
from poussetaches.supervisor.bulletin import Bulletin
from poussetaches.supervisor.queue_keeper import PURGED_AT_ONCE, QueueKeeper

#: More characters than any name that an api lets through.
LONGEST_NAME = 1000
#: More settings than a queue has.
MOST_CHANGES = 100


class QueueVerbs:
    """Whoever asks for a change hears of it after every child has: what the api does
    next then follows the new settings."""

    def __init__(self, queues: QueueKeeper, bulletin: Bulletin) -> None:
        self._queues = queues
        self._bulletin = bulletin

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {
            "queues": self._queues.views,
            "queue": self._show,
            "queue_set": self._set,
            "queue_drop": self._drop,
            "queue_purge": self._purge,
        }

    def _show(self, name: str) -> dict[str, Any]:
        _check(name)
        return self._queues.view(name)

    def _set(self, name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        _check(name)
        if not isinstance(changes, dict) or len(changes) > MOST_CHANGES:
            raise ChannelError(f"changes of a queue: {changes!r:.50}")
        is_new = self._queues.set(name, changes)
        self._bulletin.post()
        return self._queues.view(name) | {"is_new": is_new}

    def _drop(self, name: str) -> None:
        _check(name)
        self._queues.drop(name)
        self._bulletin.post()

    def _purge(self, name: str) -> dict[str, Any]:
        _check(name)
        cancelled = self._queues.purge(name)
        return {"cancelled": cancelled, "is_over": cancelled < PURGED_AT_ONCE}


def _check(name: object) -> None:
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise ChannelError(f"a queue called {name!r:.50}")
