"""The verdicts of the bench."""

from __future__ import annotations

import json

import pytest

from bench.dumping import within
from bench.figure import (
    Aim,
    Figure,
    at_least,
    at_most,
    ratio_at_least,
    ratio_at_most,
)
from bench.figures import percentiles
from bench.table import WIDTHS, amount, table


def figure(value: float, aim: Aim | None, baseline: float | None = None) -> Figure:
    return Figure("part.what", "what", value, "/s", baseline, "nothing", aim)


@pytest.mark.parametrize(
    ("value", "baseline", "aim", "met"),
    [
        (200.0, None, at_most(200), True),
        (200.1, None, at_most(200), False),
        (7000.0, None, at_least(7000), True),
        (6999.0, None, at_least(7000), False),
        # Only the ratio counts, whatever the value.
        (130.0, 100.0, ratio_at_least(1.3), True),
        (129.0, 100.0, ratio_at_least(1.3), False),
        (160.0, 100.0, ratio_at_most(1.6), True),
        (161.0, 100.0, ratio_at_most(1.6), False),
    ],
)
def test_an_aim_is_met_on_its_side_of_the_limit(
    value: float, baseline: float | None, aim: Aim, met: bool
) -> None:
    """The limit itself is good enough, on either side."""
    assert figure(value, aim, baseline).met is met


def test_nothing_is_met_without_what_it_is_about() -> None:
    """No aim, or an aim for a ratio that could not be taken, is no "yes"."""
    assert figure(1.0, None, 1.0).met is None
    assert figure(1.0, ratio_at_least(0.0)).met is None
    assert figure(1.0, ratio_at_least(0.0), 0.0).met is None


def test_a_figure_is_json_with_ratio_and_verdict() -> None:
    """Machines need not know how a verdict is found."""
    told = json.loads(json.dumps(figure(8.0, ratio_at_least(0.7), 10.0).to_json()))
    assert told["ratio"] == 0.8
    assert told["met"] is True
    assert told["aim"] == {"limit": 0.7, "at_most": False, "of_ratio": True}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (14488.6, "/s", "14,489/s"),
        (0.4, "/s", "0.40/s"),
        (254.3, "us", "254 us"),
        (44.66, "us", "44.7 us"),
        (1.637, "ms", "1.64 ms"),
        (8.0, "s", "8 s"),
        (120.0, "", "120"),
    ],
)
def test_an_amount_has_the_digits_worth_reading(
    value: float, unit: str, text: str
) -> None:
    """Three of them, or all before the point."""
    assert amount(value, unit) == text


def test_a_table_says_met_or_not_in_its_last_column() -> None:
    """Each row stands below the title, its verdict below "met"."""
    figures = [figure(8.0, at_least(7)), figure(6.0, at_least(7)), figure(1.0, None)]
    head, *rows = table("Title", figures).splitlines()
    assert head.startswith("Title ")
    at = head.index("met")
    assert [row[at:] for row in rows] == ["yes", "no", ""]
    assert at + WIDTHS[-1] == len(head)


def test_percentiles_are_values_that_were_measured() -> None:
    """In milliseconds, the last one being the worst."""
    seconds = [number / 1e3 for number in range(1, 101)]
    assert percentiles(seconds) == {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


@pytest.mark.parametrize(
    ("at", "taken", "inside"),
    [
        (9.0, 0.5, False),
        (9.0, 1.5, True),
        (10.5, 0.1, True),
        (10.5, 9.0, True),
        (11.0, 1.0, False),
    ],
)
def test_a_push_counts_for_a_dump_that_it_meets(
    at: float, taken: float, inside: bool
) -> None:
    """Also if it was sent before, or answered after."""
    assert within(at, taken, (10.0, 11.0)) is inside
