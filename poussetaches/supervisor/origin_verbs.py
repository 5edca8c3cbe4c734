"""What the public may ask and say of origins, by verb: thin, as in ``handlers.py``."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

from poussetaches.errors import ChannelError, NotFound
from poussetaches.log import fields
from poussetaches.model.origin import Origin
from poussetaches.supervisor.keeper import Keeper

log = logging.getLogger(__name__)

#: The most origins that are told of at once.
MOST_SHOWN = 1000


class OriginVerbs:
    """Runs in the supervisor's loop, one call at a time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def table(self) -> dict[str, Callable[..., Any]]:
        """By verb."""
        return {"origins": self._list, "origins_lift": self._lift}

    def _list(self, in_trouble: bool = False) -> dict[str, Any]:
        """Some origins; ``in_trouble``: of those alone."""
        origins = self._keeper.queue.turns.origins
        most = min(MOST_SHOWN, len(origins.troubled)) if in_trouble else MOST_SHOWN
        return {
            "origins": [self._view(one) for one in origins.worst(most)],
            "total": len(origins),
            "held": len(origins.held),
        }

    def _view(self, origin: Origin) -> tuple[Any, ...]:
        """An origin for the public, times by the wall clock (see
        ``schema.origin.OriginView``)."""
        skew = self._keeper.queue.skew
        gate, state = origin.gate, _state(origin)
        since = limit = probe_at = reason = None
        if gate is not None:
            # Of one that is only suspected nothing is said: it goes on as ever.
            if gate.since is not None and state != "open":
                since = gate.since + skew
                reason = origin.reason or None
            limit = None if gate.limit == math.inf else int(gate.limit)
            probe_at = gate.opens_at + skew if origin.rests else None
        return (
            origin.name,
            state,
            since,
            probe_at,
            limit,
            origin.cap,
            origin.in_flight,
            sum(map(len, origin.lanes.values())),
            reason,
        )

    def _lift(self, origin: str | None) -> int:
        """Let attempts through again at that origin, or at all; how many had been kept
        from it."""
        if not isinstance(origin, str | None):
            raise ChannelError(f"an origin called {origin!r:.50}")
        turns, now = self._keeper.queue.turns, self._keeper.clock.now()
        if origin is not None and origin not in turns.origins:
            raise NotFound(f"nothing waits for {origin:.300}, nor is in flight to it")
        names = [*turns.origins.troubled] if origin is None else [origin]
        lifted = 0
        for name in names:
            one = turns.origins[name]
            if one.gate is not None:
                turns.origins.lift(one, now)
                turns.settle(one)
                lifted += 1
                log.info("target let go on by hand", extra=fields(origin=name))
        return lifted


def _state(origin: Origin) -> str:
    gate = origin.gate
    if gate is None:
        return "open"
    if origin.is_held:
        return "held"
    if gate.slows:
        return "slowed"
    return "given up" if gate.limit == math.inf else "open"
