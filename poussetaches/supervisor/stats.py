"""What the service knows of itself, as plain values."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import poussetaches
from poussetaches import usage
from poussetaches.channel.messages import Pulse
from poussetaches.config import Config
from poussetaches.model.histogram import Histogram
from poussetaches.model.listing import oldest_due
from poussetaches.model.named_queue import Queue
from poussetaches.store.disk import SYNC_BOUNDS
from poussetaches.supervisor.children import Child, Children
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.dumper import Dumper
from poussetaches.supervisor.health import Signs, complaints, obstacles
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.meters import MOST_QUEUES, QueueMeter
from poussetaches.supervisor.sampler import Sampler

#: Of a queue (the fields of ``schema.QueueNumbers``).
Numbers = tuple[Any, ...]

#: Queues whose numbers are told at once: half a millisecond.
AT_ONCE = 20


class Stats:
    """Gathers the numbers from those who keep them. ``started_at``: monotonic."""

    def __init__(
        self,
        keeper: Keeper,
        children: Children,
        dispatch: Dispatch,
        dumper: Dumper,
        config: Config,
        *,
        started_at: float,
    ) -> None:
        self._keeper = keeper
        self._children = children
        self._dispatch = dispatch
        self._dumper = dumper
        self._started_at = started_at
        self.sampler = Sampler(keeper, config.heartbeat_timeout)
        #: Whether every child has been ready once.
        self.started = False
        #: How long ticks took, seconds: whoever asks for anything waits for one.
        self.ticks = Histogram(SYNC_BOUNDS)
        #: Pushes that were refused, by the code of the error.
        self.refused = {"queue_full": 0, "store_full": 0}
        #: What was said last.
        self._pulse = Pulse({}, [], [])

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
            overdue=self._dispatch.overdue(now),
            full=self._keeper.refuses_pushes(),
            crowded=self._keeper.is_full(),
        )
        self._pulse = Pulse(status, complaints(signs), obstacles(signs))
        return self._pulse

    def everything(self, now: float) -> dict[str, Any]:
        """The whole picture, per child and in total; of the queues there is more (see
        ``queues``). ``now``: monotonic."""
        queue, meters = self._keeper.queue, self._keeper.meters
        timeline = self._keeper.clock.now()
        return {
            **self.status(now),
            "started_at": round(time.time() - (now - self._started_at), 3),
            "complaints": self._pulse.complaints,
            "obstacles": self._pulse.obstacles,
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
            "refused": dict(self.refused),
            "rates": meters.rates(meters.all(), timeline),
            "other_queues": self.other_queues(),
            **self._origins(),
            "store": self._store(),
            "supervisor": {
                "pid": os.getpid(),
                "memory": usage.memory(),
                "cpu": usage.cpu(),
                "ticks": self.ticks.raw,
            },
            "restarts": sum(self._children.restarts.values()),
            "restarts_by_role": self._children.restarts,
            "children": [_child(child, now) for child in self._children],
        }

    def _store(self) -> dict[str, Any]:
        store, dumper = self._keeper.store, self._dumper
        size, finished_at = (None, None) if dumper.last is None else dumper.last
        return {
            "generation": store.generation,
            "journal_bytes": store.journal_size,
            "syncs": store.syncs.raw,
            "last_dump_seconds": dumper.duration,
            "dump_bytes": size,
            "dumped_at": finished_at,
            "dumps": {"written": dumper.written, "failed": dumper.failed},
        }

    def queues(self, after: str) -> tuple[list[Numbers], bool]:
        """Some queues beyond that name, by name, and whether these were the last. There
        may be many, and nobody is to wait for all of their numbers."""
        queues, meters = self._keeper.queue.turns.queues, self._keeper.meters
        for name in [name for name in meters if name not in queues]:
            del meters[name]  # an attempt has ended since it was dropped
        for name, _ in zip(queues, range(MOST_QUEUES), strict=False):
            meters[name]  # from the start, and not only when something has happened
        beyond = sorted(name for name in meters if name > after)
        now = self._keeper.clock.now()
        found = [
            self._queue(queues[name], meters[name], now) for name in beyond[:AT_ONCE]
        ]
        return found, len(beyond) <= AT_ONCE

    def other_queues(self) -> Numbers | None:
        """What there is of those that have no meter of their own, together; None: all
        have."""
        queue, meters = self._keeper.queue, self._keeper.meters
        if meters.others is None:
            return None
        own = [
            queue.turns.queues[name] for name in meters if name in queue.turns.queues
        ]
        return (
            "",
            queue.waiting - sum(one.waiting for one in own),
            len(queue.leased) - sum(one.in_flight for one in own),
            False,
            None,
            *self._numbers(meters.others, self._keeper.clock.now()),
        )

    def _queue(self, queue: Queue, meter: QueueMeter, now: float) -> Numbers:
        first = queue.first(math.inf)
        return (
            queue.name,
            queue.waiting,
            queue.in_flight,
            queue.settings.paused,
            None if first is None or first.eta > now else round(now - first.eta, 3),
            *self._numbers(meter, now),
        )

    def _numbers(self, meter: QueueMeter, now: float) -> Numbers:
        return (
            meter.accepted,
            meter.revived,
            meter.dead,
            meter.expired,
            meter.cancelled,
            meter.outcomes,
            meter.statuses,
            self._keeper.meters.rates([meter], now),
            meter.durations.raw,
            meter.end_to_end.raw,
            meter.lateness.raw,
        )

    def _origins(self) -> dict[str, Any]:
        held, meters = self._keeper.queue.turns.origins.held, self._keeper.meters
        succeeded, failed, _ = meters.other_origins
        return {
            "origins": {
                name: {"succeeded": done, "failed": not_done, "held": name in held}
                for name, (done, not_done, _) in sorted(meters.origins.items())
            },
            "other_origins": {"succeeded": succeeded, "failed": failed},
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
        "role": child.role,
        "unsent": child.peer.unsent,
    }
