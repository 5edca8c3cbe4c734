"""The schedule: a recurring rule, and the moments (slots) it names.

The only door to croniter. Pure: a moment is an argument, in posix seconds of the wall
clock, and no clock is read. A slot that is read off the clock is a whole second; one
that is counted from the last keeps the fraction with which its schedule began, so that
thousands of them need not all run at the full second. What can be written as a rule
stands in ``rule_text.py``; the text itself is kept as it was given, because the id of a
schedule hangs on it.

A rule that restricts both the day of month and the day of week runs when either fits. A
field that begins with ``*`` (``*/2`` too) does not restrict: then both must fit. So do
Vixie's cron, Debian's crontab(5), and the first ancestor.

**When the clocks change**, by the rule of Debian's cron(8): jobs that run more often
than hourly go on as usual, the others are neither lost in the gap nor run twice.

- A rule open to every hour (its hour field is ``*``, or equal to it) follows real time:
  it runs whenever the clock on the wall shows a time it names. Times that are skipped
  do not run, times that come twice run twice; ``*/30 * * * *`` runs every 30 minutes
  all through.
- Every other rule names its hours, and a time of the wall clock it names runs once. If
  that time comes twice, it runs the first time. If the clock skips it, it runs at the
  first instant after the gap (02:30 as 03:00); several skipped times are one run.

The code of that cron takes any ``*`` among minutes and hours for a rule of the first
kind. Here ``*/30 2 * * *`` is of the second and runs in the night that has no 02:00;
``0 */2 * * *`` is too, and runs once in the night that has two.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

from croniter import CroniterError, croniter

from poussetaches.model.rule_text import invalid_schedule, read_rule

#: Where croniter puts the hours in what it makes of a line.
_HOUR = 1


class _Seam(NamedTuple):
    """A clock jumps from ``leaves`` to ``enters``.

    Forward, the wall times from ``leaves`` up to ``enters`` do not exist (a gap);
    backward, those from ``enters`` up to ``leaves`` come twice (a fold).
    """

    #: Posix seconds of the jump.
    instant: int
    #: Wall seconds (see Calendar) that the clock would have shown at that instant.
    leaves: int
    #: Wall seconds that it does show.
    enters: int


@dataclass(frozen=True)
class Rule(ABC):
    """When a schedule runs. Made by ``parse_rule``; one thread at a time may use it."""

    #: The rule as it was given.
    text: str

    @property
    @abstractmethod
    def is_interval(self) -> bool:
        """Whether a slot is counted from the last one (``@every``)."""

    @abstractmethod
    def next(self, after: float) -> float:
        """The first slot later than ``after``; both in posix seconds."""

    @abstractmethod
    def following(self, slot: float, now: float) -> float:
        """The slot after ``slot``, whose run has ended at ``now``; later than both.

        What was missed meanwhile, because the service was down or the run took long, is
        not caught up: the run that ended just now was late for all of it. And no slot
        comes twice, however the clock was set.
        """


@dataclass(frozen=True)
class Interval(Rule):
    """``@every``: one slot each ``period``, counted from the one before."""

    #: Seconds, whole and at least 1.
    period: int

    @property
    def is_interval(self) -> bool:
        return True

    def next(self, after: float) -> float:
        return after + self.period

    def following(self, slot: float, now: float) -> float:
        missed = max(0.0, now - slot) // self.period
        following = slot + (missed + 1) * self.period
        # What a float of this size cannot hold may have been rounded away.
        return following if following > now else following + self.period


@dataclass(frozen=True)
class Calendar(Rule):
    """A rule of fields, read off the clock on the wall of ``zone``.

    croniter counts in *wall seconds* only: posix seconds of a clock in UTC that shows
    what the clock on the wall shows. What happens where that one jumps is settled here
    (see the module): croniter would run the fixed times of an autumn night twice.
    """

    #: ``None``: the zone of this machine, as its C library has it; it must not be
    #: changed while this process runs.
    zone: tzinfo | None
    #: Whether the rule is open to every hour, and so follows real time over a jump.
    every_hour: bool
    _cron: croniter = field(repr=False, compare=False)

    @property
    def is_interval(self) -> bool:
        return False

    def next(self, after: float) -> float:
        return _slot_after(self, math.floor(after))

    def slot_after(self, instant: int) -> float:
        """As ``next``, worked out anew."""
        wall, fold = self._clock(instant)
        # The clock does show `wall`, so a seam there is a fold.
        seam = self._seam(wall)
        if seam and fold and not self.every_hour:
            # What comes twice has had its run the first time.
            wall = seam.leaves - 1
        slot = self._wall_after(wall)
        if seam and self.every_hour:
            if not fold and slot >= seam.leaves:
                slot, fold = self._wall_after(seam.enters - 1), 1
            if slot < seam.leaves:
                return self._instant(slot, fold)
        while gap := self._gap(slot):
            if not self.every_hour:
                return float(gap.instant)
            slot = self._wall_after(gap.enters - 1)
        return self._instant(slot, fold=0)

    def following(self, slot: float, now: float) -> float:
        return self.next(max(slot, now))

    def skipped(self, slot: float) -> list[int]:
        """The first times of the wall clock, two at most, that the rule names, that do
        not exist, and for which ``slot`` is the run; in wall seconds."""
        instant = math.floor(slot)
        leaves = instant + self._offset(instant - 1)
        enters = instant + self._offset(instant)
        found: list[int] = []
        wall = leaves - 1
        while not self.every_hour and len(found) < 2 and wall < enters:
            wall = self._wall_after(wall)
            if wall < enters:
                found.append(wall)
        return found

    def comes_twice(self, slot: float) -> bool:
        """Whether the wall clock shows the time of ``slot`` twice."""
        wall, _ = self._clock(math.floor(slot))
        return self._seam(wall) is not None

    def _wall_after(self, wall: int) -> int:
        return int(self._cron.get_next(float, start_time=float(wall)))

    def _clock(self, instant: int) -> tuple[int, int]:
        """What the clock shows, in wall seconds, and 1 if it shows that again."""
        clock = datetime.fromtimestamp(instant, self.zone)
        shown = clock.replace(tzinfo=None) - datetime(1970, 1, 1)
        return shown // timedelta(seconds=1), clock.fold

    def _instant(self, wall: int, fold: int) -> float:
        """The posix seconds at which the clock shows ``wall`` (again, if ``fold``)."""
        clock = datetime.fromtimestamp(wall, timezone.utc)
        return clock.replace(tzinfo=self.zone, fold=fold).timestamp()

    def _gap(self, wall: int) -> _Seam | None:
        seam = self._seam(wall)
        return seam if seam and seam.enters > seam.leaves else None

    def _seam(self, wall: int) -> _Seam | None:
        """The jump because of which ``wall`` does not exist, or comes twice."""
        first, second = self._instant(wall, fold=0), self._instant(wall, fold=1)
        if first == second:
            return None
        # The two readings stand on either side of the jump: close in on it.
        before, after = int(min(first, second)), int(max(first, second))
        leaving, entering = self._offset(before), self._offset(after)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == leaving:
                before = middle
            else:
                after = middle
        return _Seam(after, leaves=after + leaving, enters=after + entering)

    def _offset(self, instant: int) -> int:
        return self._clock(instant)[0] - instant


@lru_cache(maxsize=4096)
def _slot_after(rule: Calendar, instant: int) -> float:
    # Ten thousand schedules of one rule end within a few seconds of each other, and to
    # work their next slot out takes ten times what is done for a run otherwise.
    return rule.slot_after(instant)


@lru_cache(maxsize=16_384)
def parse_rule(text: str, zone: tzinfo | None) -> Rule:
    """Read a rule; ``zone`` is where its clock hangs, ``None`` for this machine's zone.

    Raises InvalidInput with a sentence saying what is wrong, also for a rule that would
    never run. What was read is kept: reading a rule costs ten times its ``next``.
    """
    read = read_rule(text)
    if isinstance(read, int):
        return Interval(text, read)
    try:
        fields, _ = croniter.expand(read, second_at_beginning=True, strict=True)
    except CroniterError as error:
        # In a line that read_rule let through, strict croniter finds one fault only.
        raise invalid_schedule(
            f"{text!r} names days of the month that none of its months has"
        ) from error
    cron = croniter(
        read,
        start_time=0.0,
        second_at_beginning=True,
        # Their name for it: a field that begins with * does not restrict the day.
        implement_cron_bug=True,
    )
    return Calendar(text, zone, fields[_HOUR] == ["*"], cron)


def schedule_id(
    url: str,
    payload: bytes | None,
    schedule: str,
    *,
    name: str = "",
    timezone: str = "",
) -> str:
    """The id of a schedule: 40 hex digits, the same for the same push (the ancestor's),
    or for the same ``name``, if it has one.

    ``schedule`` is the text as it was given. No url begins with a zero byte, and no
    text ends with one and a zone.
    """
    if name:
        content = b"\0" + name.encode()
    else:
        content = url.encode() + (payload or b"") + schedule.encode()
        if timezone:
            content += b"\0" + timezone.encode()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
