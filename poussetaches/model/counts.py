"""The counts: how many tasks there were, whatever is remembered of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """How many tasks took which way since the data directory was begun."""

    accepted: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0
    expired: int = 0
