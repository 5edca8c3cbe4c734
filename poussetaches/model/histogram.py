"""A histogram: how many of the values that were measured are how large."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

#: Bounds, values in each bucket, and their sum (see Histogram).
Raw = tuple[Sequence[float], Sequence[int], float]


class Histogram:
    """``bounds``: the largest value of each of its buckets, ascending; another bucket
    has all that is larger."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        #: Values in each bucket alone.
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Another one was measured."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def raw(self) -> Raw:
        """All of it, for who has it shown elsewhere."""
        return self.bounds, self.counts, self.sum


def view(raw: Raw) -> dict[str, Any]:
    """A histogram for the public: with how many are at most as large as each bound."""
    bounds, counts, total = raw
    sums = list(accumulate(counts))
    return {
        "count": sums[-1],
        "sum": round(total, 6),
        "buckets": list(zip(bounds, sums, strict=False)),
    }
