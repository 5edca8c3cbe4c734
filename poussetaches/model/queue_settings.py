"""The settings of a queue: what its tasks may take, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from poussetaches.model.backoff import Growth
from poussetaches.model.limiter import Rate


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Every default is that of a queue that nobody has said anything about."""

    #: Attempts at once over all workers; None: any number.
    concurrency: int | None = None
    #: How fast attempts may begin, over all workers; None: as fast as they can.
    rate: Rate | None = None
    #: How many may begin at once after a quiet time, where there is a rate.
    burst: int = 1
    #: How many attempts may follow the first one, or FOR_EVER; None: the backoff's.
    retry_limit: int | None = None
    #: How long tasks wait after a failed attempt; None: the backoff of the service.
    backoff: Growth | None = None
    #: Of one attempt, seconds; None: that of the service.
    timeout: float | None = None
    #: What a relative URL of a push is relative to; "": such a push is refused.
    base_url: str = ""
    #: Nothing is leased.
    paused: bool = False
    #: Sent with every delivery; those of the task win.
    headers: tuple[tuple[str, str], ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """What differs from the defaults, in plain values."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value for name, value in given.items() if value != _DEFAULTS[name]
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> QueueSettings:
        """The settings that ``to_wire`` was called on."""
        given = dict(wire)
        if given.get("backoff") is not None:
            given["backoff"] = Growth(*given["backoff"])
        if given.get("rate") is not None:
            given["rate"] = Rate(*given["rate"])
        if "headers" in given:
            given["headers"] = tuple((name, value) for name, value in given["headers"])
        return cls(**given)


_DEFAULTS = {one.name: one.default for one in fields(QueueSettings)}
