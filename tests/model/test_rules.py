"""What the queue asks about schedules, in one zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import InvalidInput
from poussetaches.model.rules import Rules
from tests.support.queues import NOW

HOUR = 3600.0
TEXTS = ("@every 1s", "@every 7s", "@every 25h", "* * * * *", "*/7 * * * *", "@daily")
ZONES = ("UTC", "Europe/Paris", "America/Santiago", "Australia/Lord_Howe")

MOMENTS = st.floats(0.0, 4e9)


def paris(text: str) -> float:
    clock = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Paris"))
    return clock.timestamp()


@pytest.mark.parametrize("text", ["", "often", "@every 0s", "0 0 31 2 *", "60 * * * *"])
def test_what_is_no_rule_is_refused_by_every_method(text: str) -> None:
    rules = Rules("UTC")
    for ask in (
        lambda: rules.check(text),
        lambda: rules.first(text, NOW),
        lambda: rules.following(text, NOW, NOW),
        lambda: rules.follows_wall_clock(text),
    ):
        with pytest.raises(InvalidInput) as caught:
            ask()
        assert caught.value.field == "schedule"


@pytest.mark.parametrize("text", TEXTS)
def test_a_rule_is_accepted(text: str) -> None:
    Rules("UTC").check(text)


def test_an_unknown_zone_is_refused_at_once() -> None:
    with pytest.raises(LookupError):
        Rules("Europe/Nowhere")


def test_hours_are_those_of_the_zone() -> None:
    assert Rules("Europe/Paris").first("0 9 * * *", NOW) == paris("2026-01-01T09:00")
    assert Rules("UTC").first("0 9 * * *", NOW) == NOW + 9 * HOUR


def test_without_a_zone_hours_are_those_of_the_machine() -> None:
    here = datetime.fromtimestamp(Rules("").first("0 9 * * *", NOW))
    assert (here.hour, here.minute) == (9, 0)


def test_a_slot_is_not_its_own_successor() -> None:
    rules = Rules("UTC")
    assert rules.first("@hourly", NOW) == NOW + HOUR
    assert rules.following("@hourly", NOW, NOW) == NOW + HOUR


def test_an_interval_begins_one_interval_after_its_push() -> None:
    assert Rules("UTC").first("@every 90s", NOW + 0.75) == NOW + 90.75


@pytest.mark.parametrize(
    ("text", "now", "slot"),
    [
        # The run ended in time.
        ("@hourly", 10.0, HOUR),
        ("@every 1h", 10.0, HOUR),
        # It ended in the moment of the next slot, or after it: that one is missed.
        ("@hourly", HOUR, 2 * HOUR),
        ("@every 1h", HOUR, 2 * HOUR),
        ("@hourly", 5.5 * HOUR, 6 * HOUR),
        ("@every 1h", 5.5 * HOUR, 6 * HOUR),
        # An interval is counted from its slot, not from the end of its run.
        ("@every 10s", 34.0, 40.0),
        # The clock was set back while it ran.
        ("@hourly", -5 * HOUR, HOUR),
        ("@every 1h", -5 * HOUR, HOUR),
    ],
)
def test_what_follows_a_slot(text: str, now: float, slot: float) -> None:
    assert Rules("UTC").following(text, NOW, NOW + now) == NOW + slot


@given(
    text=st.sampled_from(TEXTS),
    zone=st.sampled_from(ZONES),
    after=MOMENTS,
    late=st.one_of(st.floats(-1e6, 1e6), st.floats(0, 10)),
)
def test_what_follows_is_later_than_the_slot_and_than_now(
    text: str, zone: str, after: float, late: float
) -> None:
    rules = Rules(zone)
    slot = rules.first(text, after)
    assert slot > after
    following = rules.following(text, slot, slot + late)
    assert following > slot
    assert following > slot + late


def test_only_an_interval_lets_the_clock_be_set() -> None:
    rules = Rules("UTC")
    assert [rules.follows_wall_clock(text) for text in TEXTS] == [
        not text.startswith("@every") for text in TEXTS
    ]
