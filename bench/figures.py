"""What every measurement does with its numbers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

#: Which share of the numbers is not above each percentile.
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def percentiles(ordered: list[float]) -> dict[str, float]:
    """Of seconds in ascending order; in milliseconds."""
    last = len(ordered) - 1
    return {
        name: round(ordered[int(share * last)] * 1e3, 3)
        for name, share in SHARES.items()
    }


def middle(values: list[float]) -> float:
    """The median."""
    return float(median(values))


def timed(action: Callable[[], object], times: int) -> list[float]:
    """How long each of ``times`` calls took, seconds, in ascending order."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return sorted(taken)


def progress(text: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text} ...")
        sys.stderr.flush()


def progress_ends() -> None:
    """Wipe that off again."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
