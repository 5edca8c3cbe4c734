"""The rehearsal of a schedule: its coming runs, and what is odd about each.

Odd is what a change of the clocks does to a run (see ``schedule.py``), or a time that
has passed. Pure: the present is an argument. Moments are posix seconds of the wall
clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone, tzinfo
from typing import NamedTuple

from poussetaches.model.schedule import Calendar, Rule

#: How far is looked ahead, seconds: after 400 years the calendar begins again.
HORIZON = 400 * 366 * 86_400.0


class Coming(NamedTuple):
    """A run that will come."""

    slot: float
    #: The same on the clock of its zone, with its offset from UTC.
    local: datetime
    #: What is odd about it, for people; "": nothing.
    remark: str


def rehearse(
    rule: Rule, zone: tzinfo | None, first: float, now: float, *, all_missed: bool
) -> Iterator[Coming]:
    """The coming runs, from the one whose slot is ``first``.

    ``zone``: None for the machine's own; ``all_missed``: also those whose time has
    passed come. Each run is taken to end before the next one begins.
    """
    before = _local(now, zone)
    slot = first
    while slot < now + HORIZON:
        local = _local(slot, zone)
        yield Coming(slot, local, _remark(rule, slot, before, local, now))
        before = local
        slot = rule.following(slot, slot if all_missed else now)


def _local(instant: float, zone: tzinfo | None) -> datetime:
    local = datetime.fromtimestamp(instant, zone)
    # Of the machine's own zone it knows no offset unless it is asked for it.
    return local.astimezone() if zone is None else local


def _remark(
    rule: Rule, slot: float, before: datetime, local: datetime, now: float
) -> str:
    if slot < now:
        return "its time has passed: runs as soon as it can"
    if isinstance(rule, Calendar):
        if skipped := rule.skipped(slot):
            return _skipped(skipped, local)
        if rule.comes_twice(slot):
            runs = "runs both times" if rule.every_hour else "runs the first time"
            return f"{_clock(local)} comes twice: {runs}"
    if before.utcoffset() != local.utcoffset():
        return "clocks change before this run"
    return ""


def _skipped(walls: list[int], local: datetime) -> str:
    first = datetime.fromtimestamp(walls[0], timezone.utc)
    missing, runs = _clock(first), _clock(local)
    where = " that night"
    if first.date() != local.date():  # a whole day is left out
        missing, runs = f"{first.date()} {missing}", f"{local.date()} {runs}"
        where = ""
    if len(walls) > 1:
        return f"{missing} and others do not exist{where}: one run, at {runs}"
    return f"{missing} does not exist{where}: runs at {runs}"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
