"""What ``tune`` recommends of what was measured."""

from __future__ import annotations

from poussetaches.cli.tune_choice import Choice, choose
from poussetaches.cli.tune_plan import Plan, Point
from poussetaches.cli.tune_report import HEADER, as_json, chart, recommendation, row
from tests.support.tuning import explore, point

PLAN = Plan(most_workers=4, most_concurrency=256)


def chosen(points: list[Point], plan: Plan = PLAN) -> Choice:
    choice = choose(points, plan)
    assert choice is not None
    return choice


def test_the_smallest_setting_near_the_best_is_enough() -> None:
    points = [
        point(1, 1, 100),
        point(1, 2, 190),
        point(1, 4, 370),
        point(1, 8, 390),
        point(1, 16, 400),
    ]
    choice = chosen(points)
    assert choice.point.setting == (1, 4)
    [reason] = choice.reasons
    assert reason == (
        "1 x 4 does 370 tasks/s: 92 % of the 400/s of 1 x 16,"
        " with 4 attempts at once instead of 16."
    )


def test_fewer_workers_are_smaller_than_fewer_attempts_at_once() -> None:
    choice = chosen([point(1, 16, 950), point(2, 4, 1000), point(2, 8, 1000)])
    assert choice.point.setting == (1, 16)
    assert choice.reasons[0].endswith("with 1 worker instead of 2.")


def test_the_best_one_is_recommended_if_nothing_smaller_comes_near() -> None:
    choice = chosen([point(1, 1, 100), point(1, 2, 200), point(2, 2, 399)])
    assert choice.point.setting == (2, 2)
    assert "nothing that was tried does more" in choice.reasons[0]


def test_a_rate_that_is_bought_with_waiting_is_not_recommended() -> None:
    """An application of one thread: more at once only queue up before it."""
    points = [
        point(1, 1, 45, latency=0.020),
        point(1, 2, 90, latency=0.022),
        point(1, 4, 130, latency=0.031),
        point(1, 8, 150, latency=0.053),
    ]
    choice = chosen(points)
    assert choice.point.setting == (1, 4)
    assert choice.reasons[1].startswith(
        "1 x 8 does 150 tasks/s, but an attempt takes 53 ms there and 20 ms when"
    )


def test_attempts_of_few_milliseconds_may_take_several_times_as_long() -> None:
    points = [point(1, 1, 2000, latency=0.0003), point(1, 16, 9000, latency=0.0018)]
    assert chosen(points).point.setting == (1, 16)


def test_settings_with_failures_are_not_recommended() -> None:
    points = [point(1, 1, 100), point(1, 2, 200), point(1, 4, 350, failed=40)]
    choice = chosen(points)
    assert choice.point.setting == (1, 2)
    assert choice.reasons[-1] == (
        "With 1 x 4, 40 of 740 attempts failed, so no more than that was tried."
    )


def test_a_target_that_only_fails_leaves_nothing_to_recommend() -> None:
    assert choose([point(1, 1, 0, failed=5)], PLAN) is None
    assert choose([point(1, 1, 0)], PLAN) is None


def test_a_flat_curve_recommends_the_smallest() -> None:
    points = explore(PLAN, lambda setting: 300.0)
    assert chosen(points).point.setting == (1, 1)


def test_one_point_alone_is_recommended_and_said_to_be_alone() -> None:
    choice = chosen([point(1, 1, 50)])
    assert choice.point.setting == (1, 1)
    assert choice.reasons == ("1 x 1 does 50 tasks/s; nothing else was measured.",)


def test_growth_up_to_the_bound_is_said() -> None:
    points = explore(Plan(1, 8), lambda setting: 50.0 * setting.at_once)
    choice = chosen(points, Plan(1, 8))
    assert choice.point.setting == (1, 8)
    assert "--concurrency 16 tries more" in choice.reasons[-1]


def test_attempts_too_long_for_the_time_measured_are_said() -> None:
    choice = chosen([point(1, 1, 1, latency=1.0), point(1, 2, 2, latency=1.0)])
    assert choice.reasons[-1].endswith("measure with --seconds 10.")


def test_the_recommendation_can_be_pasted() -> None:
    lines = [*recommendation(chosen([point(2, 16, 50)]))]
    assert lines[-3:] == ["[poussetaches]", "workers = 2", "concurrency = 16"]


def test_the_chart_marks_what_is_recommended() -> None:
    points = [point(1, 1, 100), point(1, 2, 200), point(1, 4, 0)]
    first, second, third = chart(points, chosen(points))
    assert (first.count("#"), second.count("#"), third.count("#")) == (20, 40, 0)
    assert second.endswith("200/s  <--")
    [nothing] = chart([point(1, 1, 0)], None)
    assert "#" not in nothing


def test_a_row_stands_under_its_header() -> None:
    for one in (point(1, 1, 12_345, failed=7), point(256, 10_000, 0)):
        assert len(row(one)) == len(HEADER)


def test_json_has_null_for_an_attempt_that_never_ended() -> None:
    found = as_json({}, None, None, [point(1, 1, 0)], None, complete=False)
    assert found["points"][0]["attempt"] is None
    assert found["recommendation"] is None
