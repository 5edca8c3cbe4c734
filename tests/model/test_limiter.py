"""A rate is kept in any window, to the attempt, however long it goes on.

Moments are floats of the timeline, which is a quarter of a microsecond coarse; what is
counted in these tests is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.limiter import UNITS, Limiter, Rate
from tests.support.queues import NOW
from tests.support.scale import times

#: How far a moment that is rounded may be from what was meant, seconds; twice, for it
#: is rounded where it is kept and where it is asked for.
ROUNDED = 2 * math.ulp(NOW)

#: The fastest and the slowest that there are, and some that no float can hold.
RATES = [
    Rate(1000.0, "s"),
    Rate(999.0, "s"),
    Rate(10.0, "s"),
    Rate(3.0, "s"),
    Rate(21.5, "m"),
    Rate(7.0, "h"),
    Rate(1.0, "d"),
    Rate(0.3, "d"),
]


def excess(taken: Iterable[float], rate: Rate, burst: int) -> float:
    """By how many attempts the fullest of all windows is above the limit."""
    per_second = Fraction(rate.attempts) / Fraction(UNITS[rate.unit])
    worst, lowest = -math.inf, Fraction(0)
    for number, at in enumerate(taken):
        # From attempt i to attempt j there are j - i + 1 of them in t(j) - t(i).
        level = number - (Fraction(at) - Fraction(NOW)) * per_second
        lowest = min(lowest, level) if number else level
        worst = max(worst, float(level - lowest))
    return worst + 1 - burst


def allowance(rate: Rate) -> float:
    """What rounding may let begin too early, attempts."""
    return ROUNDED / rate.interval + 1e-9


@given(
    rate=st.sampled_from(RATES),
    burst=st.integers(1, 30),
    waits=st.lists(
        st.one_of(
            st.just(0.0),
            st.floats(0.0, 3.0),
            st.sampled_from([1e-7, 0.5, 1.0, 1.5, 40.0, 1e4]),
        ),
        max_size=200,
    ),
)
def test_no_window_has_more_than_the_burst_and_the_rate(
    rate: Rate, burst: int, waits: list[float]
) -> None:
    """Whenever the attempts come; the waits are in intervals from when one may."""
    limiter, now = Limiter(rate, burst), NOW
    taken: list[float] = []
    for wait in waits:
        now = max(now, limiter.opens_at) + wait * rate.interval
        limiter.take(now)
        taken.append(now)
    assert excess(taken, rate, burst) <= allowance(rate)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("late", [0.0, math.ulp(NOW), 1e-6])
def test_the_limit_is_neither_passed_nor_left_unused_for_days(
    rate: Rate, late: float
) -> None:
    """Not even if what rounding takes away went the same way each time."""
    limiter, now = Limiter(rate, 1), NOW
    taken: list[float] = []
    for _ in range(times(10_000, 1_000_000)):
        now = limiter.opens_at + late if taken else NOW
        limiter.take(now)
        taken.append(now)
    assert excess(taken, rate, 1) <= allowance(rate)
    through = (len(taken) - 1) * (rate.interval + late)
    rounded = ROUNDED * (len(taken) if late else 1)
    assert now - NOW == pytest.approx(through, abs=rounded, rel=1e-12)


def test_21_and_a_half_a_minute_begin_exactly_when_they_should() -> None:
    limiter, now = Limiter(Rate(21.5, "m"), 1), NOW
    begun = []
    for _ in range(44):
        now = max(now, limiter.opens_at)
        begun.append(now - NOW)
        limiter.take(now)
    assert begun == pytest.approx([n * 60 / 21.5 for n in range(44)], abs=1e-6)
    # 43 in two minutes, and not one more.
    assert sum(at < 120 - 1e-6 for at in begun) == 43


def test_a_burst_is_there_after_a_quiet_time_and_once() -> None:
    limiter = Limiter(Rate(1.0, "s"), 5)
    now, begun = NOW + 1000.0, []
    for _ in range(8):
        now = max(now, limiter.opens_at)
        begun.append(now - NOW)
        limiter.take(now)
    assert begun == [1000.0] * 5 + [1001.0, 1002.0, 1003.0]
    # Two seconds of rest bring two of it back.
    now += 2.0
    for _ in range(2):
        assert limiter.opens_at <= now
        limiter.take(now)
    assert limiter.opens_at > now


@given(
    waits=st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.5]), min_size=1, max_size=30),
    stop=st.integers(0, 30),
)
def test_a_restart_begins_no_second_burst(waits: list[float], stop: int) -> None:
    rate, burst = Rate(3.0, "s"), 4
    limiter, again = Limiter(rate, burst), Limiter(rate, burst)
    now = NOW
    for number, wait in enumerate(waits):
        if number == stop:
            again = Limiter(rate, burst, limiter.spent_until)
        now = max(now, limiter.opens_at) + wait
        assert again.opens_at == pytest.approx(limiter.opens_at, abs=ROUNDED)
        limiter.take(now)
        again.take(now)


def test_who_makes_a_slow_rate_quick_does_not_wait_for_the_slow_one() -> None:
    """What is spent are attempts, and they are worth what attempts are worth now."""
    slow = Limiter(Rate(1.0, "d"), 1)
    slow.take(NOW)
    quick = slow.become(Rate(10.0, "s"), 1, NOW)
    assert quick.opens_at == pytest.approx(NOW + 0.1, abs=ROUNDED)
    half_a_day = NOW + 43_200
    quick = slow.become(Rate(10.0, "s"), 1, half_a_day)
    assert quick.opens_at == pytest.approx(half_a_day + 0.05, abs=ROUNDED)


def test_who_makes_a_quick_rate_slow_begins_no_burst() -> None:
    quick = Limiter(Rate(10.0, "s"), 5)
    for _ in range(5):
        quick.take(NOW)
    slow = quick.become(Rate(1.0, "m"), 5, NOW)
    assert slow.opens_at == pytest.approx(NOW + 60.0, abs=ROUNDED)
    # Nothing is owed by a queue that was quiet.
    assert quick.become(Rate(1.0, "m"), 1, NOW + 100.0).opens_at <= NOW + 100.0


def test_a_smaller_burst_counts_what_has_begun() -> None:
    limiter = Limiter(Rate(1.0, "s"), 10)
    for _ in range(10):
        limiter.take(NOW)
    smaller = limiter.become(Rate(1.0, "s"), 2, NOW)
    assert smaller.spent_until == limiter.spent_until
    assert smaller.opens_at == NOW + 9.0


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Rate(21.5, "m"), "21.5/m"),
        (Rate(10.0, "s"), "10/s"),
        (Rate(0.5, "d"), "0.5/d"),
        (Rate(100.0, "h"), "100/h"),
    ],
)
def test_a_rate_is_written_as_it_is_given(rate: Rate, text: str) -> None:
    assert str(rate) == text
