"""The rings: what the service did of late, for charts. They never grow.

Time goes by in steps. Nothing happens between two turns of the loop, so the first turn
after the end of a step finds everything as it was then; it needs no turn of its own.
All times are on the queue's timeline.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from poussetaches.model.histogram import quantile


class Span(NamedTuple):
    """How far back a ring goes: so many ``points``, ``step`` seconds apart."""

    step: float
    points: int


#: By their public names. A step ends where those of the shorter spans do.
SPANS = {"5m": Span(2.0, 150), "1h": Span(20.0, 180), "1d": Span(300.0, 288)}

#: What of a point is counted, what is so at its moment, and how long attempts took.
COUNTED = ("pushed", "attempts", "succeeded", "failed", "dead")
GAUGED = ("waiting", "in_flight", "oldest_due")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
SERIES = (*COUNTED, *GAUGED, *QUANTILES)

_WIDTH = len(SERIES)
_NOTHING = [math.nan] * _WIDTH
_NO_QUANTILES = [math.nan] * len(QUANTILES)


class Sample(NamedTuple):
    """The service at one moment."""

    #: How many there ever were of each of COUNTED.
    counts: Sequence[int]
    waiting: int
    in_flight: int
    #: When the oldest of the tasks that wait is or was due; infinity: none waits.
    due_at: float
    #: How many attempts ever took how long (see Histogram).
    buckets: Sequence[int]


class Ring:
    """The points of one span. A point is about the step that ends there: how many there
    were a second, how things were at last, how long attempts took, seconds. NaN where
    nobody knows."""

    def __init__(
        self, span: Span, bounds: Sequence[float], now: float, begun: Sample
    ) -> None:
        self._span = span
        self._bounds = bounds
        #: The points one after the other; where one stands follows from its number.
        self._rows = array("d", _NOTHING * span.points)
        #: Of the point that comes next.
        self._number = int(now // span.step) + 1
        #: How everything was at the point before it.
        self._before = begun

    @property
    def due_at(self) -> float:
        """When the next point comes."""
        return self._number * self._span.step

    def note(self, now: float, sample: Sample, *, was_up: bool) -> None:
        """``sample`` is how everything was at ``due_at``, and has been until ``now``.
        ``was_up``: by a service that had nothing to do, and not by one that was not
        there."""
        step, points = self._span
        reached = int(now // step)
        if reached < self._number:
            return
        self._put(self._number, self._row(sample))
        # No time for those that there is no room for.
        for number in range(max(self._number + 1, reached + 1 - points), reached + 1):
            self._put(number, self._quiet(number, sample) if was_up else _NOTHING)
        self._number = reached + 1
        self._before = sample

    def begins_at(self) -> float:
        """When the first point was."""
        return (self._number - self._span.points) * self._span.step

    def series(self) -> dict[str, list[float]]:
        """Each of SERIES, the oldest point first."""
        first = self._number % self._span.points
        found = {}
        for place, name in enumerate(SERIES):
            column = self._rows[place::_WIDTH]
            found[name] = [*column[first:], *column[:first]]
        return found

    def _put(self, number: int, row: Sequence[float]) -> None:
        place = number % self._span.points * _WIDTH
        self._rows[place : place + _WIDTH] = array("d", row)

    def _row(self, sample: Sample) -> list[float]:
        """The step in which everything became as ``sample`` says."""
        before, step = self._before, self._span.step
        row = self._quiet(self._number, sample)
        pairs = zip(sample.counts, before.counts, strict=True)
        row[: len(COUNTED)] = [(now - then) / step for now, then in pairs]
        if sample.buckets != before.buckets:
            pairs = zip(sample.buckets, before.buckets, strict=True)
            took = [now - then for now, then in pairs]
            row[-len(QUANTILES) :] = [
                quantile(self._bounds, took, share) for share in QUANTILES.values()
            ]
        return row

    def _quiet(self, number: int, sample: Sample) -> list[float]:
        """A step in which nothing happened."""
        late = max(0.0, number * self._span.step - sample.due_at)
        gauges = (sample.waiting, sample.in_flight, late)
        return [*[0.0] * len(COUNTED), *gauges, *_NO_QUANTILES]


class Rings:
    """One for each of SPANS. ``bounds``: of the buckets of samples; ``silence``: of a
    service that is up something is noted at least this often, seconds."""

    def __init__(
        self, bounds: Sequence[float], now: float, begun: Sample, *, silence: float
    ) -> None:
        self._rings = {
            name: Ring(span, bounds, now, begun) for name, span in SPANS.items()
        }
        self._silence = silence
        self._noted_at = now
        #: When a sample is to be noted next.
        self.due_at = self._next()

    def note(self, now: float, sample: Sample) -> None:
        """``sample`` is how everything was at ``due_at``, and has been until now."""
        if now < self.due_at:
            return  # of a clock that went back
        was_up = now - self._noted_at <= self._silence
        for ring in self._rings.values():
            ring.note(now, sample, was_up=was_up)
        self._noted_at = now
        self.due_at = self._next()

    def __getitem__(self, name: str) -> Ring:
        """That of a span."""
        return self._rings[name]

    def _next(self) -> float:
        return min(ring.due_at for ring in self._rings.values())
