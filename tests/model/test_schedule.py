"""The slots of a rule, catching up after downtime, and the id of a schedule."""

from __future__ import annotations

import itertools
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.schedule import (
    Calendar,
    Interval,
    parse_rule,
    schedule_id,
)
from tests.support.schedules import (
    ANY_TEXT,
    BEGIN,
    DAY,
    END,
    FIELDS,
    HOUR,
    NOW,
    UTC,
    ZONES,
    slots,
)


def test_an_interval_counts_from_the_slot_before() -> None:
    rule = parse_rule("@every 90s", None)
    assert isinstance(rule, Interval)
    assert rule.is_interval
    assert rule.next(NOW) == NOW + 90
    # Thousands that began within a second do not all run at a full one.
    assert rule.next(NOW + 0.75) == NOW + 90.75
    assert rule.following(NOW + 90.75, NOW + 91.0) == NOW + 180.75


@given(
    st.floats(0.0, 2e9),
    st.floats(0.0, 1e7),
    st.integers(1, 100_000),
)
def test_what_follows_an_interval_is_later_than_both(
    slot: float, passed: float, period: int
) -> None:
    rule = Interval("@every", period)
    now = slot + passed
    following = rule.following(slot, now)
    assert slot < following
    assert now < following <= now + period + 0.001


def test_a_rule_of_fields_is_no_interval() -> None:
    assert isinstance(parse_rule("@hourly", None), Calendar)
    assert not parse_rule("@hourly", None).is_interval


@pytest.mark.parametrize(
    ("text", "previous", "now", "slot"),
    [
        # On time, early or late within the period: the next one.
        ("0 * * * *", 0, 0, HOUR),
        ("0 * * * *", 0, 1800, HOUR),
        ("0 * * * *", 0, 3599.9, HOUR),
        ("@every 1h", 0, 1800, HOUR),
        # The run took long, or the service was down: what was missed is skipped.
        ("0 * * * *", 0, HOUR, 2 * HOUR),
        ("0 * * * *", 0, 3 * HOUR + 1800, 4 * HOUR),
        ("@every 1h", 0, HOUR, 2 * HOUR),
        ("@every 1h", 0, 3 * HOUR + 1800, 4 * HOUR),
        ("@every 1h", 600, 3 * HOUR + 1800, 4 * HOUR + 600),
        ("@daily", 0, 100 * DAY + 7, 101 * DAY),
        ("0 6 * * *", 0.25 * DAY, 100 * DAY + 7, 100.25 * DAY),
        # The clock was set back: no slot twice.
        ("0 * * * *", 3 * HOUR, HOUR + 1, 4 * HOUR),
        ("0 * * * *", 3 * HOUR, -DAY, 4 * HOUR),
        ("@every 1h", 3 * HOUR, -DAY, 4 * HOUR),
        # The clock was set forward: as downtime.
        ("0 * * * *", 0, DAY, DAY + HOUR),
        # A year of seconds.
        ("* * * * * *", 0, 365 * DAY + 0.5, 365 * DAY + 1),
        ("@every 1s", 0, 365 * DAY + 0.5, 365 * DAY + 1),
    ],
)
def test_following(text: str, previous: float, now: float, slot: float) -> None:
    rule = parse_rule(text, UTC)
    assert rule.following(NOW + previous, NOW + now) == NOW + slot


@settings(deadline=None)
@given(
    text=ANY_TEXT | st.integers(1, 10**7).map("@every {}s".format),
    previous=st.integers(BEGIN, END),
    later=st.floats(-400 * DAY, 400 * DAY),
    name=st.sampled_from(ZONES),
)
def test_what_follows_is_later_than_both_and_nothing_lies_between(
    text: str, previous: int, later: float, name: str
) -> None:
    try:
        rule = parse_rule(text, ZoneInfo(name))
    except InvalidInput:
        assume(False)
    now = previous + later
    slot = rule.following(previous, now)
    assert slot > previous
    assert slot > now
    if rule.is_interval:
        assert slot - rule.next(0.0) <= max(previous, now)
    else:
        assert slot == rule.next(max(previous, now))


def test_a_year_of_missed_seconds_is_cheap() -> None:
    rules = [parse_rule(text, UTC) for text in ("* * * * * *", "@every 1s")]
    before = time.process_time()
    for rule in rules:
        rule.following(NOW, NOW + 365 * DAY)
    assert time.process_time() - before < 0.05


@pytest.mark.parametrize(
    ("payload", "schedule", "digest"),
    [
        (b"hello", "@every 1h", "a9424417504ab8dd4b84b0764c50eb6d8222f674"),
        (b"\x00\xff", "*/5 * * * *", "8cdf7199b9fe623be34da7a1ac76a30edb687e55"),
    ],
)
def test_the_id_of_a_schedule_is_the_ancestors(
    payload: bytes, schedule: str, digest: str
) -> None:
    """Made with sha1sum of url, payload and text."""
    assert schedule_id("http://localhost:5000/task", payload, schedule) == digest


def test_no_payload_is_an_empty_one_in_the_id() -> None:
    assert schedule_id("http://a/", None, "@daily") == schedule_id(
        "http://a/", b"", "@daily"
    )


@settings(deadline=None, max_examples=40)
@given(fields=FIELDS, begin=st.integers(BEGIN, END))
def test_slots_in_utc_are_the_minutes_that_match(
    fields: tuple[tuple[str, set[int]], ...], begin: int
) -> None:
    """Three weeks, minute by minute."""
    (_, minutes), (_, hours), (dom, days), (_, months), (dow, weekdays) = fields
    try:
        rule = parse_rule(" ".join(text for text, _ in fields), UTC)
    except InvalidInput:
        assume(False)
    either = not dom.startswith("*") and not dow.startswith("*")
    begin -= begin % 86400
    expected = []
    for day in range(begin, begin + 21 * 86400, 86400):
        date = datetime.fromtimestamp(day, UTC)
        fits = date.day in days, date.isoweekday() % 7 in weekdays
        if date.month in months and (any(fits) if either else all(fits)):
            expected += [
                float(day + hour * 3600 + minute * 60)
                for hour in sorted(hours)
                for minute in sorted(minutes)
            ]
    some = expected[:100]
    assert list(itertools.islice(slots(rule, begin - 1), len(some))) == some
