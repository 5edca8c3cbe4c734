"""Moments and spans, as people read them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from poussetaches.when import moment, relative, span


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.0124, "12 ms"),
        (0.9999, "1.0 s"),
        (2.14, "2.1 s"),
        (9.97, "10 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (26 * 3600, "26 h"),
        (4 * 86_400, "4 d"),
    ],
)
def test_a_span_is_told_in_the_largest_unit_of_which_it_has_two(
    seconds: float, told: str
) -> None:
    assert span(seconds) == told


def test_a_moment_is_seen_from_now() -> None:
    assert relative(1000.2, 1000) == "now"
    assert relative(1005, 1000) == "in 5.0 s"
    assert relative(700, 1000) == "5 min ago"


def test_a_moment_has_the_offset_of_its_clock() -> None:
    assert moment(0, ZoneInfo("Asia/Tokyo")) == "1970-01-01 09:00:00+09:00"
