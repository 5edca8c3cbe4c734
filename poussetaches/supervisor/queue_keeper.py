"""The queues, kept: what the configuration says of them, and what people said since.

It decides by ``queue_decisions`` and has the keeper write down and apply.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from poussetaches.errors import StoreFull
from poussetaches.log import fields
from poussetaches.model import queue_decisions
from poussetaches.model.events import Event, QueueDropped, QueueSet
from poussetaches.model.named_queue import Queue
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.supervisor.keeper import Keeper

log = logging.getLogger(__name__)

#: Tasks that are cancelled by one record, and at one moment, for which everything else
#: waits: a twentieth of a second.
PURGED_BY_RECORD = 1000
PURGED_AT_ONCE = 5000


class QueueKeeper:
    """Runs in the supervisor's loop."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        #: Those whose sections are gone, and in which there still are tasks.
        self._abandoned: list[str] = []
        #: How often a queue was set or dropped here.
        self._changes = 0

    @property
    def version(self) -> tuple[int, int]:
        """Another one when there are other queues, or other settings of one."""
        # A push that makes a queue makes it by itself.
        return self._changes, len(self._keeper.queue.turns.queues)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Those of every queue (``QueueSettings.to_wire``), by name."""
        queues = self._keeper.queue.turns.queues
        return {name: one.settings.to_wire() for name, one in queues.items()}

    # --- what the configuration says --------------------------------------------------

    def configure(self, configured: Mapping[str, QueueSettings]) -> int:
        """Follow the sections of the configuration; returns how many queues changed.

        Raises InvalidInput or StoreFull, having changed nothing.
        """
        queue, now = self._keeper.queue, self._keeper.clock.now()
        events = queue_decisions.configure(queue, configured, now)
        kept = [
            event.name
            for event in events
            if isinstance(event, QueueSet)
            and event.configured is None
            and event.name not in configured
            and event.changed
        ]
        self._record(events)
        for name in kept:
            log.warning(
                "a queue is in the configuration no more, and stays because it was"
                " changed by hand: `poussetaches queue drop` drops it",
                extra=fields(queue=name),
            )
        self._abandoned = queue_decisions.abandoned(queue, configured)
        for name in self._abandoned:
            one = queue.turns.queues[name]
            log.warning(
                "a queue is in the configuration no more, and stays as it is until"
                " its tasks have ended",
                extra=fields(queue=name, waiting=one.waiting, in_flight=one.in_flight),
            )
        return len(events)

    def drop_abandoned(self) -> None:
        """Drop those that only waited for their last task to end, if it has."""
        now = self._keeper.clock.now()
        for name in [*self._abandoned]:
            events = queue_decisions.drop_abandoned(self._keeper.queue, name, now)
            try:
                self._record(events)
            except StoreFull:
                return  # it has no task, and no hurry
            if events:
                log.info("queue dropped", extra=fields(queue=name))
                self._abandoned.remove(name)

    # --- what people say --------------------------------------------------------------

    def set(self, name: str, changes: Mapping[str, Any]) -> bool:
        """Make a queue, or change it; returns whether it was made. Raises InvalidInput
        or StoreFull."""
        queue, now = self._keeper.queue, self._keeper.clock.now()
        is_new = name not in queue.turns.queues
        is_abandoned = name in self._abandoned
        events = queue_decisions.set_queue(
            queue, name, changes, now, is_abandoned=is_abandoned
        )
        self._record(events)
        if is_abandoned:
            self._abandoned.remove(name)
        if events:
            told = fields(queue=name, settings=", ".join(changes))
            log.info("queue made" if is_new else "queue changed", extra=told)
        return is_new

    def drop(self, name: str) -> None:
        """Do without a queue. Raises NotFound, Conflict or StoreFull."""
        queue, now = self._keeper.queue, self._keeper.clock.now()
        self._record(queue_decisions.drop(queue, name, now))
        log.info("queue dropped", extra=fields(queue=name))

    def purge(self, name: str) -> int:
        """Cancel some of what waits in a queue; returns how many tasks. Fewer than
        PURGED_AT_ONCE: no more waited. Raises NotFound or StoreFull."""
        queue, now = self._keeper.queue, self._keeper.clock.now()
        events = queue_decisions.purge(queue, name, now, PURGED_AT_ONCE)
        for first in range(0, len(events), PURGED_BY_RECORD):
            self._keeper.record(events[first : first + PURGED_BY_RECORD])
        if events:
            log.warning("purged", extra=fields(queue=name, tasks=len(events)))
        return len(events)

    # --- what people see --------------------------------------------------------------

    def view(self, name: str) -> dict[str, Any]:
        """A queue for the public. Raises NotFound."""
        return self._view(queue_decisions.find(self._keeper.queue, name))

    def views(self) -> list[dict[str, Any]]:
        """All of them, by name."""
        queues = self._keeper.queue.turns.queues
        return [self._view(queues[name]) for name in sorted(queues)]

    def _view(self, one: Queue) -> dict[str, Any]:
        now = self._keeper.clock.now()
        first = one.first(math.inf)
        late = None
        if first is not None and first.eta <= now:
            late = {"id": first.id, "seconds": now - first.eta}
        return {
            "name": one.name,
            "settings": one.settings.to_wire(),
            "configured": one.configured,
            "changed": one.changed,
            "waiting": one.waiting,
            "in_flight": one.in_flight,
            "oldest_due": late,
        }

    def _record(self, events: list[Event]) -> None:
        if events:
            self._keeper.record(events)
            self._changes += any(isinstance(e, QueueSet | QueueDropped) for e in events)
