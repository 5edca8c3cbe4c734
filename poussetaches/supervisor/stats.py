"""What the service knows of itself, as plain values."""

from __future__ import annotations

import os
from typing import Any

import poussetaches
from poussetaches import usage
from poussetaches.channel.messages import Pulse
from poussetaches.model.listing import oldest_due
from poussetaches.supervisor.children import Child, Children
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.dumper import Dumper
from poussetaches.supervisor.health import Signs, complaints, obstacles
from poussetaches.supervisor.keeper import Keeper


class Stats:
    """Gathers the numbers from those who keep them. ``started_at``: monotonic."""

    def __init__(
        self,
        keeper: Keeper,
        children: Children,
        dispatch: Dispatch,
        dumper: Dumper,
        *,
        started_at: float,
    ) -> None:
        self._keeper = keeper
        self._children = children
        self._dispatch = dispatch
        self._dumper = dumper
        self._started_at = started_at
        #: Whether every child has been ready once.
        self.started = False

    def status(self, now: float) -> dict[str, Any]:
        """The short answer: is it alive, does work move? ``now``: monotonic."""
        queue = self._keeper.queue
        timeline = self._keeper.clock.now()
        oldest = oldest_due(queue, timeline)
        return {
            "in_flight": len(queue.leased),
            "paused": queue.paused,
            "version": poussetaches.__version__,
            "uptime": round(now - self._started_at, 3),
            "workers": len(self._children.workers()),
            "waiting": queue.waiting,
            "succeeded": queue.counts.succeeded,
            "dead": queue.counts.dead,
            "expired": queue.counts.expired,
            "cancelled": queue.counts.cancelled,
            "accepted": queue.counts.accepted,
            "held_origins": len(queue.turns.origins.held),
            "oldest_due": (
                None
                if oldest is None
                else {"id": oldest.id, "seconds": round(timeline - oldest.eta, 3)}
            ),
        }

    def pulse(self, now: float) -> Pulse:
        """The same, and a judgement of it. ``now``: monotonic.

        To be asked when the tick has begun all attempts that it can.
        """
        status = self.status(now)
        free = self._dispatch.free
        # Not the oldest of all: one that a limit keeps must wait.
        timeline = self._keeper.clock.now()
        next_one = self._keeper.queue.turns.next(timeline, free)
        signs = Signs(
            started=self.started,
            draining=self._dispatch.draining,
            paused=status["paused"],
            workers=status["workers"],
            free=free,
            late=0.0 if next_one is None else max(0.0, timeline - next_one.eta),
            full=self._keeper.refuses_pushes(),
        )
        return Pulse(status, complaints(signs), obstacles(signs))

    def everything(self, now: float) -> dict[str, Any]:
        """The whole picture, per child and in total. ``now``: monotonic."""
        queue, store = self._keeper.queue, self._keeper.store
        return {
            **self.status(now),
            "accounting_difference": queue.difference(),
            "schedules": len(queue.schedules),
            "keys": len(queue.keys),
            "memory": queue.memory,
            "kept": {
                "succeeded": len(queue.succeeded),
                "dead": len(queue.dead),
                "expired": len(queue.expired),
            },
            "attempts": {
                "succeeded": self._dispatch.succeeded,
                "failed": self._dispatch.failed,
                "lost": self._dispatch.lost,
                "late": self._dispatch.late,
            },
            "store": {
                "generation": store.generation,
                "journal_bytes": store.journal_size,
                "last_dump_seconds": self._dumper.duration,
            },
            "supervisor": {
                "pid": os.getpid(),
                "memory": usage.memory(),
                "cpu": usage.cpu(),
            },
            "restarts": self._children.restarts,
            "children": [_child(child, now) for child in self._children],
        }


def _child(child: Child, now: float) -> dict[str, Any]:
    return {
        "name": child.name,
        "pid": child.process.pid,
        "ready": child.ready,
        "uptime": round(now - child.started_at, 3),
        "memory": child.memory,
        "cpu": child.cpu,
        "slots": child.slots,
        "in_flight": len(child.holds),
        "succeeded": child.succeeded,
        "failed": child.failed,
        "busy": round(child.busy, 3),
        "gauges": child.gauges,
    }
