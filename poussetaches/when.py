"""Moments and spans of time, as people read them. Everything is in seconds."""

from __future__ import annotations

from datetime import datetime, tzinfo

#: A span is told in the largest unit of which it has two.
UNITS = (("d", 86_400.0), ("h", 3600.0), ("min", 60.0))


def span(seconds: float) -> str:
    """Roughly how long: ``12 ms``, ``2.1 s``, ``45 s``, ``3 min``, ``26 h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds > 0 else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, length in UNITS:
        if seconds >= 2 * length:
            return f"{int(seconds / length)} {unit}"
    return f"{seconds:.0f} s"


def relative(at: float, now: float) -> str:
    """When, seen from ``now``; both posix: ``in 3 min``, ``2 h ago``, ``now``."""
    if abs(at - now) < 0.5:
        return "now"
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"


def moment(at: float, zone: tzinfo | None = None) -> str:
    """When, on the clock of ``zone`` or of this machine; with its offset, for they may
    be different ones."""
    local = datetime.fromtimestamp(at, zone).astimezone(zone)
    return local.isoformat(" ", "seconds")
