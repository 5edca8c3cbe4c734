"""For tests of schedules: zones and their jumps, texts of rules and their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from poussetaches.model.schedule import Rule

UTC = timezone.utc
HOUR = 3600.0
DAY = 24 * HOUR
#: 2026-01-01T00:00Z.
NOW = 1_767_225_600.0
#: 2011-01-01 and 2038-01-01.
BEGIN, END = 1_293_840_000, 2_145_916_800
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    # Its clock jumps at midnight, forward and back.
    "America/Santiago",
    # It lost the whole of 2011-12-30.
    "Pacific/Apia",
    # Its summer time is half an hour.
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    # Its summer time is two hours.
    "Antarctica/Troll",
    # It turns back for Ramadan, at changing times of the year.
    "Africa/Casablanca",
)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def shown(instant: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(instant, zone).isoformat(timespec="minutes")


def slots(rule: Rule, after: float) -> Iterator[float]:
    while True:
        after = rule.next(after)
        yield after


@lru_cache
def jumps(zone: ZoneInfo) -> list[int]:
    """The instants from 2011 to 2037 at which the offset of ``zone`` changes."""

    def offset(instant: int) -> timedelta | None:
        return datetime.fromtimestamp(instant, zone).utcoffset()

    found = []
    week = int(7 * DAY)
    for before in range(BEGIN, END, week):
        after = before + week
        if offset(before) == offset(after):
            continue
        while after - before > 60:
            middle = (before + after) // 120 * 60
            if offset(middle) == offset(before):
                before = middle
            else:
                after = middle
        found.append(after)
    return found


@st.composite
def matched_fields(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """The text of a field, and the values it stands for."""
    kind = draw(st.sampled_from(("star", "star", "step", "from", "range", "list")))
    if kind == "star":
        return "*", set(range(low, high + 1))
    step = draw(st.integers(1, high - low + 1))
    if kind == "step":
        return f"*/{step}", set(range(low, high + 1, step))
    first = draw(st.integers(low, high - 1))
    if kind == "from":
        return f"{first}/{step}", set(range(first, high + 1, step))
    if kind == "range":
        last = draw(st.integers(first + 1, high))
        return f"{first}-{last}/{step}", set(range(first, last + 1, step))
    values = draw(st.lists(st.integers(low, high), min_size=1, max_size=4))
    return ",".join(map(str, values)), set(values)


FIELDS = st.tuples(
    matched_fields(0, 59),
    matched_fields(0, 23),
    matched_fields(1, 31),
    matched_fields(1, 12),
    matched_fields(0, 6),
)


JUMPS = {name: jumps(ZoneInfo(name)) for name in ZONES}
ANY_MOMENT = st.one_of(
    st.sampled_from(ZONES).flatmap(
        lambda name: st.tuples(
            st.just(name), st.floats(BEGIN, END, allow_nan=False, allow_infinity=False)
        )
    ),
    st.sampled_from([name for name in ZONES if JUMPS[name]]).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.builds(
                lambda jump, past: jump + past,
                st.sampled_from(JUMPS[name]),
                st.integers(-7200, 7200) | st.floats(-90000, 90000),
            ),
        )
    ),
)
ANY_TEXT = st.one_of(
    st.sampled_from(
        [
            "* * * * * *",
            "* 15-59 * * * *",
            "*/7 */3 * * *",
            "30 2 * * *",
            "* 0-3 * * *",
            "0 0 29 2 *",
            "15 * 1 1 *",
            "@hourly",
            "@daily",
        ]
    ),
    FIELDS.map(lambda fields: " ".join(text for text, _ in fields)),
)
