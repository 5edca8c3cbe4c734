"""The waits between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.backoff import (
    DEFAULT,
    FOR_EVER,
    LEAST_WAIT,
    Backoff,
    Growth,
)

#: A draw that moves nothing.
MIDDLE = 0.5

ANY_BACKOFF = st.builds(
    Backoff,
    waits=st.lists(st.floats(0.001, 1e6), max_size=20).map(tuple),
    jitter=st.floats(0, 1),
    growth=st.none(),
)
ANY_DRAW = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [
        (1, 1),
        (2, 4),
        (3, 16),
        (4, 64),
        (5, 256),
        (6, 1024),
        (7, 4096),
        (8, 16384),
        (9, 65536),
        (10, 262144),
    ],
)
def test_the_default_waits_are_the_ancestors(attempt: int, seconds: float) -> None:
    assert DEFAULT.wait(attempt, MIDDLE) == seconds


@pytest.mark.parametrize("attempt", [11, 12, 1000])
def test_by_default_the_eleventh_failed_attempt_is_the_last(attempt: int) -> None:
    assert DEFAULT.max_attempts == 11
    assert DEFAULT.wait(attempt, 0.0) is None


@pytest.mark.parametrize(
    ("draw", "seconds"), [(0.0, 700.0), (0.25, 850.0), (0.5, 1000.0), (0.75, 1150.0)]
)
def test_jitter_goes_both_ways(draw: float, seconds: float) -> None:
    assert Backoff((1000.0,), jitter=0.3).wait(1, draw) == pytest.approx(seconds)


def test_without_waits_the_first_attempt_is_the_last() -> None:
    assert Backoff((), jitter=0.3).max_attempts == 1
    assert Backoff((), jitter=0.3).wait(1, MIDDLE) is None


@pytest.mark.parametrize("attempt", [0, -1])
def test_an_attempt_that_cannot_be_is_refused(attempt: int) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        DEFAULT.wait(attempt, MIDDLE)


@given(backoff=ANY_BACKOFF, draw=ANY_DRAW)
def test_a_wait_stays_in_its_band_until_none_is_left(
    backoff: Backoff, draw: float
) -> None:
    for attempt, base in enumerate(backoff.waits, start=1):
        wait = backoff.wait(attempt, draw)
        assert wait is not None
        assert wait == pytest.approx(base, rel=backoff.jitter + 1e-9)
    assert backoff.wait(backoff.max_attempts, draw) is None


@given(draws=st.tuples(ANY_DRAW, ANY_DRAW).map(sorted))
def test_a_greater_draw_never_waits_less(draws: list[float]) -> None:
    for attempt in range(1, DEFAULT.max_attempts):
        shorter, longer = (DEFAULT.wait(attempt, draw) for draw in draws)
        assert shorter is not None
        assert longer is not None
        assert shorter <= longer


def waits_of(backoff: Backoff, *, max_retries: int | None, most: int) -> list[float]:
    """The waits after the first ``most`` failed attempts, or until the task is dead."""
    waits = []
    for attempt in range(1, most + 1):
        wait = backoff.wait(attempt, MIDDLE, max_retries)
        if wait is None:
            break
        waits.append(wait)
    return waits


@pytest.mark.parametrize(
    ("growth", "waits"),
    [
        # The example of App Engine's own documentation.
        (Growth(10, 300, 3), [10, 20, 40, 80, 160, 240, 300, 300]),
        (Growth(10, 200, 0), [10, 20, 30, 40, 50, 60]),
        (Growth(10, 200, 1), [10, 20, 40, 60, 80, 100]),
        (Growth(1, 5), [1, 2, 4, 5, 5]),
        (Growth(2), [2, 4, 8, 16, 32, 64]),
        (Growth(7, 7, 16), [7, 7, 7]),
        (Growth(0, 0), [LEAST_WAIT, LEAST_WAIT]),
        (Growth(0), [LEAST_WAIT, 2 * LEAST_WAIT, 4 * LEAST_WAIT]),
    ],
)
def test_a_rule_doubles_a_few_times_and_then_grows_evenly(
    growth: Growth, waits: list[float]
) -> None:
    """The waits of a list say nothing beside it, and the rule has no jitter."""
    backoff = Backoff((1.0,) * 50, growth=growth)
    assert waits_of(backoff, max_retries=None, most=len(waits)) == waits


@given(
    least=st.floats(0.0, 1e6),
    most=st.none() | st.floats(0.0, 1e6),
    doublings=st.none() | st.integers(0, 100),
)
def test_a_rule_never_waits_less_than_before_nor_more_than_it_may(
    least: float, most: float | None, doublings: int | None
) -> None:
    growth = Growth(least, most, doublings)
    waits = [growth.wait(attempt) for attempt in (*range(1, 30), 1000, 10**9)]
    assert waits == sorted(waits)
    assert waits[0] >= LEAST_WAIT
    assert waits[-1] < float("inf")
    if most is not None:
        assert waits[-1] <= max(most, LEAST_WAIT)


@pytest.mark.parametrize("max_retries", [0, 1, 3, 12])
def test_a_limit_of_its_own_says_how_often_a_task_is_tried_under_a_rule(
    max_retries: int,
) -> None:
    backoff = Backoff((), growth=Growth(1, 4))
    waits = waits_of(backoff, max_retries=max_retries, most=100)
    assert waits == [1, 2, *[4] * 10][:max_retries]


def test_without_any_limit_a_rule_is_tried_as_often_as_the_list_is_long() -> None:
    backoff = Backoff((1.0, 2.0, 3.0), growth=Growth(10))
    assert waits_of(backoff, max_retries=None, most=100) == [10, 20, 40]


def test_a_list_that_ends_with_no_wait_is_no_hot_loop() -> None:
    """As often as the list says there is none; then it is the shortest of a rule."""
    backoff = Backoff((0.0, 0.0))
    waits = [backoff.wait(attempt, 0.5, FOR_EVER) for attempt in (1, 2, 3, 1000)]
    assert waits == [0.0, 0.0, 0.1, 0.1]
