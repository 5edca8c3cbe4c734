"""The sampler: notes what the service does, for those who look at its charts later."""

from __future__ import annotations

import math
from typing import Any

from poussetaches.errors import ChannelError
from poussetaches.model.ring import SPANS, Rings, Sample
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.meters import BOUNDS


class Sampler:
    """Begins anew with the service. ``heartbeat_timeout``: the loop turns more often
    than that, seconds, or nobody let it."""

    def __init__(self, keeper: Keeper, heartbeat_timeout: float) -> None:
        self._keeper = keeper
        # A turn that comes late is noted at the end of the next step.
        silence = heartbeat_timeout + min(span.step for span in SPANS.values())
        now = keeper.clock.now()
        self._rings = Rings(BOUNDS, now, self._sample(), silence=silence)

    def turn(self) -> None:
        """A turn of the loop begins, and nothing has happened in it yet."""
        now = self._keeper.clock.now()
        if now >= self._rings.due_at:
            self._rings.note(now, self._sample())

    def show(self, span: str) -> dict[str, Any]:
        """What the charts show, times by the wall clock; not a number: nobody knows."""
        if span not in SPANS:
            raise ChannelError(f"what was in the last {span!r:.50}")
        ring = self._rings[span]
        return {
            "span": span,
            "step": SPANS[span].step,
            "from": ring.begins_at() + self._keeper.queue.skew,
            "series": ring.series(),
        }

    def _sample(self) -> Sample:
        queue, tally = self._keeper.queue, self._keeper.meters.tally
        oldest = queue.turns.first()
        return Sample(
            counts=(
                tally.pushed,
                tally.attempts,
                tally.succeeded,
                tally.failed + tally.lost,
                tally.dead,
            ),
            waiting=queue.waiting,
            in_flight=len(queue.leased),
            due_at=math.inf if oldest is None else oldest.eta,
            buckets=[*tally.buckets],
        )
