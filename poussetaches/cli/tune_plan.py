"""Which settings ``tune`` tries, one after the other. Pure.

For each number of workers, concurrency is doubled until that gains nothing any more.
Twice as many workers start with as many attempts at once, all together, as the fewer
needed, so that no time goes into what is known to be slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

#: A rate has grown if it is higher by this factor: less may be chance.
GROWTH = 1.1
#: So many settings in a row without growth, and more of the same brings nothing.
FLAT = 2
#: This share of the best rate is as good as the best.
NEAR = 0.9
#: This share of failed attempts is no accident, nor are so many.
FAILING_SHARE = 0.01
FAILING_LEAST = 5


class Setting(NamedTuple):
    """What is tried."""

    #: Processes.
    workers: int
    #: Attempts at once of each.
    concurrency: int

    @property
    def at_once(self) -> int:
        """Attempts of all workers at once."""
        return self.workers * self.concurrency

    def __str__(self) -> str:
        return f"{self.workers} x {self.concurrency}"


@dataclass(frozen=True)
class Point:
    """What was measured with a setting."""

    setting: Setting
    #: How long was measured, seconds.
    seconds: float
    #: Attempts that ended in that time, and how.
    succeeded: int
    failed: int
    #: Time that these attempts took together, seconds.
    busy: float
    #: Processor time of all processes of the service meanwhile, seconds.
    cpu: float
    #: Their memory at the end of it, bytes.
    memory: int

    @property
    def rate(self) -> float:
        """Tasks done a second."""
        return self.succeeded / self.seconds if self.seconds else 0.0

    @property
    def attempts(self) -> int:
        return self.succeeded + self.failed

    @property
    def latency(self) -> float:
        """Seconds of an attempt in the mean; infinite if none ended."""
        return self.busy / self.attempts if self.attempts else float("inf")

    @property
    def cpu_per_task(self) -> float:
        """Processor seconds of the service for an attempt; 0 if none ended."""
        return self.cpu / self.attempts if self.attempts else 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the target cannot be asked like that."""
        return not self.succeeded or is_failing(self.succeeded, self.failed)


def is_failing(succeeded: int, failed: int) -> bool:
    """Whether so many failures are no accident."""
    return failed >= FAILING_LEAST and failed / (succeeded + failed) > FAILING_SHARE


@dataclass(frozen=True)
class Plan:
    """The most that may be tried."""

    most_workers: int
    most_concurrency: int

    def next(self, points: Sequence[Point]) -> Setting | None:
        """What to try after ``points``; None if there is nothing left to learn, or the
        target fails."""
        if not points:
            return Setting(1, 1)
        if points[-1].is_failing:
            return None
        workers, concurrency = points[-1].setting
        if not has_flattened(points) and concurrency * 2 <= self.most_concurrency:
            return Setting(workers, concurrency * 2)
        if workers * 2 > self.most_workers or self._more_workers_lose(points):
            return None
        return Setting(workers * 2, max(1, self._enough(points) // 2))

    @staticmethod
    def _more_workers_lose(points: Sequence[Point]) -> bool:
        """Whether the last doubling of the workers has gained nothing."""
        workers = points[-1].setting.workers
        if workers == 1:
            return False
        best, before = (
            max(rates_of(points, number).values()) for number in (workers, workers // 2)
        )
        return best < before * GROWTH

    @staticmethod
    def _enough(points: Sequence[Point]) -> int:
        """The concurrency with which the workers tried last came near to their best."""
        ladder = rates_of(points, points[-1].setting.workers)
        best = max(ladder.values())
        return next(c for c, rate in ladder.items() if rate >= NEAR * best)

    def most_left(self, points: Sequence[Point]) -> int:
        """How many settings may still be tried at most; falls with every point."""
        following = self.next(points)
        if following is None:
            return 0
        whole = len([*_doublings(1, self.most_concurrency)])
        begun = len([*_doublings(following.concurrency, self.most_concurrency)])
        further = len([*_doublings(following.workers * 2, self.most_workers)])
        return begun + further * whole


def rates_of(points: Sequence[Point], workers: int) -> dict[int, float]:
    """Rates by concurrency, ascending, of so many workers."""
    return {
        point.setting.concurrency: point.rate
        for point in points
        if point.setting.workers == workers
    }


def has_flattened(points: Sequence[Point]) -> bool:
    """Whether the last FLAT settings, of equally many workers, were no better than all
    before."""
    last = points[-FLAT:]
    if len(points) <= FLAT or len({point.setting.workers for point in last}) > 1:
        return False
    before = max(point.rate for point in points[:-FLAT])
    return all(point.rate < before * GROWTH for point in last)


def _doublings(first: int, most: int) -> Iterator[int]:
    return takewhile(lambda n: n <= most, (first << i for i in range(64)))
