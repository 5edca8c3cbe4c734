"""The waits between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.backoff import DEFAULT, Backoff

#: A draw that moves nothing.
MIDDLE = 0.5

ANY_BACKOFF = st.builds(
    Backoff,
    waits=st.lists(st.floats(0.001, 1e6), max_size=20).map(tuple),
    jitter=st.floats(0, 1),
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
