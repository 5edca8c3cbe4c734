"""The coming runs of a schedule, with what is odd about them, in words."""

from __future__ import annotations

from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings

from poussetaches.errors import InvalidInput
from poussetaches.model.rehearsal import HORIZON, Coming, rehearse
from poussetaches.model.schedule import Calendar, parse_rule
from tests.model.test_schedule_clocks import golden_rows
from tests.support.schedules import ANY_MOMENT, ANY_TEXT, NOW, UTC, moment, shown

PASSED = "its time has passed: runs as soon as it can"
CHANGED = "clocks change before this run"


def rehearsed(text: str, zone: str, after: str, count: int) -> list[Coming]:
    where = ZoneInfo(zone)
    rule, now = parse_rule(text, where), moment(after)
    coming = rehearse(rule, where, rule.next(now), now, all_missed=False)
    return [*islice(coming, count)]


@pytest.mark.parametrize(("zone", "text", "after", "expected"), golden_rows())
def test_the_golden_table_is_rehearsed(
    zone: str, text: str, after: str, expected: list[str]
) -> None:
    """What is promised is what will run."""
    found = rehearsed(text, zone, after, len(expected))
    assert [one.local.isoformat(timespec="minutes") for one in found] == expected
    assert [shown(one.slot, ZoneInfo(zone)) for one in found] == expected


@pytest.mark.parametrize(
    ("zone", "text", "after", "local", "remark"),
    [
        (
            "Europe/Paris",
            "30 2 * * *",
            "2025-03-29T12:00+01:00",
            "2025-03-30T03:00+02:00",
            "02:30 does not exist that night: runs at 03:00",
        ),
        (
            "Europe/Paris",
            "*/30 2 * * *",
            "2025-03-29T12:00+01:00",
            "2025-03-30T03:00+02:00",
            "02:00 and others do not exist that night: one run, at 03:00",
        ),
        (
            "Europe/Paris",
            "15 30 2 * * *",
            "2025-03-29T12:00+01:00",
            "2025-03-30T03:00+02:00",
            "02:30:15 does not exist that night: runs at 03:00",
        ),
        (
            "Europe/Paris",
            "30 2 * * *",
            "2025-10-25T12:00+02:00",
            "2025-10-26T02:30+02:00",
            "02:30 comes twice: runs the first time",
        ),
        (
            "Europe/Paris",
            "*/30 * * * *",
            "2025-10-26T02:30+02:00",
            "2025-10-26T02:00+01:00",
            "02:00 comes twice: runs both times",
        ),
        (
            "Europe/Paris",
            "0 9 * * *",
            "2025-10-25T12:00+02:00",
            "2025-10-26T09:00+01:00",
            CHANGED,
        ),
        (
            "Europe/Paris",
            "@every 6h",
            "2025-10-25T22:00+02:00",
            "2025-10-26T03:00+01:00",
            CHANGED,
        ),
        (
            "America/Santiago",
            "30 0 * * *",
            "2025-09-06T12:00-04:00",
            "2025-09-07T01:00-03:00",
            "00:30 does not exist that night: runs at 01:00",
        ),
        (
            "America/Santiago",
            "30 23 * * *",
            "2025-04-05T12:00-03:00",
            "2025-04-05T23:30-03:00",
            "23:30 comes twice: runs the first time",
        ),
        (
            "Pacific/Apia",
            "30 2 * * *",
            "2011-12-29T12:00-10:00",
            "2011-12-31T00:00+14:00",
            "2011-12-30 02:30 does not exist: runs at 2011-12-31 00:00",
        ),
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2025-10-04T12:00+10:30",
            "2025-10-05T02:30+11:00",
            "02:15 does not exist that night: runs at 02:30",
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2025-04-05T12:00+11:00",
            "2025-04-06T01:45+11:00",
            "01:45 comes twice: runs the first time",
        ),
        ("UTC", "30 2 * * *", "2025-03-29T12:00+00:00", "2025-03-30T02:30+00:00", ""),
    ],
)
def test_what_clocks_do_to_a_run_is_said(
    zone: str, text: str, after: str, local: str, remark: str
) -> None:
    (found,) = rehearsed(text, zone, after, 1)
    assert (found.local.isoformat(timespec="minutes"), found.remark) == (local, remark)


@settings(deadline=None, max_examples=100)
@given(text=ANY_TEXT, where=ANY_MOMENT)
def test_every_other_run_is_at_a_time_that_the_rule_names(
    text: str, where: tuple[str, float]
) -> None:
    """Only where it is said does a run come at another time than the rule's."""
    name, after = where
    zone = ZoneInfo(name)
    try:
        rule = parse_rule(text, zone)
        plain = parse_rule(text, UTC)
    except InvalidInput:
        assume(False)
    coming = rehearse(rule, zone, rule.next(after), after, all_missed=False)
    for one in islice(coming, 5):
        wall = one.local.replace(tzinfo=UTC).timestamp()
        assert "not exist" in one.remark or plain.next(wall - 1) == wall
        assert isinstance(rule, Calendar)
        assert ("comes twice" in one.remark) <= rule.comes_twice(one.slot)


def test_a_run_whose_time_has_passed_comes_first() -> None:
    """The one that is made up for, or each of them."""
    rule = parse_rule("@every 10s", UTC)
    once = rehearse(rule, UTC, NOW - 25.0, NOW, all_missed=False)
    assert [(one.slot - NOW, one.remark) for one in islice(once, 3)] == [
        (-25.0, PASSED),
        (5.0, ""),
        (15.0, ""),
    ]
    each = rehearse(rule, UTC, NOW - 25.0, NOW, all_missed=True)
    assert [(one.slot - NOW, one.remark) for one in islice(each, 4)] == [
        (-25.0, PASSED),
        (-15.0, PASSED),
        (-5.0, PASSED),
        (5.0, ""),
    ]


def test_the_zone_of_the_machine_has_an_offset_too() -> None:
    rule = parse_rule("@hourly", None)
    found = [*islice(rehearse(rule, None, NOW, NOW, all_missed=False), 2)]
    assert all(one.local.utcoffset() is not None for one in found)
    assert [one.local.timestamp() for one in found] == [NOW, NOW + 3600.0]


def test_a_rehearsal_of_leap_days_ends() -> None:
    """There are few 29ths of February that are a Sunday, and no calendar for ever."""
    found = rehearsed("0 0 29 2 */7", "UTC", "2026-01-01T00:00+00:00", 1000)
    assert 10 < len(found) < 20
    assert found[-1].slot < NOW + HORIZON
    assert all(one.slot < other.slot for one, other in pairwise(found))
