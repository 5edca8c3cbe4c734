"""A histogram: how many of the values that were measured are how large."""

from __future__ import annotations

import math
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

    def add(self, value: float) -> int:
        """Another one was measured; the number of its bucket."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        return bucket

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


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float:
    """What that ``share`` of the values is at most, as well as buckets can tell: the
    values in one are taken to be spread evenly, those beyond the last bound to be that.
    None of less than nothing is measured; without any value, NaN."""
    rank = share * sum(counts)
    if not rank:
        return math.nan
    lower, below = 0.0, 0
    for bound, count in zip(bounds, counts, strict=False):
        if below + count >= rank:
            return lower + (bound - lower) * (rank - below) / count
        lower, below = bound, below + count
    return lower
