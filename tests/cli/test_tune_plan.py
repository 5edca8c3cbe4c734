"""What ``tune`` tries: no more than is of use, and nothing after a failure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from poussetaches.cli.tune_plan import Plan, Setting, is_failing
from tests.support.tuning import explore, point, tried

PLAN = Plan(most_workers=4, most_concurrency=256)


def test_concurrency_is_doubled_until_that_gains_nothing() -> None:
    """Two settings in a row without growth end it."""
    points = explore(Plan(1, 256), lambda setting: min(400.0, 100 * setting.at_once))
    assert tried(points) == [(1, 1), (1, 2), (1, 4), (1, 8), (1, 16)]


def test_one_bad_measurement_does_not_end_it() -> None:
    rates = {1: 100.0, 2: 200.0, 4: 150.0, 8: 800.0}
    points = explore(Plan(1, 8), lambda setting: rates[setting.concurrency])
    assert tried(points) == [(1, 1), (1, 2), (1, 4), (1, 8)]


def test_more_workers_begin_where_fewer_were_good() -> None:
    """A worker does 1,000/s with 8 at once; two do twice that, more gain nothing."""

    def rate(setting: Setting) -> float:
        return min(setting.workers, 2) * min(1000.0, 125.0 * setting.concurrency)

    points = explore(PLAN, rate)
    assert tried(points) == [
        *[(1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (1, 32)],
        *[(2, 4), (2, 8), (2, 16), (2, 32)],
        *[(4, 4), (4, 8)],
    ]


def test_where_two_workers_gain_nothing_four_are_not_tried() -> None:
    points = explore(PLAN, lambda setting: min(400.0, 100 * setting.at_once))
    assert tried(points)[-2:] == [(2, 2), (2, 4)]


def test_a_target_that_is_only_slow_is_given_all_that_is_allowed() -> None:
    points = explore(PLAN, lambda setting: 50.0 * setting.at_once)
    assert tried(points)[-1] == (4, 256)


def test_a_flat_target_is_left_alone_soon() -> None:
    assert len(explore(PLAN, lambda setting: 300.0)) == 5


def test_nothing_follows_a_setting_with_which_attempts_fail() -> None:
    assert PLAN.next([point(1, 1, 100), point(1, 2, 200, failed=90)]) is None
    assert PLAN.next([point(1, 1, 0, failed=5)]) is None


@pytest.mark.parametrize(
    ("succeeded", "failed", "failing"),
    [(0, 4, False), (0, 5, True), (490, 5, True), (495, 5, False), (9, 4, False)],
)
def test_failures_are_no_accident_from_five_and_one_in_a_hundred(
    succeeded: int, failed: int, failing: bool
) -> None:
    assert is_failing(succeeded, failed) is failing


def test_the_bounds_are_kept() -> None:
    points = explore(Plan(1, 1), lambda setting: 100.0)
    assert tried(points) == [(1, 1)]
    points = explore(Plan(3, 6), lambda setting: 50.0 * setting.at_once)
    assert max(p.setting.workers for p in points) == 2
    assert max(p.setting.concurrency for p in points) == 4


def test_what_is_left_falls_with_every_setting_and_ends_at_nothing() -> None:
    points = explore(PLAN, lambda setting: min(4000.0, 100 * setting.at_once))
    left = [PLAN.most_left(points[:n]) for n in range(len(points) + 1)]
    assert left[0] == 27
    assert all(more > fewer for more, fewer in pairwise(left))
    assert left[-1] == 0
