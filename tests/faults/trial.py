"""One fault while it is tried: how often, under how many tasks, and what was found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


class Skipped(Exception):
    """This fault cannot be injected here; says why."""


@dataclass
class Trial:
    """What a fault fills in."""

    name: str
    dice: random.Random
    #: Its own, and empty.
    folder: Path
    #: How often the whole campaign is asked to do what it does.
    rounds: int
    #: How long the soak takes, seconds.
    soak: float
    #: Called when there is more to show.
    show: Callable[[Trial], None]

    injected: int = 0
    #: Tasks that were answered with 201, or acknowledged by a store.
    accepted: int = 0
    #: Those of them that are nowhere any more.
    lost: int = 0
    #: Successes that came after another; None: nothing is delivered here.
    repeated: int | None = None
    #: Sentences about what must not be.
    anomalies: list[str] = field(default_factory=list)
    #: Added to the verdict.
    remark: str = ""
    skipped: str = ""

    def count(self, times: int = 1) -> None:
        """It was injected once more."""
        self.injected += times
        self.show(self)

    def expect(self, fine: object, sentence: str) -> None:
        """Write down ``sentence`` unless it is fine."""
        if not fine:
            self.anomalies.append(sentence)

    @property
    def verdict(self) -> str:
        if self.anomalies:
            return f"FAILED: {len(self.anomalies)} anomalies, see below"
        if self.skipped:
            return f"skipped: {self.skipped}"
        return f"ok: {self.remark}" if self.remark else "ok"
