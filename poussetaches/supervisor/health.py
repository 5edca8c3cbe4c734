"""Health: whether work that is due moves, judged from plain numbers. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: A task that is due for longer than this, seconds, is more than about to be begun.
LATE = 1.0

FULL = "pushes are refused, because the disk has no room for them"


class Signs(NamedTuple):
    """What is judged, as it is after a tick has begun all attempts that it can."""

    #: Whether every child has been ready once.
    started: bool
    #: Whether a stop has begun.
    draining: bool
    paused: bool
    #: Workers that can be given tasks.
    workers: int
    #: Attempts that they could begin now.
    free: int
    #: For how long the oldest due task has waited, seconds; 0.0: none is due.
    late: float
    #: Attempts that ought to have ended.
    overdue: int
    #: Whether pushes are refused because the disk is full.
    full: bool
    #: Whether they are because the queue is: it has as many tasks as it may have.
    crowded: bool


def complaints(signs: Signs) -> list[str]:
    """Sentences that say why due work does not move; none if it does, or need not."""
    found = []
    if signs.workers == 0:
        found.append("no worker is ready")
    rests = signs.paused or signs.draining
    if signs.free > 0 and signs.late > LATE and not rests:
        found.append(
            f"a task has been due for {signs.late:.0f} s and is not begun, though a"
            " worker is free; if the disk is full, that is why"
        )
    if signs.overdue:
        attempts = (
            "1 attempt is" if signs.overdue == 1 else f"{signs.overdue} attempts are"
        )
        found.append(f"{attempts} not ended by a worker, though past the timeout")
    if signs.full:
        found.append(FULL)
    return found


def obstacles(signs: Signs) -> list[str]:
    """Sentences that say why pushes had better go elsewhere; none if they may come."""
    if signs.draining:
        return ["the service is stopping"]
    if not signs.started:
        return ["not every process of the service has started yet"]
    if signs.full:
        return [FULL]
    if signs.crowded:
        return ["pushes are refused, because the queue is full"]
    return []
