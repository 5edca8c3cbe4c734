"""Families of metrics as Prometheus knows them, made of plain values. Runs in the api.

Whoever makes or writes many of them lets others have their turn: no push is to wait for
a scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import gevent
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Sample

#: After how many lines the pushes have a turn: half a millisecond.
TURN = 25
#: The same, in histograms.
FEW = 10

#: Labels and a value.
Point = tuple[tuple[str, ...], Any]
#: What goes into one family.
Rows = Iterable[Point]


class Paced(list[Sample]):
    """Samples whose reader lets others have their turn."""

    def __iter__(self) -> Iterator[Sample]:
        for number, sample in enumerate(super().__iter__()):
            if number % TURN == 0:
                gevent.sleep(0)
            yield sample


def gauge(name: str, text: str, value: float) -> Metric:
    """Without labels."""
    return GaugeMetricFamily(f"poussetaches_{name}", text, value)


def gauges(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    """Values that rise and fall."""
    family = GaugeMetricFamily(f"poussetaches_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def counters(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    """Values that rise; the name ends in ``_total`` when it is written."""
    family = CounterMetricFamily(f"poussetaches_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def histograms(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    """Values: see ``model.histogram.Histogram.view``."""
    family = HistogramMetricFamily(f"poussetaches_{name}", text, labels=labels)
    for number, (values, told) in enumerate(rows):
        if number % FEW == 0:
            gevent.sleep(0)
        buckets = [(str(bound), count) for bound, count in told["buckets"]]
        buckets.append(("+Inf", told["count"]))
        family.add_metric(values, buckets, told["sum"])
    return family
