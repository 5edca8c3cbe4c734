"""The slots of a rule on a clock that jumps: a table, a walk along it, properties."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings

from poussetaches.errors import InvalidInput
from poussetaches.model.schedule import parse_rule
from tests.support.schedules import (
    ANY_MOMENT,
    ANY_TEXT,
    NOW,
    UTC,
    ZONES,
    jumps,
    moment,
    shown,
    slots,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "schedules.txt"


class Walked(NamedTuple):
    """A rule with what it means, for the walk."""

    text: str
    minutes: set[int]
    hours: set[int]


EVERY_HOUR = set(range(24))
WALKED = (
    Walked("15,45 * * * *", {15, 45}, EVERY_HOUR),
    Walked("30 2 * * *", {30}, {2}),
    Walked("*/15 0,2,23 * * *", {0, 15, 30, 45}, {0, 2, 23}),
    Walked("45 */2 * * *", {45}, set(range(0, 24, 2))),
)


def golden_rows() -> list[tuple[str, str, str, list[str]]]:
    rows: list[tuple[str, str, str, list[str]]] = []
    for line in GOLDEN.read_text().splitlines():
        if line.startswith(" "):
            rows[-1][3].append(line.strip())
        elif line and not line.startswith("#"):
            zone, text, after = line.split(" | ")
            rows.append((zone, text, after, []))
    return rows


@pytest.mark.parametrize(("zone", "text", "after", "expected"), golden_rows())
def test_golden_table(zone: str, text: str, after: str, expected: list[str]) -> None:
    where = ZoneInfo(zone)
    rule = parse_rule(text, where)
    found = list(itertools.islice(slots(rule, moment(after)), len(expected)))
    assert [shown(slot, where) for slot in found] == expected


def walk(clock: list[tuple[int, datetime]], rule: Walked) -> list[float]:
    """The slots of ``rule``, found by looking at a clock every minute, as cron does."""

    def matches(wall: datetime) -> bool:
        return wall.minute in rule.minutes and wall.hour in rule.hours

    found = []
    furthest = clock[0][1] - timedelta(minutes=1)
    for instant, wall in clock:
        if rule.hours == EVERY_HOUR:
            due = matches(wall)
        else:
            due = False
            while furthest < wall:
                furthest += timedelta(minutes=1)
                due = due or matches(furthest)
        if due:
            found.append(float(instant))
    return found


@pytest.mark.parametrize("name", ZONES)
def test_slots_around_every_jump_are_those_of_a_walk_along_the_clock(name: str) -> None:
    """2011 to 2037: none missing, none twice, and none that is not there."""
    zone = ZoneInfo(name)
    for jump in jumps(zone):
        first, last = jump - 3 * 3600, jump + 3 * 3600
        clock = [
            (instant, datetime.fromtimestamp(instant, zone).replace(tzinfo=None))
            for instant in range(first, last, 60)
        ]
        for walked in WALKED:
            rule = parse_rule(walked.text, zone)
            expected = walk(clock, walked)
            here = f"{walked.text} at {shown(jump, zone)}"
            found = list(itertools.islice(slots(rule, first - 1), len(expected) + 1))
            assert found[:-1] == expected, here
            assert found[-1] >= last, here
            # From within what is shown the first time, and the second.
            for now in (jump - 1500, jump + 600, jump + 1500):
                assert rule.next(now) == next(s for s in found if s > now), here


@pytest.mark.parametrize("name", ["Europe/Paris", "America/Santiago"])
@pytest.mark.parametrize("text", ["30 2 * * *", "@daily", "30 23 * * *"])
def test_a_named_time_runs_on_every_date_just_once(name: str, text: str) -> None:
    zone = ZoneInfo(name)
    found = itertools.islice(slots(parse_rule(text, zone), NOW), 400)
    dates = [datetime.fromtimestamp(slot, zone).date() for slot in found]
    days = [later - earlier for earlier, later in itertools.pairwise(dates)]
    assert set(days) == {timedelta(days=1)}


@settings(deadline=None, max_examples=150)
@given(text=ANY_TEXT, where=ANY_MOMENT)
def test_slots_only_go_forward_and_nothing_lies_between(
    text: str, where: tuple[str, float]
) -> None:
    name, after = where
    try:
        rule = parse_rule(text, ZoneInfo(name))
    except InvalidInput:
        assume(False)
    slot = rule.next(after)
    following = rule.next(slot)
    assert after < slot < following
    assert slot == int(slot)
    assert rule.next(slot - 0.5) == slot


@pytest.fixture
def machine_zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Make the parameter the zone of this machine, as TZ."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("machine_zone", [*ZONES, "Europe/Dublin"], indirect=True)
def test_without_a_zone_it_is_the_machines(machine_zone: str) -> None:
    """Over all its jumps, as the same zone by its name."""
    for jump in jumps(ZoneInfo(machine_zone))[::7]:
        for walked in WALKED:
            there = parse_rule(walked.text, ZoneInfo(machine_zone))
            here = parse_rule(walked.text, None)
            for after in range(jump - 7200, jump + 7200, 2400):
                assert here.next(after) == there.next(after)


@pytest.mark.parametrize("machine_zone", ["CET-1CEST,M3.5.0,M10.5.0/3"], indirect=True)
def test_the_zone_of_the_machine_may_be_a_posix_rule(machine_zone: str) -> None:
    """And it knows of summers after 2037."""
    rule = parse_rule("30 2 * * *", None)
    found = itertools.islice(slots(rule, moment("2040-03-24T12:00+01:00")), 2)
    utc = [shown(slot, UTC) for slot in found]
    assert utc == ["2040-03-25T01:00+00:00", "2040-03-26T00:30+00:00"]
