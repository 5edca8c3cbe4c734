"""The rules of schedules, read in one zone: the first slot, and what follows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from poussetaches.model.schedule import parse_rule


class Rules:
    """``zone``: the name of a time zone, "" for the machine's own.

    All moments are posix seconds of the wall clock. Every method raises InvalidInput
    for a rule that cannot be read.
    """

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone) if zone else None

    def check(self, text: str) -> None:
        """Raise InvalidInput if ``text`` is no rule, or one that never runs."""
        parse_rule(text, self._zone)

    def first(self, text: str, after: float) -> float:
        """The slot with which a new schedule begins."""
        return parse_rule(text, self._zone).next(after)

    def following(self, text: str, slot: float, now: float) -> float:
        """The slot after ``slot``, whose run has ended at ``now`` (see Rule)."""
        return parse_rule(text, self._zone).following(slot, now)

    def follows_wall_clock(self, text: str) -> bool:
        """Whether its slots are moments of the wall clock, rather than counted on."""
        return not parse_rule(text, self._zone).is_interval
