"""The slots of a rule on a clock that jumps: a table, a walk along it, properties."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model import endings, recurrence, schedule
from poussetaches.model.queue import TaskQueue
from poussetaches.model.schedule import parse_rule
from tests.support.queues import OK, POLICY, apply, leased, scheduled
from tests.support.schedules import (
    ANY_MOMENT,
    ANY_TEXT,
    DAY,
    HOUR,
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
    # What was worked out before was for the zone before.
    schedule._slot_after.cache_clear()
    yield request.param
    monkeypatch.undo()
    time.tzset()
    schedule._slot_after.cache_clear()


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


# --- the queue's clock, which somebody sets or which stands still ---------------------


class Run(NamedTuple):
    """One run of a schedule."""

    #: When it began, seconds from NOW on the timeline.
    at: float
    slot: float


def runs(
    text: str,
    seconds: float,
    *,
    steps: Iterable[tuple[float, float]] = (),
    sleeps: Iterable[tuple[float, float]] = (),
) -> list[Run]:
    """The runs of a rule in so many seconds from NOW, each ended as soon as begun.

    ``steps``: when the wall clock is set, and by how much. ``sleeps``: when the machine
    is suspended, and for how long.
    """
    queue = TaskQueue()
    scheduled(queue, "s", text)
    to_come = sorted(steps)
    asleep = sorted(sleeps)
    now = 0.0
    found: list[Run] = []
    while True:
        coming = max(now, queue.tasks["s"].eta - NOW)
        if to_come and to_come[0][0] <= coming:
            now, by = to_come.pop(0)
            skew = queue.skew + by
            apply(queue, recurrence.step_clock(queue, skew, NOW + now, POLICY.rules))
            continue
        now = coming
        while asleep and asleep[0][0] <= now:
            began, lasted = asleep.pop(0)
            now = max(now, began + lasted)
        if now > seconds:
            return found
        run = leased(queue, NOW + now)
        found.append(Run(now, run.slot - NOW))
        events = endings.conclude(queue, run, OK, NOW + now, 0.5, POLICY)
        apply(queue, events)


def moments(found: list[Run]) -> list[float]:
    return [run.at for run in found]


SECONDS = [float(second) for second in range(1, 61)]
STEPS = [HOUR, -HOUR, DAY, -DAY]


@pytest.mark.parametrize("step", STEPS)
def test_an_interval_takes_no_notice_of_a_clock_that_is_set(step: float) -> None:
    assert moments(runs("@every 1s", 60.0, steps=[(10.5, step)])) == SECONDS


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_what_the_clock_is_set_past_is_run_once(step: float) -> None:
    found = runs("* * * * * *", 60.0, steps=[(10.5, step)])
    assert moments(found) == [*SECONDS[:10], 10.5, *SECONDS[10:]]
    assert moments(runs("@hourly", HOUR - 1, steps=[(1800.0, step)])) == [1800.0]


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_a_clock_that_is_set_back_comes_to_no_slot_again(step: float) -> None:
    found = runs("* * * * * *", step + 60.0, steps=[(10.5, -step)])
    resumed = [step + second for second in SECONDS[10:]]
    assert moments(found) == [*SECONDS[:10], *resumed]
    assert [run.slot for run in found] == SECONDS


@pytest.mark.parametrize("step", [HOUR, DAY])
def test_a_clock_that_is_set_forth_and_back_or_back_and_forth_brings_no_burst(
    step: float,
) -> None:
    forth_and_back = [(10.5, step), (20.5, -step)]
    found = runs("* * * * * *", 60.0, steps=forth_and_back)
    assert moments(found) == [*SECONDS[:10], 10.5, *SECONDS[10:20]]
    back_and_forth = [(10.5, -step), (20.25, step)]
    found = runs("* * * * * *", 60.0, steps=back_and_forth)
    assert moments(found) == [*SECONDS[:10], 20.25, *SECONDS[20:]]


@pytest.mark.parametrize("text", ["@every 1s", "* * * * * *"])
def test_a_machine_that_slept_catches_up_with_one_run(text: str) -> None:
    found = runs(text, HOUR + 60.0, sleeps=[(10.5, HOUR)])
    after = [HOUR + second for second in SECONDS[10:]]
    assert moments(found) == [*SECONDS[:10], HOUR + 10.5, *after]


@given(
    text=st.sampled_from(["@every 10s", "*/10 * * * * *", "* * * * *", "@hourly"]),
    steps=st.lists(
        st.tuples(st.floats(0.0, 600.0), st.sampled_from(STEPS) | st.floats(-DAY, DAY)),
        max_size=6,
    ),
    sleeps=st.lists(st.tuples(st.floats(0.0, 600.0), st.floats(0.0, 60.0)), max_size=3),
)
def test_whatever_clocks_do_no_slot_comes_twice_and_runs_are_no_burst(
    text: str, steps: list[tuple[float, float]], sleeps: list[tuple[float, float]]
) -> None:
    period = {"* * * * *": 60.0, "@hourly": HOUR}.get(text, 10.0)
    found = runs(text, 600.0, steps=steps, sleeps=sleeps)
    for one, following in itertools.pairwise(found):
        assert one.slot < following.slot
    assert len(found) <= 600.0 / period + 1 + len(steps) + len(sleeps)
