"""Values in buckets."""

from __future__ import annotations

import math

import pytest

from poussetaches.model.histogram import Histogram, quantile, view


def test_a_value_is_counted_where_it_belongs() -> None:
    measured = Histogram((0.5, 1.0, 2.0))
    assert view(measured.raw) == {
        "count": 0,
        "sum": 0.0,
        "buckets": [(0.5, 0), (1.0, 0), (2.0, 0)],
    }
    for value in (0.0, 0.5, 0.75, 2.0, 2.5, 1e9):
        measured.add(value)
    # A bound is in its own bucket, and those of smaller ones are in it, too.
    assert view(measured.raw) == {
        "count": 6,
        "sum": 1_000_000_005.75,
        "buckets": [(0.5, 2), (1.0, 3), (2.0, 4)],
    }


@pytest.mark.parametrize(
    ("counts", "share", "found"),
    [
        ((0, 4, 0, 0), 0.5, 0.75),
        ((0, 4, 0, 0), 1.0, 1.0),
        ((1, 1, 1, 0), 0.5, 0.75),
        ((2, 0, 2, 0), 0.5, 0.5),
        ((2, 0, 2, 0), 0.75, 1.5),
        # Nobody knows how much larger it is.
        ((0, 0, 0, 3), 0.5, 2.0),
        ((99, 0, 0, 1), 0.99, 0.5),
    ],
)
def test_a_quantile_is_as_near_as_buckets_tell(
    counts: tuple[int, ...], share: float, found: float
) -> None:
    assert quantile((0.5, 1.0, 2.0), counts, share) == pytest.approx(found)


def test_of_no_values_there_is_no_quantile() -> None:
    assert math.isnan(quantile((0.5, 1.0), (0, 0, 0), 0.99))
