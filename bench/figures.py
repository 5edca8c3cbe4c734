"""What every measurement does with its figures."""

from __future__ import annotations

import sys


def percentiles(ordered: list[float]) -> dict[str, float]:
    """Of seconds in ascending order; in milliseconds."""
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    last = len(ordered) - 1
    return {
        name: round(ordered[int(share * last)] * 1e3, 3) for name, share in at.items()
    }


def progress(text: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text} ...")
        sys.stderr.flush()
